// Brute force: what failed logins cost (security.md §3). Never a lock of an account, only slower answers, so that
// nobody can shut another out. One object for all shards, since an attacker's connections land on every one of them: a
// mutex, taken only when somebody logs in.
#pragma once

#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/limits.h"
#include "base/token_bucket.h"

namespace kith::session {

class LoginGuard {
 public:
  LoginGuard(const Clock& clock, const Limits& limits) : clock_(clock), limits_(limits) {}

  /// Counts a failed login and says how long to hold the answer back: nothing within the limits, then 1 to 10 seconds.
  Duration failed(const std::string& address, const std::string& account);

 private:
  struct Bucket {
    TokenBucket tokens;
    std::list<std::string>::iterator age;
  };
  TokenBucket& bucket(const std::string& key, Rate rate);

  static constexpr std::size_t most_buckets = 20'000;  ///< the oldest is forgotten beyond that
  const Clock& clock_;
  const Limits& limits_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
  std::list<std::string> by_age_;  ///< least recently used first
};

/// What an address is counted under: an IPv4 address itself, the /64 of an IPv6 one.
std::string network_of(const std::string& address);

}  // namespace kith::session
