#include "module/roster_push.h"

#include <utility>

#include "base/encoding.h"
#include "xmpp/namespaces.h"
#include "xmpp/stanza.h"

namespace kith::module {

bool is_shown(const storage::RosterItem& item) { return item.in_roster || item.state.approved; }

xml::Element roster_item_element(const storage::RosterItem& item) {
  xml::Element element("item", xmpp::ns::roster);
  element.set("jid", item.contact.text());
  if (!item.name.empty()) element.set("name", item.name);
  element.set("subscription", std::string(xmpp::wire_word(item.state.subscription)));
  if (item.state.pending_out) element.set("ask", "subscribe");
  if (item.state.approved) element.set("approved", "true");
  for (const std::string& group : item.groups) element.add_text_child("group", group);
  return element;
}

std::string roster_version_text(const Account& account, std::uint64_t version) {
  return std::to_string(account.created().time_since_epoch().count()) + '-' + std::to_string(version);
}

std::optional<std::uint64_t> roster_version_from(const Account& account, std::string_view text) {
  const std::string epoch = std::to_string(account.created().time_since_epoch().count()) + '-';
  if (!text.starts_with(epoch)) return std::nullopt;
  text.remove_prefix(epoch.size());
  return parse_number<std::uint64_t>(text);
}

xmpp::Stanza roster_push(const Account& account, const Session& session, xml::Element item, std::uint64_t version) {
  xml::Element query("query", xmpp::ns::roster);
  query.set("ver", roster_version_text(account, version));
  query.add(std::move(item));
  xml::Element push("iq", xmpp::ns::client);
  // RFC 6121 §2.1.6: it comes from the account itself; clients refuse pushes from anybody else.
  push.set("type", "set").set("id", "roster-" + std::to_string(version));
  push.set("from", account.jid().text()).set("to", session.jid().text());
  push.add(std::move(query));
  return xmpp::Stanza::make(std::move(push));
}

namespace {

void push_to_interested(const Account& account, const xml::Element& item, storage::Ticket gate) {
  for (const auto& session : account.sessions()) {
    if (session->interested()) session->send(roster_push(account, *session, item, account.roster().version()), gate);
  }
}

}  // namespace

void push_roster_item(const Account& account, const storage::RosterItem& item, storage::Ticket gate) {
  if (is_shown(item)) push_to_interested(account, roster_item_element(item), gate);
}

void push_roster_removal(const Account& account, const xmpp::BareJid& contact, storage::Ticket gate) {
  xml::Element item("item", xmpp::ns::roster);
  item.set("jid", contact.text()).set("subscription", "remove");
  push_to_interested(account, item, gate);
}

}  // namespace kith::module
