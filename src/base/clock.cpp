#include "base/clock.h"

namespace kith {

MonotonicTime SystemClock::now() const { return std::chrono::steady_clock::now(); }

WallTime SystemClock::wall() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace kith
