#include "sasl/identity.h"

namespace kith::sasl {

std::optional<xmpp::BareJid> account_of(std::string_view name, std::string_view domain) {
  // COMPAT(clients that put the whole address into the user name): `@` cannot stand in a localpart (RFC 7622 §3.3.1),
  // so that "alice@example.org" can mean nobody but alice of this domain. Any other domain is refused: the stream's
  // `to` chose it.
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    const std::optional<std::string> named = xmpp::prepare_domainpart(name.substr(at + 1));
    if (!named || *named != domain) return std::nullopt;
    name = name.substr(0, at);
  }
  if (name.empty()) return std::nullopt;
  const std::optional<xmpp::Jid> jid = xmpp::Jid::from_parts(name, domain);
  if (!jid || !jid->has_localpart()) return std::nullopt;
  return xmpp::BareJid::of(*jid);
}

bool authzid_allowed(std::string_view authzid, const xmpp::BareJid& account) {
  if (authzid.empty()) return true;
  const std::optional<xmpp::BareJid> named = xmpp::BareJid::parse(authzid);
  return named && *named == account;
}

}  // namespace kith::sasl
