// Time and chance of a simulated world. Everything that can do something on its own is a source: a shard's loop, the
// disk, a link, a person. The scheduler turns the clock to the moment at which the first of them can act, and of those
// that can act then lets one that the dice choose do one thing. One thread; the same seed gives the same run.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/timer_wheel.h"
#include "dice.h"

namespace kith::simulation {

inline constexpr MonotonicTime never = MonotonicTime::max();

class Source {
 public:
  virtual ~Source() = default;
  /// When it can act next, as far as it knows; `never` if it waits for others.
  virtual MonotonicTime ready_at() = 0;
  /// Does one thing. May add and remove sources, itself too.
  virtual void act() = 0;
};

class Scheduler {
 public:
  explicit Scheduler(std::uint64_t seed) : dice_(seed) {}

  ManualClock& clock() { return clock_; }
  MonotonicTime now() const { return clock_.now(); }
  Dice& dice() { return dice_; }

  void add(Source& source) { sources_.push_back(&source); }
  void remove(const Source& source) { std::erase(sources_, &source); }

  /// Lets one source act. False if none can before `end`; the clock stands at `end` then.
  bool step(MonotonicTime end);
  std::uint64_t steps() const { return steps_; }
  /// A number that two runs share only if they went the same way.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  ManualClock clock_;
  Dice dice_;
  std::vector<Source*> sources_;
  std::vector<std::size_t> ready_;
  std::uint64_t steps_ = 0;
  std::uint64_t fingerprint_ = 0xcbf29ce484222325U;
};

/// How fast a loop or a worker gets to its next task.
struct Pace {
  Duration usual = std::chrono::microseconds(200);
  Duration seldom = std::chrono::milliseconds(20);
  std::size_t seldom_per_thousand = 10;
  Duration next(Dice& dice) const {
    return dice.between(Duration(1000), dice.chance(seldom_per_thousand) ? seldom : usual);
  }
};

/// A loop with its tasks in order and its timers: a shard's, or a worker's. Outlives what posts to it.
class Loop final : public Executor, public Source {
 public:
  Loop(Scheduler& scheduler, const Pace& pace);
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void post(Task task) override;
  TimerWheel& timers() { return timers_; }
  /// Before something from outside schedules a time-out, which counts from the wheel's last turn.
  void turn_wheel() { timers_.advance(scheduler_.now()); }
  std::size_t waiting() const { return tasks_.size(); }
  /// Drops what waits unrun, and what that posts.
  void drop_tasks();

  MonotonicTime ready_at() override;
  void act() override;

 private:
  Scheduler& scheduler_;
  Pace pace_;
  TimerWheel timers_;
  std::deque<Task> tasks_;
  MonotonicTime task_at_ = never;
  MonotonicTime timers_not_before_{};
};

}  // namespace kith::simulation
