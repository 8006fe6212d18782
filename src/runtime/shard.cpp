#include "runtime/shard.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <sys/eventfd.h>
#include <unistd.h>

namespace kith::runtime {

BufferPool::Loan::Loan(BufferPool& pool) : pool_(pool) {
  if (pool_.idle_.empty()) {
    memory_ = std::make_unique_for_overwrite<char[]>(buffer_bytes);
  } else {
    memory_ = std::move(pool_.idle_.back());
    pool_.idle_.pop_back();
  }
}

BufferPool::Loan::~Loan() {
  if (pool_.idle_.size() < most_idle) pool_.idle_.push_back(std::move(memory_));
}

namespace {

/// The descriptor that another thread writes to when the shard sleeps. Edge-triggered: each write is an event of its
/// own, so nobody needs to read it empty.
class WakeUp final : public Watched {
 public:
  WakeUp() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~WakeUp() override { ::close(descriptor_); }
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;
  void on_ready(std::uint32_t /*events*/) override {}
  int descriptor() const { return descriptor_; }
  void ring() const { eventfd_write(descriptor_, 1); }

 private:
  int descriptor_;
};

/// asio's loop, and what it needs to wait for the shard's descriptors beside its own.
struct Guest {
  boost::asio::io_context io{1};
  boost::asio::posix::stream_descriptor shard_ready{io};
  bool waiting = false;
};

}  // namespace

struct Shard::Loop {
  WakeUp wake_up;
  std::unique_ptr<Guest> guest;
  std::atomic<std::thread::id> runner;
  std::atomic<bool> stopped{false};
  std::vector<Task> own;      // posted by the shard's own thread: no lock
  std::vector<Task> running;  // the batch being run
  std::mutex mutex;
  std::vector<Task> foreign;  // posted by other threads
  bool sleeping = false;
};

Shard::Shard(unsigned index, const Clock& clock)
    : index_(index), clock_(clock), turn_clock_(clock), timers_(clock.now()), loop_(std::make_unique<Loop>()) {
  if (!readiness_.add(loop_->wake_up.descriptor(), loop_->wake_up)) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

Shard::~Shard() {
  // What waits may own connections, whose end needs the wheel and the epoll set: it goes while all of them stand.
  drop_tasks();
}

void Shard::drop_tasks() {
  // Ending what a task owns may post again.
  while (!loop_->own.empty() || !loop_->foreign.empty()) {
    std::vector<Task> own = std::exchange(loop_->own, {});
    const std::vector<Task> foreign = std::exchange(loop_->foreign, {});
  }
}

void Shard::post(Task task) {
  Loop& loop = *loop_;
  if (loop.runner.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
    loop.own.push_back(std::move(task));
    return;
  }
  bool ring = false;
  {
    const std::lock_guard lock(loop.mutex);
    loop.foreign.push_back(std::move(task));
    ring = std::exchange(loop.sleeping, false);
  }
  if (ring) loop.wake_up.ring();
}

void Shard::stop() {
  loop_->stopped.store(true, std::memory_order_relaxed);
  post([] {});  // a shard that sleeps must look
}

boost::asio::io_context& Shard::io() {
  if (!loop_->guest) {
    loop_->guest = std::make_unique<Guest>();
  }
  return loop_->guest->io;
}

void Shard::call_at_turn_end(TurnEnd& work) {
  if (work.queued_) return;
  work.queued_ = true;
  turn_end_.push_back(&work);
}

void Shard::forget_at_turn_end(TurnEnd& work) {
  if (!work.queued_) return;
  work.queued_ = false;
  std::ranges::replace(turn_end_, &work, nullptr);
  std::ranges::replace(turn_end_now_, &work, nullptr);
}

template <class Work>
void Shard::guarded(const OnFault& on_fault, Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const std::exception& fault) {
    on_fault(fault.what());
  } catch (...) {
    on_fault("an exception that is none of std's");
  }
}

void Shard::run(const OnFault& on_fault) {
  loop_->runner.store(std::this_thread::get_id(), std::memory_order_relaxed);
  const std::function<void(Watched&, std::uint32_t)> tell = [&](Watched& watched, std::uint32_t events) {
    guarded(on_fault, [&] { watched.on_ready(events); });
  };
  while (!loop_->stopped.load(std::memory_order_relaxed)) {
    wait(on_fault);
    // Also when nothing waits: what is scheduled in this turn counts from now.
    advance_timers(on_fault);
    readiness_.dispatch(tell);
    run_tasks(on_fault);
    run_guest(on_fault);
    run_turn_end(on_fault);
  }
  loop_->runner.store(std::thread::id{}, std::memory_order_relaxed);
}

int Shard::wait_ms() const {
  if (loop_->stopped.load(std::memory_order_relaxed) || !loop_->own.empty() || !turn_end_.empty() ||
      readiness_.pending()) {
    return 0;
  }
  if (timers_.empty()) return -1;
  const Duration left = timers_.next_due() - clock_.now();
  if (left <= Duration::zero()) return 0;
  const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(left);
  return static_cast<int>(std::min<std::chrono::milliseconds::rep>(rounded_up.count(), 60'000));
}

void Shard::wait(const OnFault& on_fault) {
  Loop& loop = *loop_;
  int milliseconds = wait_ms();
  if (milliseconds != 0) {
    const std::lock_guard lock(loop.mutex);
    if (loop.foreign.empty()) {
      loop.sleeping = true;
    } else {
      milliseconds = 0;
    }
  }
  if (milliseconds != 0 && loop.guest && !loop.guest->io.stopped()) {
    // The guest waits for both sets: ours is a descriptor in asio's.
    Guest& guest = *loop.guest;
    if (!guest.waiting) {
      if (!guest.shard_ready.is_open()) guest.shard_ready.assign(::dup(readiness_.descriptor()));
      guest.waiting = true;
      guest.shard_ready.async_wait(boost::asio::posix::descriptor_base::wait_read,
                                   [&guest](const boost::system::error_code&) { guest.waiting = false; });
    }
    const auto most = milliseconds < 0 ? std::chrono::milliseconds(60'000) : std::chrono::milliseconds(milliseconds);
    guarded(on_fault, [&] { guest.io.run_one_for(most); });
    milliseconds = 0;
  }
  readiness_.wait(milliseconds);
  // From here on nobody need ring; one who did meanwhile costs an empty turn.
  const std::lock_guard lock(loop.mutex);
  loop.sleeping = false;
}

void Shard::advance_timers(const OnFault& on_fault) {
  bool again = true;
  const OnFault note = [&](const char* what) {
    again = true;  // the others that are due
    on_fault(what);
  };
  while (std::exchange(again, false)) guarded(note, [&] { timers_.advance(turn_clock_.begin_turn()); });
}

void Shard::run_tasks(const OnFault& on_fault) {
  Loop& loop = *loop_;
  // One batch each: what these post runs in the next turn, after the descriptors had theirs. Foreign ones first: a
  // thread's posts before its run() are among them.
  for (std::vector<Task>* queue : {&loop.foreign, &loop.own}) {
    {
      const std::lock_guard lock(loop.mutex);
      loop.running.swap(*queue);
    }
    for (Task& task : loop.running) {
      guarded(on_fault, [&] {
        Task now = std::move(task);  // gone, with what it owns, as soon as it has run
        now();
      });
    }
    loop.running.clear();
  }
}

void Shard::run_guest(const OnFault& on_fault) {
  if (!loop_->guest) return;
  boost::asio::io_context& io = loop_->guest->io;
  bool again = true;
  const OnFault note = [&](const char* what) {
    again = true;
    on_fault(what);
  };
  while (std::exchange(again, false)) {
    guarded(note, [&] {
      // stopped() tells wait() that asio has nothing to wait for.
      if (io.stopped()) io.restart();
      io.poll();
    });
  }
}

void Shard::run_turn_end(const OnFault& on_fault) {
  turn_end_now_.swap(turn_end_);
  for (std::size_t i = 0; i < turn_end_now_.size(); ++i) {
    TurnEnd* work = turn_end_now_[i];
    if (work == nullptr) continue;
    work->queued_ = false;
    guarded(on_fault, [&] { work->at_turn_end(); });
  }
  turn_end_now_.clear();
}

}  // namespace kith::runtime
