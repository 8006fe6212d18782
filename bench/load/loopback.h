// The only addresses that the generator talks to: those of this machine itself. Whoever puts a load on a server of
// somebody else's attacks it, so a name or an address from outside is refused before anything is sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/socket.h>

namespace kith::bench {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
};

/// 127.0.0.0/8 or ::1, in numbers; nothing for every other text (names too, since who knows where they lead).
std::optional<Endpoint> loopback_endpoint(const std::string& address, std::uint16_t port);

}  // namespace kith::bench
