#include "modules/forgery/forgery.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "module/archive_query.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

using module::Next;
using module::Outcome;
namespace ns = xmpp::ns;

namespace {

constexpr std::string_view carbons = "urn:xmpp:carbons:2";
constexpr std::string_view archive_old = "urn:xmpp:mam:tmp";

/// The archives that a session has asked, newest last.
struct AskedArchives {
  std::deque<std::string> addresses;
};

/// True if `text` names the account or its domain, in whatever spelling.
bool is_ours(std::optional<std::string_view> text, const xmpp::BareJid& account) {
  if (!text) return false;
  if (*text == account.text() || *text == account.domainpart()) return true;
  const std::optional<xmpp::Jid> jid = xmpp::Jid::parse(*text);
  if (!jid) return false;
  return jid->bare_text() == account.text() || (!jid->has_localpart() && jid->domainpart() == account.domainpart());
}

bool is_forged(const xml::Element& child, const xmpp::BareJid& account, bool answer_of_archive) {
  // <private/> of the same namespace is the sender's to give.
  if (child.ns() == carbons) return child.name() == "received" || child.name() == "sent";
  if (module::is_archive_namespace(child.ns()))
    return !answer_of_archive && (child.name() == "result" || child.name() == "fin");
  if (child.ns() == archive_old) return child.name() == "result" || child.name() == "archived";
  if (child.is("stanza-id", ns::stanza_ids)) return is_ours(child.attribute("by"), account);
  if (child.is("delay", ns::delay) || child.is("x", ns::delay_legacy)) return is_ours(child.attribute("from"), account);
  return false;
}

/// SECURITY: it goes to the session that has asked, from whom it has asked.
bool is_answer_of_archive(const module::MessageToAccount& event) {
  const std::optional<xmpp::Jid>& to = event.stanza.to();
  const std::optional<xmpp::Jid>& from = event.stanza.from();
  if (!to || !to->is_full() || !from || !from->is_bare()) return false;
  module::Session* const session = event.account.session(to->resourcepart());
  const AskedArchives* asked = session == nullptr ? nullptr : session->attachments().find<AskedArchives>();
  return asked != nullptr && std::ranges::find(asked->addresses, from->text()) != asked->addresses.end();
}

}  // namespace

Forgery::Forgery(const module::ModuleDeps& deps)
    : removed_(deps.events.counter("kith_forged_elements_total", "Elements taken away that only the server may add.")) {
}

void Forgery::attach(module::Hooks& hooks) {
  hooks.on<module::MessageFromClient>(module::Phase::validate, this, &Forgery::from_client);
  hooks.on<module::MessageToAccount>(module::Phase::validate, this, &Forgery::to_account);
  hooks.on<module::IqFromClient>(module::Phase::validate, this, &Forgery::asks);
}

Outcome Forgery::asks(module::IqFromClient& event) {
  const xml::Element* payload = event.stanza.payload();
  if (event.stanza.type() != xmpp::StanzaType::set || payload == nullptr || payload->name() != "query" ||
      !module::is_archive_namespace(payload->ns()))
    return Next{};
  auto& addresses = event.session.attachments().get<AskedArchives>().addresses;
  const std::string& address = event.stanza.to()->text();
  if (const auto found = std::ranges::find(addresses, address); found != addresses.end()) addresses.erase(found);
  addresses.push_back(address);
  if (addresses.size() > most_asked) addresses.pop_front();
  return Next{};
}

void Forgery::clean(xmpp::Stanza& stanza, const xmpp::BareJid& account, bool answer_of_archive) {
  const auto forged = [&](const xml::Element& child) { return is_forged(child, account, answer_of_archive); };
  bool any = false;
  stanza.content().for_each_child([&](const xml::Element& child) { any = any || forged(child); });
  // OPTIMIZATION: a stanza that is shared is copied by edit(), so only if there is something to take away.
  if (!any) return;
  removed_.add(stanza.edit().remove_children(forged));
}

Outcome Forgery::from_client(module::MessageFromClient& event) {
  clean(event.stanza, event.session.account().jid(), false);
  return Next{};
}

Outcome Forgery::to_account(module::MessageToAccount& event) {
  // A `from` that is the account's own bare JID is the server's own work: clients are stamped with their full JID, and
  // no other server can use the domain.
  const std::optional<xmpp::Jid>& from = event.stanza.from();
  if (from && *from == event.account.jid()) return Next{};
  // Cleaned when it first came: what it bears of ours by now is true.
  if (event.redelivered) return Next{};
  clean(event.stanza, event.account.jid(), is_answer_of_archive(event));
  return Next{};
}

}  // namespace kith::modules
