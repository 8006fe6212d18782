// The bounded box through which other shards hand values to one shard. Many writers, one reader; order is kept for each
// writer. A full box refuses, and the writer answers resource-constraint (type wait).
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <iterator>
#include <mutex>
#include <utility>

#include "base/executor.h"

namespace kith::runtime {

template <class T>
class Mailbox {
 public:
  /// `receive` is called on `owner`'s thread for each item in order; if it throws, the loop is told and the rest comes
  /// in the next turn. The mailbox must live as long as `owner` runs.
  Mailbox(Executor& owner, std::size_t most, std::function<void(T)> receive)
      : owner_(owner), most_(most), receive_(std::move(receive)) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// False if the box is full; `item` is untouched then. Any thread.
  bool push(T& item) {
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      if (items_.size() + taken_.load(std::memory_order_relaxed) >= most_) return false;
      items_.push_back(std::move(item));
      wake = !std::exchange(awake_, true);
    }
    // One wake-up for a whole batch: the owner takes all that gathered meanwhile.
    if (wake) owner_.post([this] { drain(); });
    return true;
  }

 private:
  void drain() {
    std::deque<T> batch;
    {
      const std::lock_guard lock(mutex_);
      batch.swap(items_);
      awake_ = false;
      taken_.store(batch.size(), std::memory_order_relaxed);
    }
    const PutBack rest(*this, batch);
    while (!batch.empty()) {
      T item = std::move(batch.front());
      batch.pop_front();
      taken_.fetch_sub(1, std::memory_order_relaxed);
      receive_(std::move(item));
    }
  }

  /// When receive_ throws, what it has not had yet goes back to the front, before what came meanwhile.
  class PutBack {
   public:
    PutBack(Mailbox& mailbox, std::deque<T>& batch) : mailbox_(mailbox), batch_(batch) {}
    PutBack(const PutBack&) = delete;
    PutBack& operator=(const PutBack&) = delete;
    ~PutBack() {
      if (batch_.empty()) return;
      {
        const std::lock_guard lock(mailbox_.mutex_);
        mailbox_.items_.insert(mailbox_.items_.begin(), std::move_iterator(batch_.begin()),
                               std::move_iterator(batch_.end()));
        mailbox_.taken_.store(0, std::memory_order_relaxed);
        if (std::exchange(mailbox_.awake_, true)) return;
      }
      mailbox_.owner_.post([&mailbox = mailbox_] { mailbox.drain(); });
    }

   private:
    Mailbox& mailbox_;
    std::deque<T>& batch_;
  };

  Executor& owner_;
  const std::size_t most_;
  std::function<void(T)> receive_;
  std::mutex mutex_;
  std::deque<T> items_;
  std::atomic<std::size_t> taken_{0};
  bool awake_ = false;
};

}  // namespace kith::runtime
