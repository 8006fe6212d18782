// A token bucket: so many per second, with a burst. Used for every rate in base/limits.h.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace kith {

struct Rate {
  double per_second = 0;
  double burst = 0;
};

class TokenBucket {
 public:
  TokenBucket(Rate rate, MonotonicTime now) : rate_(rate), tokens_(rate.burst), last_(now) {}

  /// Takes `amount` if it is there.
  bool take(double amount, MonotonicTime now) {
    refill(now);
    if (tokens_ < amount) return false;
    tokens_ -= amount;
    return true;
  }
  /// Takes `amount` even into debt, and says how long to wait until the debt is paid (zero if there is none).
  /// For flows that must not lose anything: read, then pause.
  Duration take_in_debt(double amount, MonotonicTime now) {
    refill(now);
    tokens_ -= amount;
    return debt(now);
  }
  /// How long it takes to pay the debt; zero if there is none.
  Duration debt(MonotonicTime now) {
    refill(now);
    if (tokens_ >= 0) return Duration::zero();
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(-tokens_ / rate_.per_second));
  }
  bool full(MonotonicTime now) {
    refill(now);
    return tokens_ >= rate_.burst;
  }

 private:
  void refill(MonotonicTime now) {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    if (seconds > 0) {
      tokens_ = std::min(rate_.burst, tokens_ + seconds * rate_.per_second);
      last_ = now;
    }
  }
  Rate rate_;
  double tokens_;
  MonotonicTime last_;
};

}  // namespace kith
