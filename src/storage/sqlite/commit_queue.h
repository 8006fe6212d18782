// The writer: takes the writes of all shards in order and commits them in groups. While one commit is on its way to the
// disk the next group gathers; nothing waits on purpose. Any thread may submit; a thread of its own does the work, or,
// in immediate mode (tests, simulation), the caller's thread does it inside submit().
//
// A group that fails is rolled back and done again with a savepoint around each write, so that one bad write does not
// take the others with it. What fails then is failed for good: its ticket is marked, its callback gets the error. The
// next group starts afresh, so that the queue heals by itself when the disk does.
//
// Limits: QueueLimits, in writes and in bytes, counting what is being committed. Beyond them a write fails at once
// (full).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/events.h"
#include "base/executor.h"
#include "storage/commit_record.h"
#include "storage/sqlite/db.h"

namespace kith::storage::sqlite {

struct QueueLimits {
  std::size_t writes = 100'000;
  std::size_t bytes = 64 * 1024 * 1024;
  std::size_t writes_per_commit = 256;
  std::size_t bytes_per_commit = 4 * 1024 * 1024;
};

class CommitQueue {
 public:
  /// What a write does. It may be run more than once (after a roll-back), so it must not use up what it holds.
  using Work = std::move_only_function<Result<bool>(Db&)>;
  /// Gets what the work gave, after the commit, or the error. Called on the writer's thread: it posts.
  using Answer = std::move_only_function<void(Result<bool>)>;
  enum class Mode { thread, immediate };

  /// `db` is used by the writer alone from now on, except between commits in immediate mode. `on_progress` is called
  /// after each step of decided(), on the writer's thread (seldom on a submitter's), before the listeners.
  CommitQueue(Db& db, Mode mode, const QueueLimits& limits, Events& events, const Clock& clock,
              std::function<void(Ticket decided)> on_progress);
  /// Commits what is queued.
  ~CommitQueue();
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  /// `bytes` is about what the write holds. Any thread. `answer` may be empty.
  Ticket submit(std::size_t bytes, Work work, Answer answer = {});
  const CommitLog& log() const { return record_; }

  /// Posts `tell` to `shard` when decided() has grown; once for many steps if the shard is slow. Any thread.
  void listen(Executor& shard, std::function<void()> tell);
  /// Forgets the listeners of `shard`. On the shard's thread (or when it runs no more): none is called afterwards.
  void forget(const Executor& shard);

  /// Returns when everything submitted before is decided and its answers are posted.
  void drain();
  /// Commits what is queued; what is submitted afterwards fails. Idempotent.
  void stop();

  // For tests and the simulation.
  /// While held, writes gather (immediate mode).
  void hold(bool held);
  /// Commits what gathered, in immediate mode.
  void commit_now();
  /// Commits the first of what gathered, at most `most` writes, as one group. False if nothing waits.
  bool commit_group(std::size_t most);
  /// Drops what gathered, as a crash does: it is not written and nobody is told. What comes afterwards fails.
  void abandon();
  /// How many writes have gathered.
  std::size_t gathered() const { return queue_.size(); }
  /// The next `count` writes that are submitted fail with `error`.
  void fail_next(std::size_t count, StorageError error);

 private:
  struct Operation {
    Ticket ticket;
    std::size_t bytes = 0;
    Work work;
    Answer answer;
    std::optional<StorageError> refused{};  ///< by fail_next
    Result<bool> outcome{false};
    bool failed = false;
  };
  using Group = std::vector<Operation>;
  struct Listener {
    Executor* shard = nullptr;
    std::function<void()> tell;
    std::atomic<bool> posted{false};
    std::atomic<bool> forgotten{false};
  };

  void run();
  Group take_group(std::size_t usual);
  void process(Group& group);
  bool commit_together(Group& group);
  void commit_apart(Group& group);
  Result<bool> run_one(Operation& operation);
  Result<void> begin();
  void roll_back();
  static void fail_rest(Group& group, StorageError error);
  void settle(Group& group);
  void note_health(const Group& group);
  void tell_all();

  Db& db_;
  const Mode mode_;
  const QueueLimits limits_;
  Events& events_;
  const Clock& clock_;
  std::function<void(Ticket)> on_progress_;
  Counter& writes_counter_;
  Counter& failed_counter_;
  Counter& commits_counter_;
  Counter& commit_time_counter_;
  Gauge& waiting_gauge_;
  CommitRecord record_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<Operation> queue_;
  std::uint64_t last_ = 0;          // the last ticket given out
  std::size_t waiting_writes_ = 0;  // queued or being committed
  std::size_t waiting_bytes_ = 0;
  bool working_ = false;
  bool held_ = false;
  bool stopping_ = false;
  std::size_t refuse_count_ = 0;
  StorageError refuse_error_ = StorageError::unavailable;

  // The writer's own.
  bool locked_out_ = false;  // the last BEGIN failed
  bool failing_ = false;

  std::mutex listeners_mutex_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::thread thread_;
};

}  // namespace kith::storage::sqlite
