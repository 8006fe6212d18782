// What becomes of the presence of contacts when their server goes and comes back; the part of Router that concerns it.
#include "module/presence.h"
#include "router/router.h"

namespace kith::router {

namespace {
/// Calls `visit(session, contact)` for each session that sees a contact of this domain.
void for_each_sight(const AccountTable& accounts, std::string_view domain, auto&& visit) {
  accounts.for_each([&](module::Account& account) {
    for (const auto& [contact, item] : account.roster().items()) {
      if (contact.domainpart() != domain || !item.state.sees_contact()) continue;
      for (const auto& session : account.sessions()) {
        if (session->available()) visit(*session, contact);
      }
    }
  });
}
}  // namespace

void Router::server_vanished(std::string_view domain) {
  const Turn turn(*this);
  for_each_sight(accounts_, domain, [](module::Session& session, const xmpp::BareJid& contact) {
    session.send(module::make_presence(xmpp::StanzaType::unavailable, contact, session.jid()));
  });
}

void Router::server_back(std::string_view domain) {
  const Turn turn(*this);
  for_each_sight(accounts_, domain, [this](module::Session& session, const xmpp::BareJid& contact) {
    route(module::make_presence(xmpp::StanzaType::probe, session.jid(), contact));
  });
}

}  // namespace kith::router
