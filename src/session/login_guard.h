// Brute force: what failed logins cost. Never a lock of an account, only slower answers, so that nobody can shut
// another out. One object for all shards; any thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "base/rate_table.h"

namespace kith::session {

class LoginGuard {
 public:
  LoginGuard(const Clock& clock, const Limits& limits) : limits_(limits), rates_(clock, most_names) {}

  /// Counts a failed login and says how long to hold the answer back: nothing within the limits, then 1 to 10 seconds.
  Duration failed(const std::string& address, const std::string& account);
  /// False if so many logins from there have failed that the next guess is not even looked at. SECURITY: whoever does
  /// not wait for the answer that is held back, but comes again by another connection, would guess on at full speed.
  bool may_try(const std::string& address);

 private:
  static constexpr std::size_t most_names = 20'000;
  static constexpr Duration most_debt = std::chrono::minutes(1);
  const Limits& limits_;
  RateTable rates_;
};

}  // namespace kith::session
