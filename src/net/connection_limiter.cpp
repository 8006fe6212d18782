#include "net/connection_limiter.h"

#include <algorithm>
#include <iterator>

namespace kith::net {
namespace {

constexpr std::size_t first_sweep = 1024;

}  // namespace

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

ConnectionLimiter::ConnectionLimiter(const Limits& limits, const Clock& clock)
    : limits_(limits), clock_(clock), sweep_at_(first_sweep) {}

std::expected<ConnectionLimiter::Admission, ConnectionLimiter::Refusal> ConnectionLimiter::admit(
    const std::string& peer_address) {
  const Network network = network_of(peer_address);
  const MonotonicTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (connections_ >= limits_.connections) return std::unexpected(Refusal::total);
  if (entries_.size() >= sweep_at_) sweep(now);
  Entry& entry = entries_.try_emplace(network, Entry{.rate = TokenBucket(limits_.connections_per_address_rate, now)})
                     .first->second;
  // The rate last: what is refused for its number costs no token, and the entry of one that is refused stays until it
  // is full.
  if (entry.connections >= limits_.connections_per_address) return std::unexpected(Refusal::per_address);
  if (entry.unauthenticated >= limits_.unauthenticated_per_address) return std::unexpected(Refusal::unauthenticated);
  if (!entry.rate.take(1, now)) return std::unexpected(Refusal::rate);
  ++entry.connections;
  ++entry.unauthenticated;
  ++connections_;
  return Admission(*this, network);
}

void ConnectionLimiter::leave(Network network, bool authenticated) {
  const MonotonicTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  --connections_;
  const auto found = entries_.find(network);
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
  if (limiter_ != nullptr) limiter_->leave(network_, authenticated_);
}

void ConnectionLimiter::Admission::authenticated() {
  if (limiter_ == nullptr || std::exchange(authenticated_, true)) return;
  const std::lock_guard lock(limiter_->mutex_);
  const auto found = limiter_->entries_.find(network_);
  if (found != limiter_->entries_.end()) --found->second.unauthenticated;
}

}  // namespace kith::net
