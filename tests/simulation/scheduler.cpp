#include "scheduler.h"

#include <algorithm>
#include <utility>

namespace kith::simulation {

bool Scheduler::step(MonotonicTime end) {
  MonotonicTime first = never;
  ready_.clear();
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const MonotonicTime at = std::max(sources_[i]->ready_at(), now());
    if (at > first) continue;
    if (at < first) ready_.clear();
    first = at;
    ready_.push_back(i);
  }
  if (first > end) {
    if (end > now()) clock_.advance(end - now());
    return false;
  }
  if (first > now()) clock_.advance(first - now());
  const std::size_t chosen = ready_[dice_.below(ready_.size())];
  ++steps_;
  fingerprint_ =
      (fingerprint_ ^ (chosen + static_cast<std::uint64_t>(now().time_since_epoch().count()))) * 0x100000001b3U;
  sources_[chosen]->act();
  return true;
}

Loop::Loop(Scheduler& scheduler, const Pace& pace) : scheduler_(scheduler), pace_(pace), timers_(scheduler.now()) {
  scheduler_.add(*this);
}

Loop::~Loop() {
  scheduler_.remove(*this);
  drop_tasks();
}

void Loop::post(Task task) {
  if (tasks_.empty()) task_at_ = scheduler_.now() + pace_.next(scheduler_.dice());
  tasks_.push_back(std::move(task));
}

void Loop::drop_tasks() {
  while (!tasks_.empty()) const std::deque<Task> dropped = std::exchange(tasks_, {});
}

MonotonicTime Loop::ready_at() {
  MonotonicTime at = tasks_.empty() ? never : task_at_;
  if (!timers_.empty()) at = std::min(at, std::max(timers_.next_due(), timers_not_before_));
  return at;
}

void Loop::act() {
  const MonotonicTime now = scheduler_.now();
  // As a shard does it: time-outs, then what was posted.
  timers_.advance(now);
  // next_due() may be early: without this, a wheel that says "now" and fires nothing would hold time.
  if (!timers_.empty() && timers_.next_due() <= now) timers_not_before_ = now + TimerWheel::tick;
  if (tasks_.empty() || task_at_ > now) return;
  Task task = std::move(tasks_.front());
  tasks_.pop_front();
  task_at_ = now + pace_.next(scheduler_.dice());
  task();
}

}  // namespace kith::simulation
