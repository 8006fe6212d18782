#include "storage/sqlite/commit_queue.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace kith::storage::sqlite {

namespace {
// After so many writes of one group that each made SQLite throw the whole transaction away, it is not the writes.
constexpr std::size_t most_culprits = 8;
}  // namespace

CommitQueue::CommitQueue(Db& db, Mode mode, const QueueLimits& limits, Events& events, const Clock& clock,
                         std::function<void(Ticket decided)> on_progress)
    : db_(db),
      mode_(mode),
      limits_(limits),
      events_(events),
      clock_(clock),
      on_progress_(std::move(on_progress)),
      writes_counter_(events.counter("kith_storage_writes_total", "Writes given to the database.")),
      failed_counter_(events.counter("kith_storage_writes_failed_total", "Writes that failed.")),
      commits_counter_(events.counter("kith_storage_commits_total", "Groups of writes committed.")),
      commit_time_counter_(
          events.counter("kith_storage_commit_microseconds_total", "Time spent in committing groups.")),
      waiting_gauge_(events.gauge("kith_storage_writes_waiting", "Writes that are not decided yet.")) {
  if (mode_ == Mode::thread) thread_ = std::thread([this] { run(); });
}

CommitQueue::~CommitQueue() { stop(); }

Ticket CommitQueue::submit(std::size_t bytes, Work work, Answer answer) {
  Ticket ticket;
  bool refused = false;
  bool decided = false;
  {
    const std::lock_guard lock(mutex_);
    ticket = Ticket{++last_};
    refused = stopping_ || waiting_writes_ >= limits_.writes ||
              bytes > limits_.bytes - std::min(waiting_bytes_, limits_.bytes);
    if (refused) {
      record_.fail(ticket);
      // Otherwise the tickets before it are decided first, and this one with the last of them.
      if (waiting_writes_ == 0) decided = record_.decide(ticket);
    } else {
      Operation& operation = queue_.emplace_back(ticket, bytes, std::move(work), std::move(answer));
      if (refuse_count_ > 0) {
        --refuse_count_;
        operation.refused = refuse_error_;
      }
      ++waiting_writes_;
      waiting_bytes_ += bytes;
      if (mode_ == Mode::thread && !working_) wake_.notify_one();
    }
  }
  writes_counter_.add();
  if (refused) {
    failed_counter_.add();
    events_.limit_hit("storage_queue");
    if (decided) {
      on_progress_(ticket);
      tell_all();
    }
    if (answer) answer(std::unexpected(StorageError::full));
  } else if (mode_ == Mode::immediate && !held_) {
    commit_now();
  }
  return ticket;
}

void CommitQueue::run() {
  for (;;) {
    Group group;
    {
      std::unique_lock lock(mutex_);
      working_ = false;
      if (queue_.empty()) idle_.notify_all();
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      working_ = true;
      group = take_group(limits_.writes_per_commit);
    }
    process(group);
  }
}

