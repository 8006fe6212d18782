#include "net/server_lookup.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace kith::net {
namespace {

using Verdict = DnsAnswer::Verdict;

constexpr std::uint16_t default_port = 5269;
/// More than these of one name are nobody's honest wish.
constexpr std::size_t most_records = 64;
constexpr std::size_t most_tlsa_records = 16;
constexpr std::size_t most_tlsa_bytes = 4096;

struct Service {
  unsigned priority = 0;
  unsigned weight = 0;
  std::uint16_t port = default_port;
  std::string host{};  ///< empty: decidedly no server (RFC 2782)
  bool direct_tls = false;
  bool secure = false;  ///< DNSSEC vouches for it
};

unsigned number_at(std::string_view data, std::size_t at) {
  return static_cast<unsigned>(static_cast<unsigned char>(data[at])) << 8U | static_cast<unsigned char>(data[at + 1]);
}

/// The name in wire form, as text without its last dot; nothing if it is none, or has letters that no host has.
std::optional<std::string> name_in(std::string_view data) {
  std::string name;
  while (!data.empty()) {
    const std::size_t length = static_cast<unsigned char>(data[0]);
    data.remove_prefix(1);
    if (length == 0) return data.empty() ? std::optional(name) : std::nullopt;
    constexpr std::size_t longest_label = 63;
    constexpr std::size_t longest_name = 253;
    if (length > longest_label || length > data.size() || name.size() + length > longest_name) return std::nullopt;
    if (!name.empty()) name += '.';
    for (const char c : data.substr(0, length)) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (!letter && c != '-' && c != '_') return std::nullopt;
      name += c;
    }
    data.remove_prefix(length);
  }
  return std::nullopt;
}

