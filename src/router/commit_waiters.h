// What waits on one shard for writes to be decided. One per shard, on its thread.
//
// The commit log runs ahead: it is another thread's. For a shard a write is decided when those who wait for it are
// being told, in the order of the writes. Otherwise what comes between the commit and the telling would overtake what
// waits for it, and the answer that says "all that went before is kept or has come back" would go before what comes
// back.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "storage/storage.h"

namespace kith::router {

class CommitWaiters {
 public:
  using Then = std::move_only_function<void(bool committed)>;
  explicit CommitWaiters(const storage::CommitLog& log) : log_(log), told_(log.decided()) {}

  const storage::CommitLog& log() const { return log_; }
  bool decided(storage::Ticket ticket) const { return ticket <= told_; }

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
      told_ = storage::later(told_, node.key());
      node.mapped()(!log_.failed(node.key()));
    }
    told_ = storage::later(told_, decided);
  }

 private:
  const storage::CommitLog& log_;
  storage::Ticket told_;  ///< those who waited for it and for all before it have been told, or are being told
  std::multimap<storage::Ticket, Then> waiting_;
};

}  // namespace kith::router
