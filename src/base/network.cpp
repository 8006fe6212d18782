#include "base/network.h"

#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace kith {

Network network_of(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));  // without the zone of a link-local address
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return {.bits = ntohl(v4.s_addr), .v6 = false};
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return {.bits = 0, .v6 = true};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    // An IPv4 peer of a socket that takes both; by their first 64 bits, all of them would be one.
    std::uint32_t mapped = 0;
    std::memcpy(&mapped, &v6.s6_addr[12], sizeof mapped);
    return {.bits = ntohl(mapped), .v6 = false};
  }
  std::uint64_t prefix = 0;
  for (std::size_t i = 0; i < 8; ++i) prefix = prefix << 8U | v6.s6_addr[i];
  return {.bits = prefix, .v6 = true};
}

std::string to_text(const Network& network) { return (network.v6 ? "6-" : "4-") + std::to_string(network.bits); }

}  // namespace kith
