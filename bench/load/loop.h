// The generator's event loop: epoll on one thread, bounded in time. Every wait for something has a step's name and a
// limit, and ends by StepFailed when the limit has passed or something has failed meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::bench {

using SteadyClock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

class Loop {
 public:
  /// What has a descriptor in the loop.
  class Source {
   public:
    virtual ~Source() = default;
    virtual void on_ready(std::uint32_t events) = 0;
  };

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void add(int descriptor, std::uint32_t events, Source& source);
  void change(int descriptor, std::uint32_t events, Source& source);

  /// Runs something once all sources of this turn have been called: the place to destroy a source.
  void defer(std::function<void()> task) { deferred_.push_back(std::move(task)); }
  /// Ends the step that runs. The first reason is the one that is told; later ones are mostly its consequences.
  void fail(std::string why);

  void run_until(const std::function<bool()>& done, Seconds limit, std::string_view step);
  void run_for(Seconds time, std::string_view step);

 private:
  void turn(int wait_ms);
  void throw_if_failed(std::string_view step) const;

  int epoll_;
  std::vector<std::function<void()>> deferred_;
  std::string failure_;
};

}  // namespace kith::bench
