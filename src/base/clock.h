// Time as the house sees it: a monotonic clock for time-outs and order, a wall clock for what people read.
// Nothing but this room asks the system for the time, so that tests and the simulation can turn it themselves.
#pragma once

#include <chrono>

namespace kith {

using Duration = std::chrono::nanoseconds;
/// Nanoseconds since an arbitrary start; never jumps.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// UTC, to the microsecond; may jump when somebody sets the clock.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime now() const = 0;
  virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  MonotonicTime now() const override;
  WallTime wall() const override;
};

/// A clock that stands still until it is told to go on. For tests and the simulation; one thread only.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}) : wall_(start) {}
  MonotonicTime now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void advance(Duration by) {
    now_ += by;
    wall_ += std::chrono::duration_cast<std::chrono::microseconds>(by);
  }
  /// Moves the wall clock alone, as an administrator or NTP may.
  void jump_wall(std::chrono::microseconds by) { wall_ += by; }

 private:
  MonotonicTime now_{};
  WallTime wall_;
};

}  // namespace kith
