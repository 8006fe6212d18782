// Where work goes on later: a shard, or a test's run loop.
#pragma once

#include <functional>

namespace kith {

using Task = std::move_only_function<void()>;

class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `task` on this executor's thread, after everything posted before it by the same thread; never inside the
  /// call. Any thread.
  virtual void post(Task task) = 0;
};

}  // namespace kith
