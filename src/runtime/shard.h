// A shard: one thread, one event loop, one timer wheel, one buffer pool. Everything with an address lives on one shard,
// so that nothing on it needs a lock. Knows no XMPP.
//
// A turn of the loop: wait for descriptors (or the next time-out) → time-outs → descriptors → posted tasks → asio's
// handlers, if anybody uses asio → turn end. The shard waits in its own epoll set; asio is a guest that is waited for
// only while it has work. So that it is not overlooked, work for io() begins on the shard's thread: post() first.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/timer_wheel.h"
#include "runtime/readiness.h"
#include "runtime/turn_clock.h"

namespace boost::asio {
class io_context;
}

namespace kith::runtime {

/// Buffers for reading, lent while a connection is being read and given back at once, so that idle connections hold
/// none.
class BufferPool {
 public:
  static constexpr std::size_t buffer_bytes = 32 * 1024;
  class Loan {
   public:
    explicit Loan(BufferPool& pool);
    ~Loan();
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    std::span<char> bytes() { return {memory_.get(), buffer_bytes}; }

   private:
    BufferPool& pool_;
    std::unique_ptr<char[]> memory_;
  };

 private:
  static constexpr std::size_t most_idle = 8;
  std::vector<std::unique_ptr<char[]>> idle_;
};

/// Something that has work at the end of a turn of the loop: a connection that gathered output.
class TurnEnd {
 public:
  virtual ~TurnEnd() = default;
  virtual void at_turn_end() = 0;

 private:
  friend class Shard;
  bool queued_ = false;
};

class Shard final : public Executor {
 public:
  Shard(unsigned index, const Clock& clock);
  ~Shard() override;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Runs the loop on the calling thread until stop(). An exception that escapes a task is given to `on_fault` and the
  /// loop goes on.
  void run(const std::function<void(const char* what)>& on_fault);
  /// Any thread. For good: a stopped shard does not run again, also if stop() came before run().
  void stop();
  void post(Task task) override;
  /// Drops what was posted and not run, and what dropping it posts. For a shard that has stopped: what waits may refer
  /// to objects that are taken down before the shard is.
  void drop_tasks();

  unsigned index() const { return index_; }
  /// asio's loop, for what needs asio. On the shard's thread only.
  boost::asio::io_context& io();
  Readiness& readiness() { return readiness_; }
  TimerWheel& timers() { return timers_; }
  BufferPool& buffers() { return buffers_; }
  /// The time of this turn.
  const Clock& clock() const { return turn_clock_; }
  /// Calls `work.at_turn_end()` once when this turn's ready handlers have run, however often it is asked for; `work`
  /// must live until then or be taken back.
  void call_at_turn_end(TurnEnd& work);
  void forget_at_turn_end(TurnEnd& work);

 private:
  struct Loop;
  using OnFault = std::function<void(const char* what)>;

  void wait(const OnFault& on_fault);
  int wait_ms() const;
  template <class Work>
  void guarded(const OnFault& on_fault, Work&& work);
  void advance_timers(const OnFault& on_fault);
  void run_tasks(const OnFault& on_fault);
  void run_guest(const OnFault& on_fault);
  void run_turn_end(const OnFault& on_fault);

  unsigned index_;
  const Clock& clock_;
  TurnClock turn_clock_;
  Readiness readiness_;
  TimerWheel timers_;
  BufferPool buffers_;
  std::vector<TurnEnd*> turn_end_;
  std::vector<TurnEnd*> turn_end_now_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace kith::runtime
