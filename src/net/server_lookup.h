// Where the server of a domain is (RFC 6120 §3.2): SRV records of _xmpp-server._tcp, in the order of their priorities
// and, within one, by chance as their weights want it; else the domain itself at 5269. By the system's resolver, which
// blocks: call it on a worker thread. No DNSSEC.
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
};

/// `domain` in ASCII. At most `most_addresses`; the error says in words why there are none.
inline constexpr std::size_t most_addresses = 16;
std::expected<std::vector<ServerAddress>, std::string> look_up_server(const std::string& domain, Random& random);

/// Begins to connect: a non-blocking socket that becomes writable when it is done. Closed if that fails at once.
Socket begin_connect(const ServerAddress& target);

}  // namespace kith::net
