// Where a relay or a mirror for calls is, as the configuration writes it: URIs of RFC 7064 (stun, stuns) and RFC 7065
// (turn, turns). Pure functions; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace kith::modules {

struct ServiceAddress {
  std::string type;  ///< "stun", "stuns", "turn" or "turns"
  std::string host;  ///< a name, or a numeric address without brackets
  std::uint16_t port = 0;
  std::string transport;  ///< "udp" or "tcp"

  /// Relays ask who one is.
  bool wants_credentials() const { return type.starts_with("turn"); }
};

/// "turn:turn.example.org:3478?transport=udp". Without a port it is the one of the scheme, 3478 or 5349 with TLS;
/// without a transport it is UDP, or TCP with TLS. The error says in words why it is no such address.
std::expected<ServiceAddress, std::string> parse_service_address(const std::string& text);

}  // namespace kith::modules
