// How many connections a network (base/network.h) may hold, and how fast it may make new ones. Any thread. Limits:
// base/limits.h; an address is remembered only while it holds connections or its rate has not recovered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "base/network.h"
#include "base/token_bucket.h"

namespace kith::net {

class ConnectionLimiter {
 public:
  enum class Refusal { total, per_address, unauthenticated, rate };

  /// One connection's place; given back when it goes. The limiter must outlive it.
  class Admission {
   public:
    Admission() = default;
    Admission(Admission&& other) noexcept
        : limiter_(std::exchange(other.limiter_, nullptr)),
          network_(other.network_),
          authenticated_(other.authenticated_) {}
    Admission& operator=(Admission&& other) noexcept {
      std::swap(limiter_, other.limiter_);
      std::swap(network_, other.network_);
      std::swap(authenticated_, other.authenticated_);
      return *this;
    }
    ~Admission();
    /// The connection has logged in: it no longer counts among those that have not.
    void authenticated();

   private:
    friend class ConnectionLimiter;
    Admission(ConnectionLimiter& limiter, Network network) : limiter_(&limiter), network_(network) {}
    ConnectionLimiter* limiter_ = nullptr;
    Network network_;
    bool authenticated_ = false;
  };

  ConnectionLimiter(const Limits& limits, const Clock& clock);
  ConnectionLimiter(const ConnectionLimiter&) = delete;
  ConnectionLimiter& operator=(const ConnectionLimiter&) = delete;

  [[nodiscard]] std::expected<Admission, Refusal> admit(const std::string& peer_address);
  std::size_t connections() const;
  std::size_t addresses() const;

 private:
  struct Entry {
    TokenBucket rate;
    std::size_t connections = 0;
    std::size_t unauthenticated = 0;
  };
  void leave(Network network, bool authenticated);
  void sweep(MonotonicTime now);

  const Limits& limits_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::unordered_map<Network, Entry, NetworkHash> entries_;
  std::size_t connections_ = 0;
  std::size_t sweep_at_;
};

/// The limit's name, for Events::limit_hit().
std::string_view name_of(ConnectionLimiter::Refusal refusal);

}  // namespace kith::net
