#include "modules/presence/presence.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "module/presence.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

using module::Account;
using module::Done;
using module::Next;
using module::Outcome;
using module::Session;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;
namespace ns = xmpp::ns;

namespace {

constexpr std::string_view whitespace = " \t\r\n";

/// §4.7.2.3: an integer from −128 to 127; nothing if it is something else, 0 if it is left out.
std::optional<int> priority_of(const xml::Element& presence) {
  const xml::Element* element = presence.child("priority", ns::client);
  if (element == nullptr) return 0;
  const std::string text = element->text();
  std::string_view digits = text;
  digits.remove_prefix(std::min(digits.find_first_not_of(whitespace), digits.size()));
  digits = digits.substr(0, digits.find_last_not_of(whitespace) + 1);
  // xs:byte, which it is by the schema, allows a plus.
  if (digits.starts_with('+')) {
    digits.remove_prefix(1);
    if (digits.starts_with('-')) return std::nullopt;
  }
  int priority = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), priority);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (priority < -128 || priority > 127) return std::nullopt;
  return priority;
}

std::string status_of(const xml::Element& presence) {
  const xml::Element* status = presence.child("status", ns::client);
  return status == nullptr ? std::string() : status->text();
}

bool was_told(const Account& account, const xmpp::Jid& somebody) {
  const xmpp::BareJid bare = xmpp::BareJid::of(somebody);
  for (const auto& session : account.sessions()) {
    if (session->directed().contains(somebody) || session->directed().contains(bare)) return true;
  }
  return false;
}

}  // namespace

PresenceFeature::PresenceFeature(const module::ModuleDeps& deps)
    : clock_(deps.clock),
      events_(deps.events),
      delivery_(deps.delivery),
      accounts_(deps.stores.accounts),
      limits_(deps.limits) {}

void PresenceFeature::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  hooks.on<module::PresenceFromClient>(module::Phase::validate, this, &PresenceFeature::check);
  hooks.on<module::PresenceFromClient>(module::Phase::deliver, this, &PresenceFeature::from_client);
  hooks.on<module::PresenceToAccount>(module::Phase::deliver, this, &PresenceFeature::to_account);
  hooks.on<module::SessionEnded>(this, &PresenceFeature::session_ended);
}

// --- from the account's clients
// ----------------------------------------------------------------------------------------------

Outcome PresenceFeature::check(module::PresenceFromClient& event) {
  const bool broadcast = !event.stanza.to();
  if (event.stanza.type() == StanzaType::available && broadcast && !priority_of(event.stanza.content())) {
    return StanzaError::of(Condition::bad_request, "The priority is not a number from -128 to 127.");
  }
  if (event.stanza.type() == StanzaType::probe && broadcast)
    return StanzaError::of(Condition::bad_request, "Whom to probe?");
  return Next{};
}

Outcome PresenceFeature::from_client(module::PresenceFromClient& event) {
  Session& session = event.session;
  const xmpp::Stanza& stanza = event.stanza;
  if (stanza.to()) return directed(session, stanza);
  if (stanza.type() == StanzaType::available) {
    become_available(session, stanza);
  } else if (stanza.type() == StanzaType::unavailable) {
    become_unavailable(session, stanza);
  }
  // An error for nobody in particular says nothing.
  return Done{};
}

void PresenceFeature::broadcast(const Account& account, xmpp::Stanza stanza) {
  stanza.share();
  for (const auto& [contact, item] : account.roster().items()) {
    if (!item.state.seen_by_contact() || account.block_list().blocks(contact)) continue;
    xmpp::Stanza copy = stanza;
    copy.set_to(contact);
    delivery_.route(std::move(copy));
  }
  stanza.set_to(account.jid());
  for (const auto& session : account.sessions()) {
    if (session->available()) session->send(stanza);
  }
}

// §4.2, §4.4
void PresenceFeature::become_available(Session& session, const xmpp::Stanza& stanza) {
  const bool initial = !session.available();
  const Account& account = session.account();
  session.set_presence(stanza, priority_of(stanza.content()).value_or(0), clock_.wall());
  // §4.2.2: "all available resources" includes the one that this comes from.
  broadcast(account, stanza);
  if (initial) {
    for (const auto& other : account.sessions()) {
      if (other.get() == &session || !other->available()) continue;
      xmpp::Stanza presence = *other->presence();
      presence.set_to(session.jid());
      session.send(presence);
    }
    // §4.3.1. In the name of the full JID, so that the answers don't come to the other resources again.
    for (const auto& [contact, item] : account.roster().items()) {
      if (item.state.sees_contact() && !account.block_list().blocks(contact))
        delivery_.route(module::make_presence(StanzaType::probe, session.jid(), contact));
    }
  }
  module::SessionAvailable event{session, initial};
  hooks_->run(event);
}

