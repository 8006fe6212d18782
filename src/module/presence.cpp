#include "module/presence.h"

#include <string>
#include <utility>

#include "xmpp/namespaces.h"

namespace kith::module {

xmpp::Stanza make_presence(xmpp::StanzaType type, const xmpp::Jid& from, const xmpp::Jid& to) {
  xml::Element element("presence", xmpp::ns::client);
  if (type != xmpp::StanzaType::available) element.set("type", std::string(xmpp::wire_word(type)));
  element.set("from", from.text()).set("to", to.text());
  return xmpp::Stanza::make(std::move(element));
}

std::size_t send_current_presence(const Account& account, const xmpp::Jid& to, Delivery& delivery,
                                  storage::Ticket gate) {
  std::size_t sent = 0;
  for (const auto& session : account.sessions()) {
    if (!session->available()) continue;
    xmpp::Stanza presence = *session->presence();
    presence.set_to(to);
    delivery.route(std::move(presence), gate);
    ++sent;
  }
  return sent;
}

void send_unavailable(const Account& account, const xmpp::Jid& to, Delivery& delivery, storage::Ticket gate) {
  for (const auto& session : account.sessions()) {
    if (session->available()) delivery.route(make_presence(xmpp::StanzaType::unavailable, session->jid(), to), gate);
  }
}

void end_subscriptions(const Account& account, const storage::RosterItem& item, Delivery& delivery,
                       storage::Ticket gate) {
  using enum xmpp::StanzaType;
  if (item.state.sees_contact() || item.state.pending_out) {
    delivery.route(make_presence(unsubscribe, account.jid(), item.contact), gate);
  }
  if (item.state.seen_by_contact()) send_unavailable(account, item.contact, delivery, gate);
  // A request that waits is denied by this; otherwise the contact would believe that it waits for ever.
  if (item.state.seen_by_contact() || item.state.pending_in) {
    delivery.route(make_presence(unsubscribed, account.jid(), item.contact), gate);
  }
}

}  // namespace kith::module
