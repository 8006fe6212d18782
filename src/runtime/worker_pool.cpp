#include "runtime/worker_pool.h"

#include <exception>
#include <utility>

namespace kith::runtime {

WorkerPool::WorkerPool(unsigned threads, std::size_t most_waiting, OnFault on_fault)
    : most_waiting_(most_waiting), on_fault_(std::move(on_fault)) {
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  threads_.clear();
}

bool WorkerPool::submit(Task job) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || jobs_.size() >= most_waiting_) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

std::size_t WorkerPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void WorkerPool::work() {
  while (true) {
    Task job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
      if (ending_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      job();
    } catch (const std::exception& fault) {
      on_fault_(fault.what());
    } catch (...) {
      on_fault_("an exception that is none of std's");
    }
  }
}

}  // namespace kith::runtime