// §4.5
void PresenceFeature::become_unavailable(Session& session, const xmpp::Stanza& stanza) {
  const bool was_available = session.available();
  take_back_directed(session, stanza);
  session.set_presence(std::nullopt, 0, clock_.wall());
  if (!was_available) return;
  broadcast(session.account(), stanza);
  remember_last_seen(session.account(), status_of(stanza.content()));
  module::SessionUnavailable event{session};
  hooks_->run(event);
}

// §4.6
Outcome PresenceFeature::directed(Session& session, const xmpp::Stanza& stanza) {
  const xmpp::Jid& to = *stanza.to();
  if (stanza.type() == StanzaType::unavailable) {
    session.directed().erase(to);
    return Next{};
  }
  if (stanza.type() != StanzaType::available) return Next{};
  // §4.6.3: who gets the broadcasts will be told by them when the session goes.
  const xmpp::BareJid bare = xmpp::BareJid::of(to);
  const Account& account = session.account();
  const bool told_anyway =
      session.available() && to.is_bare() && (bare == account.jid() || account.roster().lets_see(bare));
  if (told_anyway || session.directed().contains(to)) return Next{};
  if (session.directed().size() >= limits_.directed_presences) {
    events_.limit_hit("directed_presences");
    return StanzaError::of(Condition::resource_constraint, "Too many addresses with directed presence.");
  }
  session.directed().insert(to);
  return Next{};
}

// §4.6.3: whoever was told of the session is told of its end. Contacts who get the broadcast, too, get it once.
void PresenceFeature::take_back_directed(Session& session, const xmpp::Stanza& stanza) {
  const Account& account = session.account();
  for (const xmpp::Jid& to : std::exchange(session.directed(), {})) {
    // Who was blocked after it was told was told of the end then.
    if (account.block_list().blocks(to)) continue;
    if (session.available() && to.is_bare() && account.roster().lets_see(xmpp::BareJid::of(to))) continue;
    xmpp::Stanza copy = stanza;
    copy.set_to(to);
    delivery_.route(std::move(copy));
  }
}

void PresenceFeature::session_ended(module::SessionEnded& event) {
  Session& session = event.session;
  xml::Element element("presence", ns::client);
  element.set("type", "unavailable").set("from", session.jid().text());
  const xmpp::Stanza unavailable = xmpp::Stanza::make(std::move(element));
  take_back_directed(session, unavailable);
  if (!session.available()) return;
  broadcast(event.account, unavailable);
  remember_last_seen(event.account, {});
}

void PresenceFeature::remember_last_seen(const Account& account, std::string status) {
  if (account.has_available_session()) return;
  // Nobody is told that this is done, so nothing waits for it.
  accounts_.set_last_seen(account.jid(), {clock_.wall(), std::move(status)});
}

// --- to the account
// ----------------------------------------------------------------------------------------------------------

Outcome PresenceFeature::to_account(module::PresenceToAccount& event) {
  const Account& account = event.account;
  const xmpp::Stanza& stanza = event.stanza;
  switch (stanza.type()) {
    case StanzaType::probe:
      answer_probe(account, stanza, event.gate);
      return Done{};
    case StanzaType::available:
    case StanzaType::unavailable:
    case StanzaType::error:
      break;
    default:
      return Next{};
  }
  if (stanza.to()->is_full()) {
    // §8.5.3: to that session, available or not (a room answers to who has joined it without broadcasting); else to
    // nobody.
    Session* const session = account.session(stanza.to()->resourcepart());
    if (session != nullptr) session->send(stanza, event.gate);
    return Done{};
  }
  // §8.5.2.1.2
  for (const auto& session : account.sessions()) {
    if (session->available()) session->send(stanza, event.gate);
  }
  return Done{};
}

// §4.3.2
void PresenceFeature::answer_probe(const Account& account, const xmpp::Stanza& probe, storage::Ticket gate) {
  const xmpp::Jid& asker = *probe.from();
  const xmpp::BareJid contact = xmpp::BareJid::of(asker);
  gate = storage::later(gate, account.roster().last_write());
  if (contact != account.jid() && !account.roster().lets_see(contact)) {
    // SECURITY: the answer is the same for an account that does not exist. Who was told of a session by directed
    // presence knows it already, learns no more here, and must not be told off.
    // One who waits for an answer to his request must not take this for it.
    if (!was_told(account, asker) && !account.roster().state_of(contact).pending_in) {
      delivery_.route(module::make_presence(StanzaType::unsubscribed, account.jid(), contact), gate);
    }
    return;
  }
  if (probe.to()->is_full()) {
    const Session* session = account.session(probe.to()->resourcepart());
    if (session != nullptr && session->available()) {
      xmpp::Stanza presence = *session->presence();
      presence.set_to(asker);
      delivery_.route(std::move(presence), gate);
    } else {
      delivery_.route(module::make_presence(StanzaType::unavailable, *probe.to(), asker), gate);
    }
    return;
  }
  if (module::send_current_presence(account, asker, delivery_, gate) == 0) {
    delivery_.route(module::make_presence(StanzaType::unavailable, account.jid(), asker), gate);
  }
}

}  // namespace kith::modules
