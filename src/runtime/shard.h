// A shard: one thread, one event loop, one timer wheel, one buffer pool. Everything with an address lives on one shard, so
// that nothing on it needs a lock. Knows no XMPP.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/timer_wheel.h"

namespace boost::asio {
class io_context;
}

namespace kith::runtime {

/// Buffers for reading, lent while a connection is being read and given back at once, so that idle connections hold none.
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
  std::vector<std::unique_ptr<char[]>> idle_;
};

/// Something that has work at the end of a turn of the loop: a connection that gathered output.
class TurnEnd {
 public:
  virtual ~TurnEnd() = default;
  virtual void at_turn_end() = 0;
};

class Shard final : public Executor {
 public:
  Shard(unsigned index, const Clock& clock);
  ~Shard() override;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Runs the loop on the calling thread until stop(). An exception that escapes a task is given to `on_fault` and the loop
  /// goes on.
  void run(const std::function<void(const char* what)>& on_fault);
  /// Any thread.
  void stop();
  void post(Task task) override;

  unsigned index() const { return index_; }
  boost::asio::io_context& io() { return *io_; }
  TimerWheel& timers() { return timers_; }
  BufferPool& buffers() { return buffers_; }
  const Clock& clock() const { return clock_; }
  /// Calls `work.at_turn_end()` once when this turn's ready handlers have run; `work` must live until then or be taken back.
  void call_at_turn_end(TurnEnd& work);
  void forget_at_turn_end(TurnEnd& work);

 private:
  unsigned index_;
  const Clock& clock_;
  std::unique_ptr<boost::asio::io_context> io_;
  TimerWheel timers_;
  BufferPool buffers_;
  std::vector<TurnEnd*> turn_end_;
  struct Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace kith::runtime
