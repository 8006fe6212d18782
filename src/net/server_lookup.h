// Where the server of a domain is (RFC 6120 §3.2, XEP-0368): SRV records of _xmpps-server._tcp and _xmpp-server._tcp
// together, in the order of their priorities and, within one, by chance as their weights want it; else the domain
// itself at 5269. IPv6 and IPv4 addresses of a host take turns (RFC 8305 §4). Where DNSSEC vouches for all of that,
// also which certificates the server may show (DANE: RFC 6698, RFC 7671, RFC 7673). Lives on the resolver's thread.
//
// SECURITY: what DNS answers is somebody else's to say. A host of which an answer is forged, or of which the TLSA
// records can't be had although DNSSEC is there, is not called (RFC 7672 §2.2: who could suppress them would be
// believed without). Limits: `most_services` hosts are asked about, `most_addresses` are called, none twice.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "net/resolver.h"
#include "net/socket.h"
#include "net/tls_pins.h"

namespace kith::net {

struct ServerAddress {
  std::string address;  ///< numeric
  std::uint16_t port = 0;
  bool direct_tls = false;
  /// What DNS says of the certificate; null if it says nothing that is vouched for.
  std::shared_ptr<const TlsPins> pins{};
};

/// Why there are none, in words.
struct NoAddress {
  std::string why;
  bool for_good = false;  ///< DNS says that there is no such server, and not only that it can't tell now
};

inline constexpr std::size_t most_services = 8;
inline constexpr std::size_t most_addresses = 8;

using ServerFound = std::expected<std::vector<ServerAddress>, NoAddress>;
/// `domain` in ASCII. `resolver` and `random` must be there until `then` is called, on the thread of its last answer.
void look_up_server(Resolver& resolver, const std::string& domain, Random& random,
                    std::move_only_function<void(ServerFound)> then);

/// Begins to connect: a non-blocking socket that becomes writable when it is done. Closed if that fails at once.
Socket begin_connect(const ServerAddress& target);

}  // namespace kith::net
