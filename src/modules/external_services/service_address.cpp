#include "modules/external_services/service_address.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/encoding.h"
#include "xmpp/jid.h"

namespace kith::modules {

namespace {
constexpr std::string_view no_address =
    "is no address of a STUN or TURN server, as in \"stun:stun.example.org:3478\" or "
    "\"turns:turn.example.org:5349?transport=tcp\"";

bool is_ipv6_text(std::string_view host) {
  return host.contains(':') &&
         std::ranges::all_of(host, [](char c) { return std::string_view("0123456789abcdefABCDEF:.").contains(c); });
}
}  // namespace

std::expected<ServiceAddress, std::string> parse_service_address(const std::string& text) {
  const auto refused = [] { return std::unexpected(std::string(no_address)); };
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return refused();
  ServiceAddress made{.type = text.substr(0, colon), .host = {}, .transport = {}};
  const bool tls = made.type.ends_with('s');
  if (made.type != "stun" && made.type != "stuns" && made.type != "turn" && made.type != "turns") return refused();
  made.port = tls ? 5349 : 3478;
  made.transport = tls ? "tcp" : "udp";

  std::string_view rest = std::string_view(text).substr(colon + 1);
  if (const std::size_t question = rest.find('?'); question != std::string_view::npos) {
    const std::string_view query = rest.substr(question + 1);
    if (query != "transport=udp" && query != "transport=tcp") return refused();
    made.transport = query.substr(query.size() - 3);
    rest = rest.substr(0, question);
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return refused();
    made.host = rest.substr(1, end - 1);
    if (!is_ipv6_text(made.host)) return refused();
    rest = rest.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return refused();
    port = rest.empty() ? rest : rest.substr(1);
    if (!rest.empty() && port.empty()) return refused();
  } else {
    const std::size_t end = rest.find(':');
    const std::optional<std::string> host = xmpp::prepare_domainpart(rest.substr(0, end));
    if (!host) return refused();
    // What clients look up in DNS.
    made.host = xmpp::domain_to_ascii(*host);
    if (end != std::string_view::npos) {
      port = rest.substr(end + 1);
      if (port.empty()) return refused();
    }
  }
  if (port.empty()) return made;
  const std::optional<std::uint16_t> number = parse_number<std::uint16_t>(port);
  if (!number || *number == 0) return refused();
  made.port = *number;
  return made;
}

}  // namespace kith::modules
