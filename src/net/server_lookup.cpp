#include "net/server_lookup.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <sys/socket.h>

namespace kith::net {
namespace {

constexpr std::uint16_t default_port = 5269;

struct Service {
  unsigned priority;
  unsigned weight;
  std::uint16_t port;
  std::string host;
};

/// Nothing: there are no such records.
std::optional<std::vector<Service>> look_up_services(const std::string& name) {
  struct __res_state state{};
  if (res_ninit(&state) != 0) return std::nullopt;
  const std::unique_ptr<struct __res_state, void (*)(struct __res_state*)> closing(
      &state, [](struct __res_state* open) { res_nclose(open); });
  std::array<unsigned char, 16 * 1024> answer{};
  const int size = res_nquery(&state, name.c_str(), ns_c_in, ns_t_srv, answer.data(), static_cast<int>(answer.size()));
  ns_msg message;
  if (size < 0 || ns_initparse(answer.data(), std::min<int>(size, static_cast<int>(answer.size())), &message) != 0) {
    return std::nullopt;
  }
  std::vector<Service> services;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0 || ns_rr_type(record) != ns_t_srv) continue;
    constexpr int fixed_bytes = 6;
    if (ns_rr_rdlen(record) <= fixed_bytes) continue;
    const unsigned char* data = ns_rr_rdata(record);
    std::array<char, NS_MAXDNAME> host{};
    if (dn_expand(ns_msg_base(message), ns_msg_end(message), data + fixed_bytes, host.data(),
                  static_cast<int>(host.size())) < 0) {
      continue;
    }
    services.push_back({.priority = ns_get16(data),
                        .weight = ns_get16(data + 2),
                        .port = static_cast<std::uint16_t>(ns_get16(data + 4)),
                        .host = host.data()});
  }
  if (services.empty()) return std::nullopt;
  return services;
}

// RFC 2782: lower priorities first; within one, each next by chance in proportion to its weight.
void put_in_order(std::vector<Service>& services, Random& random) {
  std::ranges::sort(services, {}, [](const Service& service) { return std::pair(service.priority, service.weight); });
  for (auto first = services.begin(); first != services.end(); ++first) {
    const auto last =
        std::find_if(first, services.end(), [&](const Service& one) { return one.priority != first->priority; });
    std::uint64_t all = 0;
    for (auto one = first; one != last; ++one) all += one->weight;
    std::array<std::byte, 4> bytes{};
    random.fill(bytes);
    std::uint32_t chance = 0;
    std::memcpy(&chance, bytes.data(), bytes.size());
    std::uint64_t mark = chance % (all + 1);
    for (auto one = first; one != last; ++one) {
      if (mark <= one->weight) {
        std::iter_swap(first, one);
        break;
      }
      mark -= one->weight;
    }
  }
}

void add_addresses(std::vector<ServerAddress>& found, const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, &freeaddrinfo);
  for (const addrinfo* one = list; one != nullptr && found.size() < most_addresses; one = one->ai_next) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (one->ai_family == AF_INET) {
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ai_addr)->sin_addr, text.data(), text.size());
    } else if (one->ai_family == AF_INET6) {
      inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(one->ai_addr)->sin6_addr, text.data(), text.size());
    } else {
      continue;
    }
    found.push_back({.address = text.data(), .port = port});
  }
}

}  // namespace

std::expected<std::vector<ServerAddress>, std::string> look_up_server(const std::string& domain, Random& random) {
  std::vector<ServerAddress> found;
  if (auto services = look_up_services("_xmpp-server._tcp." + domain)) {
    if (services->size() == 1 && (services->front().host.empty() || services->front().host == ".")) {
      return std::unexpected("its DNS says that there is no XMPP server");
    }
    put_in_order(*services, random);
    for (const Service& service : *services) add_addresses(found, service.host, service.port);
    if (found.empty()) return std::unexpected("the hosts that its SRV records name have no address");
    return found;
  }
  add_addresses(found, domain, default_port);
  if (found.empty()) return std::unexpected("DNS knows no such domain, or does not answer");
  return found;
}

Socket begin_connect(const ServerAddress& target) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, target.address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(target.port);
    length = sizeof *v4;
  } else if (inet_pton(AF_INET6, target.address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(target.port);
    length = sizeof *v6;
  } else {
    return {};
  }
  Socket socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.open()) return {};
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 && errno != EINPROGRESS) {
    return {};
  }
  return socket;
}

}  // namespace kith::net
