#include "net/connection_limiter.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace kith::net {
namespace {

constexpr std::size_t first_sweep = 1024;

}  // namespace

ConnectionLimiter::Key limiter_key(const std::string& address) {
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return {.bits = ntohl(v4.s_addr), .v6 = false};
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6) != 1) return {.bits = 0, .v6 = true};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    std::uint32_t mapped = 0;
    std::memcpy(&mapped, &v6.s6_addr[12], sizeof mapped);
    return {.bits = ntohl(mapped), .v6 = false};
  }
  std::uint64_t network = 0;
  std::memcpy(&network, &v6.s6_addr[0], sizeof network);
  return {.bits = network, .v6 = true};
}

std::string_view name_of(ConnectionLimiter::Refusal refusal) {
  switch (refusal) {
    case ConnectionLimiter::Refusal::total:
      return "connections";
    case ConnectionLimiter::Refusal::per_address:
      return "connections_per_address";
    case ConnectionLimiter::Refusal::unauthenticated:
      return "unauthenticated_per_address";
    case ConnectionLimiter::Refusal::rate:
      return "connections_per_address_rate";
  }
  return "connections";
}

std::size_t ConnectionLimiter::KeyHash::operator()(const Key& key) const {
  return std::hash<std::uint64_t>{}(key.bits * 2 + (key.v6 ? 1 : 0));
}

ConnectionLimiter::ConnectionLimiter(const Limits& limits, const Clock& clock)
    : limits_(limits), clock_(clock), sweep_at_(first_sweep) {}

std::expected<ConnectionLimiter::Admission, ConnectionLimiter::Refusal> ConnectionLimiter::admit(
    const std::string& peer_address) {
  const Key key = limiter_key(peer_address);
  const MonotonicTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (connections_ >= limits_.connections) return std::unexpected(Refusal::total);
  if (entries_.size() >= sweep_at_) sweep(now);
  Entry& entry =
      entries_.try_emplace(key, Entry{.rate = TokenBucket(limits_.connections_per_address_rate, now)}).first->second;
  // The rate last: what is refused for its number costs no token, and the entry of one that is refused stays until it
  // is full.
  if (entry.connections >= limits_.connections_per_address) return std::unexpected(Refusal::per_address);
  if (entry.unauthenticated >= limits_.unauthenticated_per_address) return std::unexpected(Refusal::unauthenticated);
  if (!entry.rate.take(1, now)) return std::unexpected(Refusal::rate);
  ++entry.connections;
  ++entry.unauthenticated;
  ++connections_;
  return Admission(*this, key);
}

void ConnectionLimiter::leave(Key key, bool authenticated) {
  const MonotonicTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  --connections_;
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  --entry.connections;
  if (!authenticated) --entry.unauthenticated;
  if (entry.connections == 0 && entry.rate.full(now)) entries_.erase(found);
}

/// Addresses that came once and went are forgotten when their rate has recovered.
void ConnectionLimiter::sweep(MonotonicTime now) {
  for (auto item = entries_.begin(); item != entries_.end();) {
    const bool forgotten = item->second.connections == 0 && item->second.rate.full(now);
    item = forgotten ? entries_.erase(item) : std::next(item);
  }
  sweep_at_ = std::max(first_sweep, entries_.size() * 2);
}

std::size_t ConnectionLimiter::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

std::size_t ConnectionLimiter::addresses() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

ConnectionLimiter::Admission::~Admission() {
  if (limiter_ != nullptr) limiter_->leave(key_, authenticated_);
}

void ConnectionLimiter::Admission::authenticated() {
  if (limiter_ == nullptr || std::exchange(authenticated_, true)) return;
  const std::lock_guard lock(limiter_->mutex_);
  const auto found = limiter_->entries_.find(key_);
  if (found != limiter_->entries_.end()) --found->second.unauthenticated;
}

}  // namespace kith::net
