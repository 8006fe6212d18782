#include "modules/forgery/forgery.h"

#include <optional>
#include <string_view>

#include "xmpp/namespaces.h"

namespace kith::modules {

using module::Next;
using module::Outcome;
namespace ns = xmpp::ns;

namespace {

constexpr std::string_view carbons = "urn:xmpp:carbons:2";
constexpr std::string_view archive = "urn:xmpp:mam:2";
constexpr std::string_view archive_1 = "urn:xmpp:mam:1";
constexpr std::string_view archive_0 = "urn:xmpp:mam:0";
constexpr std::string_view archive_old = "urn:xmpp:mam:tmp";

/// True if `text` names the account or its domain, in whatever spelling.
bool is_ours(std::optional<std::string_view> text, const xmpp::BareJid& account) {
  if (!text) return false;
  if (*text == account.text() || *text == account.domainpart()) return true;
  const std::optional<xmpp::Jid> jid = xmpp::Jid::parse(*text);
  if (!jid) return false;
  return jid->bare_text() == account.text() || (!jid->has_localpart() && jid->domainpart() == account.domainpart());
}

bool is_forged(const xml::Element& child, const xmpp::BareJid& account) {
  // <private/> of the same namespace is the sender's to give.
  if (child.ns() == carbons) return child.name() == "received" || child.name() == "sent";
  if (child.ns() == archive || child.ns() == archive_1 || child.ns() == archive_0)
    return child.name() == "result" || child.name() == "fin";
  if (child.ns() == archive_old) return child.name() == "result" || child.name() == "archived";
  if (child.is("stanza-id", ns::stanza_ids)) return is_ours(child.attribute("by"), account);
  if (child.is("delay", ns::delay) || child.is("x", ns::delay_legacy)) return is_ours(child.attribute("from"), account);
  return false;
}

}  // namespace

Forgery::Forgery(const module::ModuleDeps& deps)
    : removed_(deps.events.counter("kith_forged_elements_total", "Elements taken away that only the server may add.")) {
}

void Forgery::attach(module::Hooks& hooks) {
  hooks.on<module::MessageFromClient>(module::Phase::validate, this, &Forgery::from_client);
  hooks.on<module::MessageToAccount>(module::Phase::validate, this, &Forgery::to_account);
}

void Forgery::clean(xmpp::Stanza& stanza, const xmpp::BareJid& account) {
  bool any = false;
  stanza.element().for_each_child([&](const xml::Element& child) { any = any || is_forged(child, account); });
  // OPTIMIZATION: a stanza that is shared is copied by edit(), so only if there is something to take away.
  if (!any) return;
  removed_.add(stanza.edit().remove_children([&](const xml::Element& child) { return is_forged(child, account); }));
}

Outcome Forgery::from_client(module::MessageFromClient& event) {
  clean(event.stanza, event.session.account().jid());
  return Next{};
}

Outcome Forgery::to_account(module::MessageToAccount& event) {
  // A `from` that is the account's own bare JID is the server's own work: clients are stamped with their full JID, and
  // no other server can use the domain.
  const std::optional<xmpp::Jid>& from = event.stanza.from();
  if (from && *from == event.account.jid()) return Next{};
  // Cleaned when it first came: what it bears of ours by now is true.
  if (event.redelivered) return Next{};
  clean(event.stanza, event.account.jid());
  return Next{};
}

}  // namespace kith::modules
