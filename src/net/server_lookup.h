// Where the server of a domain is (RFC 6120 §3.2, XEP-0368): SRV records of _xmpps-server._tcp and _xmpp-server._tcp
// together, in the order of their priorities and, within one, by chance as their weights want it; else the domain
// itself at 5269. IPv6 and IPv4 addresses of a host take turns (RFC 8305 §4). By the system's resolver, which blocks:
// call it on a worker thread. No DNSSEC.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "net/socket.h"

namespace kith::net {

struct ServerAddress {
  std::string address;  ///< numeric
  std::uint16_t port = 0;
  bool direct_tls = false;
};

/// Why there are none, in words.
struct NoAddress {
  std::string why;
  bool for_good = false;  ///< DNS says that there is no such server, and not only that it can't tell now
};

/// `domain` in ASCII. At most `most_addresses`.
inline constexpr std::size_t most_addresses = 16;
std::expected<std::vector<ServerAddress>, NoAddress> look_up_server(const std::string& domain, Random& random);

/// Begins to connect: a non-blocking socket that becomes writable when it is done. Closed if that fails at once.
Socket begin_connect(const ServerAddress& target);

}  // namespace kith::net
