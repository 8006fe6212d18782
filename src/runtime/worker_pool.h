// A few threads for work that would hold a shard up: slow hashes, checks of signatures. Nothing that waits for the
// network. The queue is bounded; a full one refuses, and the asker answers its peer with "try later".
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace kith::runtime {

class WorkerPool {
 public:
  using OnFault = std::function<void(const char* what)>;

  /// `most_waiting` jobs may wait beside the `threads` that are in work. `on_fault` is told of an exception that
  /// escapes a job, on the worker's thread.
  WorkerPool(unsigned threads, std::size_t most_waiting, OnFault on_fault);
  /// Ends the jobs in work; those that wait are dropped unrun.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False if the queue is full; `job` is dropped unrun then. Any thread. The job posts its result back by itself.
  [[nodiscard]] bool submit(Task job);
  std::size_t waiting() const;

 private:
  void work();

  const std::size_t most_waiting_;
  OnFault on_fault_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> jobs_;
  bool ending_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace kith::runtime
