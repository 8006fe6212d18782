// The time of a turn of a shard's loop. OPTIMIZATION: a stanza asks for the time several times; within one turn the
// answer may be the same: most take far less than a millisecond, and one with the largest stanzas some. On the shard's
// thread; before that runs, on the thread that made it.
#pragma once

#include "base/clock.h"

namespace kith::runtime {

class TurnClock final : public Clock {
 public:
  explicit TurnClock(const Clock& clock) : clock_(clock), now_(clock.now()) {}
  /// When the turn began, once its descriptors had been waited for.
  MonotonicTime now() const override { return now_; }
  WallTime wall() const override { return clock_.wall(); }
  /// A turn begins.
  MonotonicTime begin_turn() { return now_ = clock_.now(); }

 private:
  const Clock& clock_;
  MonotonicTime now_;
};

}  // namespace kith::runtime
