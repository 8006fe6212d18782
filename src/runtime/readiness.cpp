#include "runtime/readiness.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <unistd.h>

namespace kith::runtime {

Readiness::Readiness() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Readiness::~Readiness() { ::close(epoll_); }

bool Readiness::add(int descriptor, Watched& watched) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &watched;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void Readiness::remove(int descriptor, Watched& watched) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  for (std::size_t i = next_event_; i < fetched_; ++i) {
    if (events_[i].data.ptr == &watched) events_[i].data.ptr = nullptr;
  }
  if (watched.again_) {
    std::ranges::replace(again_, &watched, nullptr);
    std::ranges::replace(again_now_, &watched, nullptr);
    watched.again_ = false;
  }
}

void Readiness::again(Watched& watched) {
  if (watched.again_) return;
  watched.again_ = true;
  again_.push_back(&watched);
}

int Readiness::wait(int wait_ms) {
  const int got = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), wait_ms);
  fetched_ = got > 0 ? static_cast<std::size_t>(got) : 0;  // EINTR is a turn without events.
  next_event_ = 0;
  return static_cast<int>(fetched_);
}

void Readiness::dispatch(const std::function<void(Watched&, std::uint32_t)>& guard) {
  // Taken before the events: who asks again while being told an event waits for the next turn, so that all get theirs.
  again_now_.swap(again_);
  while (next_event_ < fetched_) {
    const epoll_event event = events_[next_event_++];
    if (event.data.ptr == nullptr) continue;
    Watched& watched = *static_cast<Watched*>(event.data.ptr);
    std::uint32_t happened = event.events;
    if (watched.again_) {
      // One call a turn, so that nobody gets two portions.
      const auto asked = std::ranges::find(again_now_, &watched);
      if (asked != again_now_.end()) {
        *asked = nullptr;
        watched.again_ = false;
        happened |= EPOLLIN;
      }
    }
    guard(watched, happened);
  }
  fetched_ = 0;
  for (std::size_t i = 0; i < again_now_.size(); ++i) {
    Watched* watched = again_now_[i];
    if (watched == nullptr) continue;
    watched->again_ = false;
    guard(*watched, EPOLLIN);
  }
  again_now_.clear();
}

}  // namespace kith::runtime
