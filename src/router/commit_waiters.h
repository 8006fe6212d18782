// What waits on one shard for writes to be decided. One per shard, on its thread.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "storage/storage.h"

namespace kith::router {

class CommitWaiters {
 public:
  using Then = std::move_only_function<void(bool committed)>;
  explicit CommitWaiters(const storage::CommitLog& log) : log_(log) {}

  const storage::CommitLog& log() const { return log_; }
  bool decided(storage::Ticket ticket) const { return ticket <= log_.decided(); }

  /// Calls `then` when `ticket` is decided; at once if it is already.
  void when_decided(storage::Ticket ticket, Then then) {
    if (decided(ticket)) {
      then(!log_.failed(ticket));
    } else {
      waiting_.emplace(ticket, std::move(then));
    }
  }

  /// To be called after the commit log has advanced.
  void advance() {
    const storage::Ticket decided = log_.decided();
    while (!waiting_.empty() && waiting_.begin()->first <= decided) {
      auto node = waiting_.extract(waiting_.begin());
      node.mapped()(!log_.failed(node.key()));
    }
  }

 private:
  const storage::CommitLog& log_;
  std::multimap<storage::Ticket, Then> waiting_;
};

}  // namespace kith::router