CommitQueue::Group CommitQueue::take_group(std::size_t usual) {
  Group group;
  std::size_t bytes = 0;
  // A lock that outlasts the busy time-out is waited for once by all that gathered, not once by each group.
  const std::size_t most = locked_out_ ? limits_.writes : usual;
  const std::size_t most_bytes = locked_out_ ? limits_.bytes : limits_.bytes_per_commit;
  group.reserve(std::min(most, queue_.size()));
  while (!queue_.empty() && group.size() < most) {
    bytes += queue_.front().bytes;
    if (!group.empty() && bytes > most_bytes) break;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

void CommitQueue::process(Group& group) {
  const MonotonicTime start = clock_.now();
  if (!commit_together(group)) commit_apart(group);
  commits_counter_.add();
  commit_time_counter_.add(
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(clock_.now() - start).count()));
  note_health(group);
  settle(group);
}

Result<void> CommitQueue::begin() {
  const Result<std::uint64_t> begun = db_.exec("BEGIN IMMEDIATE");
  locked_out_ = !begun;
  if (!begun) return std::unexpected(begun.error());
  return {};
}

void CommitQueue::roll_back() {
  if (db_.in_transaction()) static_cast<void>(db_.exec("ROLLBACK"));
}

Result<bool> CommitQueue::run_one(Operation& operation) {
  if (operation.refused) return std::unexpected(*operation.refused);
  try {
    return operation.work(db_);
  } catch (const std::exception& fault) {
    // Memory ran out, most likely; the writer must outlive it.
    events_.record(LogLevel::error, "storage_write_threw", {{"what", fault.what()}});
    return std::unexpected(StorageError::unavailable);
  }
}

void CommitQueue::fail_rest(Group& group, StorageError error) {
  for (Operation& operation : group) {
    if (operation.failed) continue;
    operation.failed = true;
    operation.outcome = std::unexpected(error);
  }
}

// True if the group is dealt with; false if it was rolled back and is to be tried write by write.
bool CommitQueue::commit_together(Group& group) {
  if (const Result<void> begun = begin(); !begun) {
    fail_rest(group, begun.error());
    return true;
  }
  for (Operation& operation : group) {
    operation.outcome = run_one(operation);
    if (!operation.outcome) {
      roll_back();
      return false;
    }
  }
  if (!db_.exec("COMMIT")) {
    roll_back();
    return false;
  }
  return true;
}

void CommitQueue::commit_apart(Group& group) {
  for (std::size_t culprits = 0;;) {
    if (const Result<void> begun = begin(); !begun) return fail_rest(group, begun.error());
    std::optional<StorageError> lost;  // SQLite has dropped the transaction, with all writes before
    for (Operation& operation : group) {
      if (operation.failed) continue;
      const bool saved = db_.exec("SAVEPOINT one").has_value();
      operation.outcome = saved ? run_one(operation) : Result<bool>(std::unexpected(db_.error()));
      if (operation.outcome && !db_.exec("RELEASE one")) operation.outcome = std::unexpected(db_.error());
      if (operation.outcome) continue;
      operation.failed = true;
      if (db_.in_transaction() && saved && db_.exec("ROLLBACK TO one") && db_.exec("RELEASE one")) continue;
      lost = operation.outcome.error();
      break;
    }
    if (!lost) {
      if (db_.exec("COMMIT")) return;
      const StorageError error = db_.error();
      roll_back();
      return fail_rest(group, error);
    }
    roll_back();
    if (++culprits == most_culprits) return fail_rest(group, *lost);
  }
}

void CommitQueue::note_health(const Group& group) {
  const auto failed = static_cast<std::uint64_t>(std::ranges::count(group, true, &Operation::failed));
  if (failed > 0) failed_counter_.add(failed);
  if (failed > 0 && !failing_) {
    failing_ = true;
    events_.record(LogLevel::error, "storage_writes_fail",
                   {{"writes", std::to_string(failed)}, {"why", db_.error_words()}});
  } else if (failed == 0 && failing_) {
    failing_ = false;
    events_.record(LogLevel::info, "storage_writes_succeed_again");
  }
}

void CommitQueue::settle(Group& group) {
  for (const Operation& operation : group) {
    if (operation.failed) record_.fail(operation.ticket);
  }
  Ticket decided;
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    for (const Operation& operation : group) waiting_bytes_ -= operation.bytes;
    waiting_writes_ -= group.size();
    waiting_gauge_.set(static_cast<std::int64_t>(waiting_writes_));
    decided = Ticket{queue_.empty() ? last_ : queue_.front().ticket.number - 1};
    news = record_.decide(decided);
  }
  if (news) {
    on_progress_(decided);
    tell_all();
  }
  for (Operation& operation : group) {
    if (operation.answer) operation.answer(operation.outcome);
  }
}

void CommitQueue::listen(Executor& shard, std::function<void()> tell) {
  auto listener = std::make_shared<Listener>();
  listener->shard = &shard;
  listener->tell = std::move(tell);
  const std::lock_guard lock(listeners_mutex_);
  listeners_.push_back(std::move(listener));
}

void CommitQueue::forget(const Executor& shard) {
  const std::lock_guard lock(listeners_mutex_);
  std::erase_if(listeners_, [&](const std::shared_ptr<Listener>& listener) {
    if (listener->shard != &shard) return false;
    listener->forgotten.store(true, std::memory_order_relaxed);
    return true;
  });
}

void CommitQueue::tell_all() {
  const std::lock_guard lock(listeners_mutex_);
  for (const std::shared_ptr<Listener>& listener : listeners_) {
    if (listener->posted.exchange(true, std::memory_order_acq_rel)) continue;
    listener->shard->post([listener] {
      // Cleared first: a commit from now on posts again, so that no step goes unseen.
      listener->posted.store(false, std::memory_order_release);
      if (!listener->forgotten.load(std::memory_order_relaxed)) listener->tell();
    });
  }
}

void CommitQueue::drain() {
  if (mode_ == Mode::immediate) {
    commit_now();
    return;
  }
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return queue_.empty() && !working_; });
}

void CommitQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  if (mode_ == Mode::immediate) {
    commit_now();
    return;
  }
  wake_.notify_one();
  thread_.join();
}

void CommitQueue::hold(bool held) {
  held_ = held;
  if (!held) commit_now();
}

void CommitQueue::commit_now() {
  while (commit_group(limits_.writes_per_commit)) {
  }
}

bool CommitQueue::commit_group(std::size_t most) {
  Group group;
  {
    const std::lock_guard lock(mutex_);
    // An answer that writes again is served by the loop that is already going.
    if (working_ || queue_.empty()) return false;
    working_ = true;
    group = take_group(most);
  }
  process(group);
  const std::lock_guard lock(mutex_);
  working_ = false;
  return true;
}

void CommitQueue::abandon() {
  std::deque<Operation> lost;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    lost.swap(queue_);
    waiting_writes_ = 0;
    waiting_bytes_ = 0;
  }
}

void CommitQueue::fail_next(std::size_t count, StorageError error) {
  const std::lock_guard lock(mutex_);
  refuse_count_ = count;
  refuse_error_ = error;
}

}  // namespace kith::storage::sqlite
