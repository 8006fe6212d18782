// What the storage tests share: a shard to run by hand, a directory of their own, answers as values.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <unistd.h>

#include "base/clock.h"
#include "base/events.h"
#include "base/executor.h"
#include "storage/storage.h"

namespace kith::storage {

/// An executor whose tasks run on the test's own thread, inside run_until().
class HandShard final : public Executor {
 public:
  void post(Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_all();
  }
  /// Runs tasks until `done()`; false if nothing was posted for a minute, which is a failed test and not a slow
  /// machine.
  bool run_until(const std::function<bool()>& done) {
    while (!done()) {
      std::unique_lock lock(mutex_);
      if (!posted_.wait_for(lock, std::chrono::minutes(1), [this] { return !tasks_.empty(); })) return false;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
    return true;
  }
  /// Runs what has been posted so far, and says how many tasks that were.
  std::size_t run_posted() {
    std::deque<Task> batch;
    {
      const std::lock_guard lock(mutex_);
      batch.swap(tasks_);
    }
    const std::size_t count = batch.size();
    for (Task& task : batch) task();
    return count;
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<Task> tasks_;
};

/// A new directory, removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    // In memory where the system has that: what kill -9 leaves is the same, and a busy disk does not slow the tests.
    std::filesystem::path parent = "/dev/shm";
    if (::access(parent.c_str(), W_OK) != 0) parent = std::filesystem::temp_directory_path();
    std::string pattern = (parent / "kith-storage-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// Events that go nowhere but into the counters.
struct QuietEvents {
  SystemClock clock;
  Events events{clock, LogLevel::error, [](LogLevel, std::string_view) {}};
};

/// Runs `shard` until `ask`, which is given a callback, is answered.
template <class T>
Result<T> answer(HandShard& shard, const std::function<void(Callback<T>)>& ask) {
  std::optional<Result<T>> got;
  ask([&](Result<T> result) { got = std::move(result); });
  if (!shard.run_until([&] { return got.has_value(); })) return std::unexpected(StorageError::unavailable);
  return std::move(*got);
}

inline xmpp::BareJid bare(std::string_view text) { return *xmpp::BareJid::parse(text); }

}  // namespace kith::storage
