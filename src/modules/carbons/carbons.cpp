#include "modules/carbons/carbons.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "module/message_targets.h"
#include "modules/carbons/eligible.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

namespace {

using module::Access;
using module::Next;
using module::Outcome;
using module::Session;
using module::Target;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

/// On a session.
struct WantsCopies {
  bool on = false;
};

/// On an account: which messages were copied of late. A collision of hashes copies an error that need not be.
class Copied {
 public:
  void remember(const xmpp::Jid& peer, std::string_view id) {
    if (id.empty()) return;
    last_[next_] = hash(peer, id);
    next_ = (next_ + 1) % last_.size();
  }
  bool contains(const xmpp::Jid& peer, std::string_view id) const {
    return !id.empty() && std::ranges::find(last_, hash(peer, id)) != last_.end();
  }

 private:
  static std::size_t hash(const xmpp::Jid& peer, std::string_view id) {
    return std::hash<std::string>()(std::string(peer.bare_text()) + "\n" + std::string(id));
  }
  std::array<std::size_t, 64> last_{};
  std::size_t next_ = 0;
};

bool wants_copies(Session& session) {
  const auto* state = session.attachments().find<WantsCopies>();
  return state != nullptr && state->on;
}

xmpp::Stanza copy_of(const xmpp::Stanza& message, const Session& receiver, std::string_view direction) {
  xml::Element forwarded("forwarded", "urn:xmpp:forward:0");
  forwarded.add(message.element());
  xml::Element wrapper(direction, Carbons::ns_carbons);
  wrapper.add(std::move(forwarded));
  xml::Element copy("message", xmpp::ns::client);
  copy.set("from", receiver.account().jid().text()).set("to", receiver.jid().text());
  // The type that it is taken for, not a word that nobody knows.
  if (message.type() != StanzaType::normal) copy.set("type", std::string(xmpp::wire_word(message.type())));
  copy.add(std::move(wrapper));
  return xmpp::Stanza::make(std::move(copy));
}

}  // namespace

Carbons::Carbons(const module::ModuleDeps& deps)
    : copies_(deps.events.counter("kith_carbons_total", "Copies of messages for an account's other clients.")) {}

void Carbons::attach(module::Hooks& hooks) {
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "enable", ns_carbons, this, &Carbons::enable);
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "disable", ns_carbons, this, &Carbons::disable);
  hooks.on<module::MessageFromClient>(module::Phase::copy, this, &Carbons::from_client);
  hooks.on<module::MessageToAccount>(module::Phase::copy, this, &Carbons::to_account);
  hooks.on<module::BindInlineFeatures>(this, &Carbons::offer_inline);
  hooks.on<module::BindInline>(this, &Carbons::enable_inline);
  hooks.on<module::SessionSaved>(this, &Carbons::save);
  hooks.on<module::SessionRestored>(this, &Carbons::restore);
}

// XEP-0386 §3.2
void Carbons::offer_inline(module::BindInlineFeatures& event) {
  event.features.add(xml::Element("feature", xmpp::ns::bind2).set("var", std::string(ns_carbons)));
}

void Carbons::enable_inline(module::BindInline& event) {
  if (event.request.child("enable", ns_carbons) != nullptr) event.session.attachments().get<WantsCopies>().on = true;
}

void Carbons::save(module::SessionSaved& event) {
  if (wants_copies(event.session)) event.states.emplace_back("enable", ns_carbons);
}

void Carbons::restore(module::SessionRestored& event) {
  if (event.state("enable", ns_carbons) != nullptr) event.session.attachments().get<WantsCopies>().on = true;
}

void Carbons::enable(module::IqRequest request) {
  if (request.session() == nullptr) return request.fail(StanzaError::of(Condition::not_allowed));
  request.session()->attachments().get<WantsCopies>().on = true;
  request.reply();
}

void Carbons::disable(module::IqRequest request) {
  if (request.session() == nullptr) return request.fail(StanzaError::of(Condition::not_allowed));
  request.session()->attachments().get<WantsCopies>().on = false;
  request.reply();
}

// §8
Outcome Carbons::from_client(module::MessageFromClient& event) {
  module::Account& account = event.session.account();
  const xmpp::Stanza& message = event.stanza;
  // To the account itself: to_account() sees to it, so that no client gets it twice.
  if (message.to()->bare_text() == account.jid().text()) return Next{};
  const auto wanted = [&](Session& other) { return &other != &event.session && wants_copies(other); };
  if (std::ranges::none_of(account.sessions(), [&](const auto& other) { return wanted(*other); })) return Next{};
  auto& copied = account.attachments().get<Copied>();
  const bool eligible = message.type() == StanzaType::error ? copied.contains(*message.to(), message.id())
                                                            : is_eligible_when_sent(message);
  if (!eligible) return Next{};
  copied.remember(*message.to(), message.id());
  // By its id, the account's other clients know it again when they look into the archive (XEP-0359).
  xmpp::Stanza with_id = message;
  if (event.archived) {
    with_id.edit().add(
        xml::Element("stanza-id", xmpp::ns::stanza_ids).set("by", account.jid().text()).set("id", event.archived->id));
  }
  for (const auto& other : account.sessions()) {
    if (!wanted(*other)) continue;
    if (event.archived) {
      const xmpp::Stanza if_failed = copy_of(message, *other, "sent");
      other->send(copy_of(with_id, *other, "sent"), event.archived->ticket, &if_failed);
    } else {
      other->send(copy_of(message, *other, "sent"));
    }
    copies_.add();
  }
  return Next{};
}

// §7
Outcome Carbons::to_account(module::MessageToAccount& event) {
  const xmpp::Stanza& message = event.stanza;
  if (!message.from() || event.redelivered) return Next{};
  const bool error = message.type() == StanzaType::error;
  const auto wanted = [&](Session& other) {
    return wants_copies(other) && *message.from() != other.jid() &&
           !module::is_delivered_to(event.account, message, other);
  };
  if (std::ranges::none_of(event.account.sessions(), [&](const auto& other) { return wanted(*other); })) return Next{};
  // What is for the bare JID goes to nobody if it is an error (RFC 6121 §8.5.2.1.1).
  if (error && message.to()->is_bare()) return Next{};
  auto& copied = event.account.attachments().get<Copied>();
  const bool eligible = error ? copied.contains(*message.from(), message.id()) : is_eligible_when_received(message);
  if (!eligible) return Next{};
  copied.remember(*message.from(), message.id());
  for (const auto& other : event.account.sessions()) {
    if (!wanted(*other)) continue;
    std::optional<xmpp::Stanza> if_failed;
    if (event.if_failed) if_failed = copy_of(*event.if_failed, *other, "received");
    other->send(copy_of(message, *other, "received"), event.gate, if_failed ? &*if_failed : nullptr);
    copies_.add();
  }
  return Next{};
}

}  // namespace kith::modules
