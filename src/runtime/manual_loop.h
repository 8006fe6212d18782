// A run loop for tests and the simulation: an executor, a clock that stands still, and a timer wheel, all turned by
// hand on one thread. The same posts and time-outs run in the same order every time.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/executor.h"
#include "base/timer_wheel.h"

namespace kith::runtime {

class ManualLoop final : public Executor {
 public:
  ManualLoop() = default;
  explicit ManualLoop(WallTime start) : clock_(start) {}
  /// Tasks that wait are dropped unrun; ending one may post again.
  ~ManualLoop() override { drop_tasks(); }
  ManualLoop(const ManualLoop&) = delete;
  ManualLoop& operator=(const ManualLoop&) = delete;

  /// Any thread, as with every executor (a test's database thread may post); nobody is woken, the test goes on running.
  void post(Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }

  /// Drops what waits unrun, and what that posts: before what the tasks refer to is taken down.
  void drop_tasks() {
    while (!tasks_.empty()) const std::deque<Task> dropped = std::exchange(tasks_, {});
  }

  ManualClock& clock() { return clock_; }
  TimerWheel& timers() { return timers_; }

  /// Runs one task; false if none waits.
  bool run_one() {
    Task task;
    {
      const std::lock_guard lock(mutex_);
      if (tasks_.empty()) return false;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
    return true;
  }

  /// Runs tasks, and those that they post, until none is left. Time stands still. The number of tasks run.
  std::size_t run_until_idle() {
    std::size_t ran = 0;
    while (run_one()) ++ran;
    return ran;
  }

  /// Lets `by` go by: every time-out that is due on the way fires at its time, and what it posts runs before the next.
  void advance(Duration by) {
    const MonotonicTime end = clock_.now() + by;
    run_until_idle();
    while (!timers_.empty() && timers_.next_due() <= end) {
      const MonotonicTime due = timers_.next_due();
      if (due > clock_.now()) clock_.advance(due - clock_.now());
      timers_.advance(clock_.now());
      run_until_idle();
      // next_due() may be early: without this step, a wheel that says "now" for a moment that fires nothing would hold
      // time.
      if (!timers_.empty() && timers_.next_due() <= clock_.now()) {
        if (clock_.now() + TimerWheel::tick > end) break;
        clock_.advance(TimerWheel::tick);
        timers_.advance(clock_.now());
        run_until_idle();
      }
    }
    if (end > clock_.now()) clock_.advance(end - clock_.now());
    timers_.advance(clock_.now());
    run_until_idle();
  }

 private:
  ManualClock clock_;
  TimerWheel timers_{clock_.now()};
  std::mutex mutex_;
  std::deque<Task> tasks_;
};

}  // namespace kith::runtime
