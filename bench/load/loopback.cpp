#include "loopback.h"

#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace kith::bench {

std::optional<Endpoint> loopback_endpoint(const std::string& address, std::uint16_t port) {
  Endpoint endpoint;
  sockaddr_in v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    if ((ntohl(v4.sin_addr.s_addr) >> 24U) != 127) return std::nullopt;
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&endpoint.address, &v4, sizeof v4);
    endpoint.size = sizeof v4;
    return endpoint;
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) != 1 || !IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr))
    return std::nullopt;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&endpoint.address, &v6, sizeof v6);
  endpoint.size = sizeof v6;
  return endpoint;
}

}  // namespace kith::bench
