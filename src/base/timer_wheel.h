// Time-outs, thousands of them, at no cost while they wait: a hierarchical timing wheel with ticks of 100 ms.
// One per shard, used on its thread only. The shard (or a test) turns it by advance().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/clock.h"

namespace kith {

class TimerWheel;

/// One time-out. Lives inside what it watches; cancels itself when it goes. Not movable: the wheel holds its address.
class Timer {
 public:
  using Action = std::move_only_function<void()>;
  Timer() = default;
  explicit Timer(Action action) : action_(std::move(action)) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set_action(Action action) { action_ = std::move(action); }
  bool waiting() const { return wheel_ != nullptr; }
  void cancel();

 private:
  friend class TimerWheel;
  Action action_;
  TimerWheel* wheel_ = nullptr;
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  std::uint64_t due_tick_ = 0;
  bool* destroyed_ = nullptr;  ///< set while the action runs
  std::uint16_t slot_ = 0;
};

class TimerWheel {
 public:
  static constexpr Duration tick = std::chrono::milliseconds(100);

  explicit TimerWheel(MonotonicTime start);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Fires `timer` once, not before `after` has gone by since the latest advance(), and in the first advance() that is
  /// told of a time at most one tick later. Replaces an earlier call.
  void schedule(Timer& timer, Duration after);
  /// Fires all that is due at `now`. Actions may schedule and cancel any timer, and destroy the one that fires.
  void advance(MonotonicTime now);
  bool empty() const { return count_ == 0; }
  /// When the next advance() could fire something; the end of time if nothing waits. May be early, never late.
  MonotonicTime next_due() const;

 private:
  friend class Timer;
  static constexpr unsigned levels = 4;
  static constexpr unsigned slots = 64;
  void insert(Timer& timer);
  void unlink(Timer& timer);
  /// Sorts the timers of the slot that `level` has reached into the levels below.
  void cascade(unsigned level);
  void fire(Timer& timer);
  /// The next tick at which a slot comes round that is not empty.
  std::uint64_t soonest_tick() const;

  MonotonicTime start_;
  MonotonicTime now_;
  std::uint64_t now_tick_ = 0;
  std::size_t count_ = 0;
  std::array<Timer*, std::size_t{levels} * slots> wheel_{};
  std::array<std::uint64_t, levels> occupied_{};  ///< a bit for each slot that is not empty
};

}  // namespace kith
