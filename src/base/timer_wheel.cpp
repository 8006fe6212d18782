#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace kith {
namespace {

constexpr std::uint64_t slot_bits = 6;
constexpr std::uint64_t slot_mask = 63;
constexpr std::uint64_t whole_turn = std::uint64_t{1} << (4 * slot_bits);
/// Longer than any process runs, and short enough that no sum of times overflows.
constexpr Duration longest = std::chrono::years(50);

std::uint64_t ticks_down(Duration d) { return static_cast<std::uint64_t>(d / TimerWheel::tick); }
std::uint64_t ticks_up(Duration d) {
  return static_cast<std::uint64_t>((d + TimerWheel::tick - Duration(1)) / TimerWheel::tick);
}

}  // namespace

Timer::~Timer() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  cancel();
}

void Timer::cancel() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

TimerWheel::TimerWheel(MonotonicTime start) : start_(start), now_(start) {}

TimerWheel::~TimerWheel() {
  for (Timer*& head : wheel_) {
    while (head != nullptr) unlink(*head);
  }
}

void TimerWheel::schedule(Timer& timer, Duration after) {
  timer.cancel();
  const Duration wait = std::clamp(after, Duration::zero(), longest);
  // At least the next tick: an action that schedules its own timer with no wait must not keep advance() from ending.
  timer.due_tick_ = std::max(ticks_up(now_ - start_ + wait), ticks_down(now_ - start_) + 1);
  insert(timer);
}

void TimerWheel::insert(Timer& timer) {
  const std::uint64_t wait = timer.due_tick_ - now_tick_;
  // What lies beyond the last level waits in its farthest slot, and is sorted in again when that comes round.
  const std::uint64_t due = wait < whole_turn ? timer.due_tick_ : now_tick_ + whole_turn - 1;
  unsigned level = 0;
  while (level + 1 < levels && (due - now_tick_) >> ((level + 1) * slot_bits) != 0) ++level;
  const std::uint64_t index = due >> (level * slot_bits) & slot_mask;

  timer.slot_ = static_cast<std::uint16_t>(level * slots + index);
  timer.wheel_ = this;
  Timer*& head = wheel_[timer.slot_];
  if (head == nullptr) {
    head = timer.next_ = timer.previous_ = &timer;
    occupied_[level] |= std::uint64_t{1} << index;
  } else {
    timer.next_ = head;
    timer.previous_ = head->previous_;
    head->previous_->next_ = &timer;
    head->previous_ = &timer;
  }
  ++count_;
}

void TimerWheel::unlink(Timer& timer) {
  Timer*& head = wheel_[timer.slot_];
  if (timer.next_ == &timer) {
    head = nullptr;
    occupied_[timer.slot_ / slots] &= ~(std::uint64_t{1} << (timer.slot_ % slots));
  } else {
    timer.next_->previous_ = timer.previous_;
    timer.previous_->next_ = timer.next_;
    if (head == &timer) head = timer.next_;
  }
  timer.next_ = timer.previous_ = nullptr;
  timer.wheel_ = nullptr;
  --count_;
}

void TimerWheel::cascade(unsigned level) {
  Timer*& head = wheel_[level * slots + (now_tick_ >> (level * slot_bits) & slot_mask)];
  // None lands in this slot again: what is due within its span goes to a lower level, and what was clamped to the
  // farthest slot of the last level goes to the one before this, a whole turn ahead.
  while (head != nullptr) {
    Timer& timer = *head;
    unlink(timer);
    insert(timer);
  }
}

void TimerWheel::fire(Timer& timer) {
  unlink(timer);
  bool destroyed = false;
  timer.destroyed_ = &destroyed;
  // The action is held here while it runs, because it may destroy the timer or give it another action.
  Timer::Action action = std::move(timer.action_);
  timer.action_ = nullptr;
  try {
    if (action) action();
  } catch (...) {
    // The loop catches it; the timer must not keep the address of this frame.
    if (!destroyed) {
      timer.destroyed_ = nullptr;
      if (!timer.action_) timer.action_ = std::move(action);
    }
    throw;
  }
  if (destroyed) return;
  timer.destroyed_ = nullptr;
  if (!timer.action_) timer.action_ = std::move(action);
}

void TimerWheel::advance(MonotonicTime now) {
  now_ = std::max(now_, now);
  const std::uint64_t target = ticks_down(now_ - start_);
  // What an action that threw kept from firing.
  while (Timer* left = wheel_[now_tick_ & slot_mask]) fire(*left);
  while (now_tick_ < target) {
    // OPTIMIZATION: go straight to the next tick that has something to fire or to sort in.
    now_tick_ = std::min(soonest_tick(), target);
    unsigned level = 0;
    while (level + 1 < levels && (now_tick_ & ((std::uint64_t{1} << ((level + 1) * slot_bits)) - 1)) == 0) ++level;
    for (; level > 0; --level) cascade(level);

    Timer*& head = wheel_[now_tick_ & slot_mask];
    while (head != nullptr) fire(*head);
  }
}

std::uint64_t TimerWheel::soonest_tick() const {
  std::uint64_t soonest = ~std::uint64_t{0};
  for (unsigned level = 0; level < levels; ++level) {
    if (occupied_[level] == 0) continue;
    const std::uint64_t here = now_tick_ >> (level * slot_bits);
    // The slots after this one, in the order in which they come round.
    const std::uint64_t turned = std::rotr(occupied_[level], static_cast<int>((here + 1) & slot_mask));
    const std::uint64_t step = 1 + static_cast<std::uint64_t>(std::countr_zero(turned));
    soonest = std::min(soonest, (here + step) << (level * slot_bits));
  }
  return soonest;
}

MonotonicTime TimerWheel::next_due() const {
  if (count_ == 0) return MonotonicTime::max();
  return start_ + tick * static_cast<std::int64_t>(soonest_tick());
}

}  // namespace kith
