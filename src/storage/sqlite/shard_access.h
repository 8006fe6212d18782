// How the stores of one shard reach the database: writes through the commit queue, reads through the readers, answers
// as tasks of the shard. Remembers the last ticket that this shard's stores were given, since their reads must see it.
// On the shard's thread only.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "base/events.h"
#include "base/executor.h"
#include "storage/sqlite/commit_queue.h"
#include "storage/sqlite/db.h"
#include "storage/sqlite/read_pool.h"

namespace kith::storage::sqlite {

class ShardAccess {
 public:
  ShardAccess(Executor& shard, CommitQueue& writes, ReadPool& reads, Events& events)
      : shard_(shard), writes_(writes), reads_(reads), events_(events) {}

  Ticket write(std::size_t bytes, CommitQueue::Work work) {
    last_ = writes_.submit(bytes + overhead_bytes, std::move(work));
    return last_;
  }
  void write(std::size_t bytes, CommitQueue::Work work, Callback<bool> then) {
    last_ = writes_.submit(bytes + overhead_bytes, std::move(work),
                           [&shard = shard_, then = std::move(then)](Result<bool> outcome) mutable {
                             shard.post([then = std::move(then), outcome]() mutable { then(outcome); });
                           });
  }
  template <class T>
  void read(std::move_only_function<Result<T>(Db&)> work, Callback<T> then) {
    reads_.submit(last_, [&shard = shard_, &events = events_, work = std::move(work),
                          then = std::move(then)](Db* db) mutable {
      Result<T> outcome = db == nullptr ? Result<T>(std::unexpected(StorageError::unavailable)) : work(*db);
      if (!outcome)
        events.record(LogLevel::error, "storage_read_failed", {{"why", db == nullptr ? "refused" : db->error_words()}});
      shard.post([then = std::move(then), outcome = std::move(outcome)]() mutable { then(std::move(outcome)); });
    });
  }
  Events& events() { return events_; }

 private:
  // What a queued write takes beside its texts.
  static constexpr std::size_t overhead_bytes = 256;
  Executor& shard_;
  CommitQueue& writes_;
  ReadPool& reads_;
  Events& events_;
  Ticket last_;
};

}  // namespace kith::storage::sqlite
