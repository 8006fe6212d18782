#include "session/login_guard.h"

#include <algorithm>

#include <arpa/inet.h>

#include "base/encoding.h"

namespace kith::session {

std::string network_of(const std::string& address) {
  in6_addr six{};
  if (inet_pton(AF_INET6, address.c_str(), &six) != 1) return address;
  return hex_encode(std::string_view(reinterpret_cast<const char*>(six.s6_addr), 8)) + "/64";
}

TokenBucket& LoginGuard::bucket(const std::string& key, Rate rate) {
  const auto found = buckets_.find(key);
  if (found != buckets_.end()) {
    by_age_.splice(by_age_.end(), by_age_, found->second.age);
    return found->second.tokens;
  }
  if (buckets_.size() >= most_buckets) {
    buckets_.erase(by_age_.front());
    by_age_.pop_front();
  }
  const auto age = by_age_.insert(by_age_.end(), key);
  return buckets_.emplace(key, Bucket{TokenBucket(rate, clock_.now()), age}).first->second.tokens;
}

Duration LoginGuard::failed(const std::string& address, const std::string& account) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.now();
  Duration wait = bucket("address " + network_of(address), limits_.failed_logins_per_address_rate).take_in_debt(1, now);
  if (!account.empty()) {
    wait = std::max(wait, bucket("account " + account, limits_.failed_logins_per_account_rate).take_in_debt(1, now));
  }
  if (wait <= Duration::zero()) return Duration::zero();
  return std::clamp<Duration>(wait, std::chrono::seconds(1), std::chrono::seconds(10));
}

}  // namespace kith::session
