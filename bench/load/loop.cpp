#include "loop.h"

#include <array>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

#include "failure.h"

namespace kith::bench {

namespace {

constexpr int events_a_turn = 256;
constexpr int longest_wait_ms = 20;  // how late a limit may be noticed

}  // namespace

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw StepFailed("starting", "the kernel gives no epoll descriptor");
}

Loop::~Loop() { ::close(epoll_); }

void Loop::add(int descriptor, std::uint32_t events, Source& source) {
  epoll_event event{.events = events, .data = {.ptr = &source}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) fail("the kernel refuses another descriptor in epoll");
}

void Loop::change(int descriptor, std::uint32_t events, Source& source) {
  epoll_event event{.events = events, .data = {.ptr = &source}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event);
}

void Loop::fail(std::string why) {
  if (failure_.empty()) failure_ = std::move(why);
}

void Loop::throw_if_failed(std::string_view step) const {
  if (!failure_.empty()) throw StepFailed(step, failure_);
}

void Loop::turn(int wait_ms) {
  std::array<epoll_event, events_a_turn> events;
  const int count = epoll_wait(epoll_, events.data(), events_a_turn, wait_ms);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Source*>(event.data.ptr)->on_ready(event.events);
  }
  while (!deferred_.empty()) {
    for (const auto& task : std::exchange(deferred_, {})) task();
  }
}

void Loop::run_until(const std::function<bool()>& done, Seconds limit, std::string_view step) {
  const auto end = SteadyClock::now() + limit;
  throw_if_failed(step);
  while (!done()) {
    turn(longest_wait_ms);
    throw_if_failed(step);
    if (SteadyClock::now() > end && !done())
      throw StepFailed(step, "it was not done after " + std::to_string(static_cast<int>(limit.count())) + " s");
  }
}

void Loop::run_for(Seconds time, std::string_view step) {
  const auto end = SteadyClock::now() + time;
  run_until([&] { return SteadyClock::now() >= end; }, time + Seconds(60), step);
}

}  // namespace kith::bench
