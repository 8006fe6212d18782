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
  bool direct_tls = false;
};

/// Nothing: there are no such records, or DNS can't tell now.
std::optional<std::vector<Service>> look_up_services(const std::string& name, bool& no_answer) {
  struct __res_state state{};
  if (res_ninit(&state) != 0) return std::nullopt;
  const std::unique_ptr<struct __res_state, void (*)(struct __res_state*)> closing(
      &state, [](struct __res_state* open) { res_nclose(open); });
  std::array<unsigned char, 16 * 1024> answer{};
  const int size = res_nquery(&state, name.c_str(), ns_c_in, ns_t_srv, answer.data(), static_cast<int>(answer.size()));
  if (size < 0) no_answer = state.res_h_errno != HOST_NOT_FOUND && state.res_h_errno != NO_DATA;
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

/// `no_answer` becomes true if DNS can't tell now.
void add_addresses(std::vector<ServerAddress>& found, const std::string& host, std::uint16_t port, bool direct_tls,
                   bool& no_answer) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &list); error != 0) {
    no_answer = no_answer || (error != EAI_NONAME && error != EAI_NODATA);
    return;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, &freeaddrinfo);
  // Each family in the resolver's order (RFC 6724); they take turns, and the first of all begins.
  std::array<std::vector<std::string>, 2> texts;
  int first_family = AF_UNSPEC;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (one->ai_family == AF_INET) {
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ai_addr)->sin_addr, text.data(), text.size());
    } else if (one->ai_family == AF_INET6) {
      inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(one->ai_addr)->sin6_addr, text.data(), text.size());
    } else {
      continue;
    }
    if (first_family == AF_UNSPEC) first_family = one->ai_family;
    texts[one->ai_family == first_family ? 0 : 1].emplace_back(text.data());
  }
  for (std::size_t i = 0; i < std::max(texts[0].size(), texts[1].size()); ++i) {
    for (const std::vector<std::string>& family : texts) {
      if (i < family.size() && found.size() < most_addresses)
        found.push_back({.address = family[i], .port = port, .direct_tls = direct_tls});
    }
  }
}

/// RFC 2782: "." says that the service is decidedly not there.
bool says_no(const std::vector<Service>& services) {
  return services.size() == 1 && (services.front().host.empty() || services.front().host == ".");
}

}  // namespace

std::expected<std::vector<ServerAddress>, NoAddress> look_up_server(const std::string& domain, Random& random) {
  std::vector<ServerAddress> found;
  bool no_answer = false;
  auto services = look_up_services("_xmpp-server._tcp." + domain, no_answer);
  auto direct = look_up_services("_xmpps-server._tcp." + domain, no_answer);
  const bool refused = services && says_no(*services);
  if (refused) services.reset();
  if (direct && says_no(*direct)) direct.reset();
  if (refused && !direct) {
    return std::unexpected(NoAddress{.why = "its DNS says that there is no XMPP server", .for_good = true});
  }
  if (services || direct) {
    std::vector<Service> all = services ? *std::move(services) : std::vector<Service>();
    if (direct) {
      for (Service& service : *direct) {
        service.direct_tls = true;
        all.push_back(std::move(service));
      }
    }
    put_in_order(all, random);
    for (const Service& service : all) add_addresses(found, service.host, service.port, service.direct_tls, no_answer);
    if (found.empty()) return std::unexpected(NoAddress{.why = "the hosts that its SRV records name have no address"});
    return found;
  }
  add_addresses(found, domain, default_port, false, no_answer);
  if (!found.empty()) return found;
  if (no_answer) return std::unexpected(NoAddress{.why = "DNS does not answer"});
  return std::unexpected(NoAddress{.why = "DNS knows no such domain", .for_good = true});
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
