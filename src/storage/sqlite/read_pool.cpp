#include "storage/sqlite/read_pool.h"

#include <utility>

namespace kith::storage::sqlite {

ReadPool::ReadPool(std::vector<std::unique_ptr<Db>> connections) : connections_(std::move(connections)) {
  for (const std::unique_ptr<Db>& db : connections_) threads_.emplace_back([this, &db = *db] { run(db); });
}

ReadPool::~ReadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  for (auto& [after, read] : waiting_) read(nullptr);
}

void ReadPool::submit(Ticket after, Read read) {
  bool refused = false;
  {
    const std::lock_guard lock(mutex_);
    refused = stopping_ || ready_.size() + waiting_.size() >= most_waiting;
    if (refuse_count_ > 0) {
      --refuse_count_;
      refused = true;
    }
    if (!refused) {
      if (after <= decided_) {
        ready_.push_back(std::move(read));
      } else {
        waiting_.emplace(after, std::move(read));
      }
    }
  }
  if (refused) return read(nullptr);
  if (shared_ != nullptr) return work_off(*shared_);
  wake_.notify_one();
}

void ReadPool::release(Ticket decided) {
  {
    const std::lock_guard lock(mutex_);
    if (decided_ < decided) decided_ = decided;
    if (waiting_.empty() || waiting_.begin()->first > decided_) return;
    release_waiting();
  }
  if (shared_ != nullptr) return work_off(*shared_);
  wake_.notify_all();
}

void ReadPool::release_waiting() {
  const auto end = waiting_.upper_bound(decided_);
  for (auto it = waiting_.begin(); it != end; ++it) ready_.push_back(std::move(it->second));
  waiting_.erase(waiting_.begin(), end);
}

void ReadPool::run(Db& db) {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
    if (ready_.empty()) return;
    Read read = std::move(ready_.front());
    ready_.pop_front();
    ++busy_;
    lock.unlock();
    read(&db);
    read = {};
    lock.lock();
    if (--busy_ == 0 && ready_.empty()) idle_.notify_all();
  }
}

void ReadPool::work_off(Db& db) {
  // What a read's answer asks for in turn is served by the loop that is already going.
  if (held_ || std::exchange(working_off_, true)) return;
  while (!ready_.empty()) {
    Read read = std::move(ready_.front());
    ready_.pop_front();
    read(&db);
  }
  working_off_ = false;
}

void ReadPool::read_one() {
  if (ready_.empty()) return;
  Read read = std::move(ready_.front());
  ready_.pop_front();
  read(shared_);
}

void ReadPool::abandon() {
  const std::deque<Read> ready = std::exchange(ready_, {});
  const std::multimap<Ticket, Read> waiting = std::exchange(waiting_, {});
}

void ReadPool::drain() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return ready_.empty() && busy_ == 0; });
}

void ReadPool::fail_next(std::size_t count) {
  const std::lock_guard lock(mutex_);
  refuse_count_ = count;
}

}  // namespace kith::storage::sqlite
