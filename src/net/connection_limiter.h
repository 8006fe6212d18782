// How many connections an address may hold, and how fast it may make new ones. A v4 address counts for itself, a v6
// address with all of its /64, which one customer owns. Any thread. Limits: base/limits.h; an address is remembered
// only while it holds connections or its rate has not recovered.
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
#include "base/token_bucket.h"

namespace kith::net {

class ConnectionLimiter {
 public:
  enum class Refusal { total, per_address, unauthenticated, rate };
  /// What an address is counted by: 0 for v4 and the 32 bits, or the first 64 bits of v6.
  struct Key {
    std::uint64_t bits = 0;
    bool v6 = false;
    friend bool operator==(const Key&, const Key&) = default;
  };

  /// One connection's place; given back when it goes. The limiter must outlive it.
  class Admission {
   public:
    Admission() = default;
    Admission(Admission&& other) noexcept
        : limiter_(std::exchange(other.limiter_, nullptr)), key_(other.key_), authenticated_(other.authenticated_) {}
    Admission& operator=(Admission&& other) noexcept {
      std::swap(limiter_, other.limiter_);
      std::swap(key_, other.key_);
      std::swap(authenticated_, other.authenticated_);
      return *this;
    }
    ~Admission();
    /// The connection has logged in: it no longer counts among those that have not.
    void authenticated();

   private:
    friend class ConnectionLimiter;
    Admission(ConnectionLimiter& limiter, Key key) : limiter_(&limiter), key_(key) {}
    ConnectionLimiter* limiter_ = nullptr;
    Key key_;
    bool authenticated_ = false;
  };

  ConnectionLimiter(const Limits& limits, const Clock& clock);
  ConnectionLimiter(const ConnectionLimiter&) = delete;
  ConnectionLimiter& operator=(const ConnectionLimiter&) = delete;

  [[nodiscard]] std::expected<Admission, Refusal> admit(const std::string& peer_address);
  std::size_t connections() const;
  std::size_t addresses() const;

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  struct Entry {
    TokenBucket rate;
    std::size_t connections = 0;
    std::size_t unauthenticated = 0;
  };
  void leave(Key key, bool authenticated);
  void sweep(MonotonicTime now);

  const Limits& limits_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::unordered_map<Key, Entry, KeyHash> entries_;
  std::size_t connections_ = 0;
  std::size_t sweep_at_;
};

/// The limit's name, for Events::limit_hit().
std::string_view name_of(ConnectionLimiter::Refusal refusal);
/// What `address` is counted by; a v4 address that is mapped into v6 counts as v4. Text that is no address: all of it
/// together.
ConnectionLimiter::Key limiter_key(const std::string& address);

}  // namespace kith::net
