// Which descriptors are ready: one epoll set per shard, edge-triggered, each descriptor registered once for its life.
// Beside asio, because asio's async_wait costs a system call for each wake-up and half a kilobyte for each idle
// descriptor. Used on the shard's thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <sys/epoll.h>

namespace kith::runtime {

class Readiness;

/// Something with a descriptor: a connection, a listener.
class Watched {
 public:
  virtual ~Watched() = default;
  /// `events` are epoll's (EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR). Edge-triggered: each change is told
  /// once, so read or write until the kernel has no more, or ask for again(). May destroy any Watched, this one too.
  virtual void on_ready(std::uint32_t events) = 0;

 private:
  friend class Readiness;
  bool again_ = false;
};

class Readiness {
 public:
  /// Throws std::system_error if the kernel gives no epoll set.
  Readiness();
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  /// Watches reading and writing; what is ready already is told in the next turn. False, with errno, if the kernel
  /// refuses.
  bool add(int descriptor, Watched& watched);
  /// After it no call comes, not even for an event that this turn had fetched already.
  void remove(int descriptor, Watched& watched);
  /// Calls `watched.on_ready(EPOLLIN)` in the next turn: for who stopped reading before the kernel had no more.
  void again(Watched& watched);

  // For the shard's loop.
  bool pending() const { return !again_.empty(); }
  int descriptor() const { return epoll_; }
  /// Fetches what is ready, waiting at most `wait_ms` (-1: until something is). The number of events fetched.
  int wait(int wait_ms);
  /// Tells everybody whose event was fetched, then those who asked for again(). `guard` runs each call and catches.
  void dispatch(const std::function<void(Watched&, std::uint32_t)>& guard);

 private:
  static constexpr std::size_t most_events = 256;

  int epoll_;
  std::array<epoll_event, most_events> events_{};
  std::size_t next_event_ = 0;
  std::size_t fetched_ = 0;
  std::vector<Watched*> again_;
  std::vector<Watched*> again_now_;
};

}  // namespace kith::runtime
