// What an address on the Internet is counted by: an IPv4 address itself, the /64 of an IPv6 address, since that much is
// one customer's. Every limit "per address" means this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace kith {

struct Network {
  std::uint64_t bits = 0;  ///< the 32 bits of an IPv4 address, or the first 64 of an IPv6 one
  bool v6 = false;
  friend bool operator==(const Network&, const Network&) = default;
};

/// The network of "192.0.2.1", "2001:db8::1" or "fe80::1%eth0"; an IPv4 address that is mapped into IPv6 counts as
/// IPv4. Text that is no address counts as one network, `::/64`.
Network network_of(std::string_view address);

/// A short text that no other network has.
std::string to_text(const Network& network);

struct NetworkHash {
  std::size_t operator()(const Network& network) const {
    return std::hash<std::uint64_t>{}(network.bits * 2 + (network.v6 ? 1 : 0));
  }
};

}  // namespace kith