std::optional<Service> service_in(std::string_view data) {
  constexpr std::size_t fixed_bytes = 6;
  if (data.size() <= fixed_bytes) return std::nullopt;
  const std::optional<std::string> host = name_in(data.substr(fixed_bytes));
  if (!host) return std::nullopt;
  return Service{.priority = number_at(data, 0),
                 .weight = number_at(data, 2),
                 .port = static_cast<std::uint16_t>(number_at(data, 4)),
                 .host = *host};
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

std::optional<std::string> text_of(int family, std::string_view data) {
  const std::size_t size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (data.size() != size || inet_ntop(family, data.data(), text.data(), text.size()) == nullptr) return std::nullopt;
  return std::string(text.data());
}

bool is_numeric(const std::string& domain) {
  in6_addr place{};
  return inet_pton(AF_INET, domain.c_str(), &place) == 1 || inet_pton(AF_INET6, domain.c_str(), &place) == 1;
}

/// One look-up. Its answers hold it; all come on one thread after another.
class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  Lookup(Resolver& resolver, std::string domain, Random& random, std::move_only_function<void(ServerFound)> then)
      : resolver_(resolver), domain_(std::move(domain)), random_(random), then_(std::move(then)) {}

  void begin() {
    ask("_xmpp-server._tcp." + domain_, RecordType::srv, plain_);
    ask("_xmpps-server._tcp." + domain_, RecordType::srv, direct_);
    arrive(&Lookup::services_told);
  }

 private:
  struct Host {
    Service service;
    DnsAnswer v6{};
    DnsAnswer v4{};
    std::optional<DnsAnswer> tlsa{};
  };
  using Step = void (Lookup::*)();

  struct Ask {
    std::string name;
    RecordType type;
    DnsAnswer* into;
  };
  /// `into` is where the step that follows finds the answer, and stays where it is until then.
  void ask(std::string name, RecordType type, DnsAnswer& into) { asks_.push_back({std::move(name), type, &into}); }
  /// Sends what was asked; `next` follows the last answer.
  void arrive(Step next) {
    const std::vector<Ask> asks = std::exchange(asks_, {});
    next_ = next;
    // One more, so that no answer is the last before all has been asked.
    open_ = asks.size() + 1;
    for (const Ask& one : asks) {
      resolver_.ask(one.name, one.type, [self = shared_from_this(), into = one.into](DnsAnswer answer) {
        *into = std::move(answer);
        self->one_told();
      });
    }
    one_told();
  }
  void one_told() {
    // The last one has seen what the others wrote.
    if (open_.fetch_sub(1) == 1) (this->*next_)();
  }

  void give_up(std::string why, bool for_good = false) {
    then_(std::unexpected(NoAddress{.why = std::move(why), .for_good = for_good}));
  }
  void give_up_forged() { give_up("its DNS answers are forged, or its zone is broken (DNSSEC)"); }

  void services_told() {
    if (plain_.verdict == Verdict::bogus || direct_.verdict == Verdict::bogus) return give_up_forged();
    std::vector<Service> all;
    bool refused = false;
    for (const auto& [answer, direct] : {std::pair{&plain_, false}, std::pair{&direct_, true}}) {
      for (const std::string& record : answer->records) {
        if (all.size() >= most_records) break;
        std::optional<Service> service = service_in(record);
        if (!service) continue;
        // RFC 2782: "." says that the service is decidedly not there.
        if (service->host.empty()) {
          refused = refused || !direct;
          continue;
        }
        service->direct_tls = direct;
        service->secure = answer->verdict == Verdict::secure;
        all.push_back(*std::move(service));
      }
    }
    if (all.empty() && refused) return give_up("its DNS says that there is no XMPP server", true);
    named_ = !all.empty();
    if (all.empty()) {
      const bool secure = plain_.verdict == Verdict::secure && direct_.verdict == Verdict::secure;
      all.push_back({.host = domain_, .secure = secure});
    }
    put_in_order(all, random_);
    if (all.size() > most_services) all.resize(most_services);
    for (Service& service : all) hosts_.push_back({.service = std::move(service)});
    for (Host& host : hosts_) {
      ask(host.service.host, RecordType::aaaa, host.v6);
      ask(host.service.host, RecordType::a, host.v4);
    }
    arrive(&Lookup::addresses_told);
  }

  void addresses_told() {
    for (Host& host : hosts_) {
      // RFC 7673 §3: only where the whole way to the host is vouched for.
      const auto vouched = [](const DnsAnswer& answer) {
        return answer.verdict == Verdict::secure || answer.verdict == Verdict::none;
      };
      const bool any = host.v6.verdict == Verdict::secure || host.v4.verdict == Verdict::secure;
      if (!host.service.secure || !any || !vouched(host.v6) || !vouched(host.v4)) continue;
      ask("_" + std::to_string(host.service.port) + "._tcp." + host.service.host, RecordType::tlsa,
          host.tlsa.emplace());
    }
    arrive(&Lookup::all_told);
  }

  static std::shared_ptr<const TlsPins> pins_of(const Host& host) {
    if (!host.tlsa || host.tlsa->verdict != Verdict::secure) return nullptr;
    auto pins = std::make_shared<TlsPins>(TlsPins{.host = host.service.host, .records = {}});
    for (const std::string& record : host.tlsa->records) {
      constexpr std::size_t fixed_bytes = 3;
      if (record.size() <= fixed_bytes || record.size() > most_tlsa_bytes) continue;
      if (pins->records.size() >= most_tlsa_records) break;
      pins->records.push_back({.usage = static_cast<std::uint8_t>(record[0]),
                               .selector = static_cast<std::uint8_t>(record[1]),
                               .matching = static_cast<std::uint8_t>(record[2]),
                               .data = record.substr(fixed_bytes)});
    }
    return pins->records.empty() ? nullptr : pins;
  }

  void add(std::vector<ServerAddress>& found, const Host& host) const {
    const std::shared_ptr<const TlsPins> pins = pins_of(host);
    // IPv6 begins, and the two take turns.
    for (std::size_t i = 0; i < std::max(host.v6.records.size(), host.v4.records.size()); ++i) {
      for (const auto& [family, answer] : {std::pair{AF_INET6, &host.v6}, std::pair{AF_INET, &host.v4}}) {
        if (found.size() >= most_addresses) return;
        if (i >= answer->records.size()) continue;
        const std::optional<std::string> text = text_of(family, answer->records[i]);
        const auto same = [&](const ServerAddress& one) {
          return one.address == text && one.port == host.service.port && one.direct_tls == host.service.direct_tls;
        };
        if (!text || std::ranges::any_of(found, same)) continue;
        found.push_back(
            {.address = *text, .port = host.service.port, .direct_tls = host.service.direct_tls, .pins = pins});
      }
    }
  }

  void all_told() {
    std::vector<ServerAddress> found;
    bool forged = false;
    bool silent = plain_.verdict == Verdict::none || direct_.verdict == Verdict::none;
    for (const Host& host : hosts_) {
      const Verdict verdicts[] = {host.v6.verdict, host.v4.verdict, host.tlsa ? host.tlsa->verdict : Verdict::secure};
      forged = forged || std::ranges::count(verdicts, Verdict::bogus) > 0;
      silent = silent || std::ranges::count(verdicts, Verdict::none) > 0;
      if (std::ranges::count(verdicts, Verdict::bogus) > 0) continue;
      if (host.tlsa && host.tlsa->verdict == Verdict::none) continue;
      add(found, host);
    }
    if (!found.empty()) return then_(std::move(found));
    if (forged) return give_up_forged();
    if (named_) return give_up("the hosts that its SRV records name have no address");
    if (silent) return give_up("DNS does not answer");
    give_up("DNS knows no such domain", true);
  }

  Resolver& resolver_;
  const std::string domain_;
  Random& random_;
  std::move_only_function<void(ServerFound)> then_;
  std::vector<Ask> asks_;
  std::atomic<std::size_t> open_ = 0;
  Step next_ = nullptr;
  DnsAnswer plain_;
  DnsAnswer direct_;
  bool named_ = false;  ///< by SRV records
  std::vector<Host> hosts_;
};

}  // namespace

void look_up_server(Resolver& resolver, const std::string& domain, Random& random,
                    std::move_only_function<void(ServerFound)> then) {
  // An address is its own name.
  const bool bracketed = domain.starts_with('[') && domain.ends_with(']');
  const std::string bare = bracketed ? domain.substr(1, domain.size() - 2) : domain;
  if (is_numeric(bare)) {
    then(std::vector<ServerAddress>{{.address = bare, .port = default_port}});
    return;
  }
  std::make_shared<Lookup>(resolver, domain, random, std::move(then))->begin();
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
