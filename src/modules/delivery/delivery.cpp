#include "modules/delivery/delivery.h"

#include <algorithm>
#include <deque>

#include "base/digest.h"
#include "module/message_targets.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

using module::Done;
using module::Next;
using module::Outcome;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

namespace {

/// What has looked for another way: what it was, and when it found one.
struct Redelivered {
  static constexpr std::size_t most = 1000;
  struct One {
    std::string digest;
    WallTime when;
  };
  std::deque<One> last;
};

/// Of what its sender has written, but not of what says when this server had it.
std::string digest_of(const xmpp::Stanza& message) {
  std::string text = message.from() ? message.from()->text() : std::string();
  text.append(1, '\0').append(message.id());
  message.content().for_each_child([&](const xml::Element& child) {
    if (!child.is("delay", xmpp::ns::delay)) xml::write(text, child, xmpp::ns::client);
  });
  return sha256(text);
}

}  // namespace

DeliveryFeature::DeliveryFeature(const module::ModuleDeps& deps) : clock_(deps.clock) {}

void DeliveryFeature::attach(module::Hooks& hooks) {
  hooks.on<module::MessageToAccount>(module::Phase::validate, this, &DeliveryFeature::drop_sibling);
  // Before it could be archived, or kept for later.
  hooks.on<module::MessageToAccount>(module::Phase::validate, this, &DeliveryFeature::stop_without_session);
  hooks.on<module::MessageToAccount>(module::Phase::deliver, this, &DeliveryFeature::deliver);
  hooks.on<module::MessageToAccount>(module::Phase::push, this, &DeliveryFeature::refuse_undelivered);
}

Outcome DeliveryFeature::drop_sibling(module::MessageToAccount& event) {
  if (!event.redelivered || !event.redelivered->shared(*event.stanza.to())) return Next{};
  const std::deque<Redelivered::One>& last = event.account.attachments().get<Redelivered>().last;
  if (last.empty()) return Next{};
  const std::string digest = digest_of(event.stanza);
  // One that a session was given after that is no sibling, but the same one, whose new way has ended, too.
  const auto is_sibling = [&](const Redelivered::One& one) {
    return event.redelivered->handed < one.when && one.digest == digest;
  };
  return std::ranges::any_of(last, is_sibling) ? Outcome(Done{}) : Next{};
}

void DeliveryFeature::remember(const module::MessageToAccount& event) {
  if (!event.redelivered || !event.redelivered->shared(*event.stanza.to())) return;
  std::deque<Redelivered::One>& last = event.account.attachments().get<Redelivered>().last;
  last.push_back({.digest = digest_of(event.stanza), .when = clock_.wall()});
  if (last.size() > Redelivered::most) last.pop_front();
}

// §8.5.3.2.1, Table 1 "full (no match)": only chat may go on to the account's other sessions or wait for one.
Outcome DeliveryFeature::stop_without_session(module::MessageToAccount& event) {
  const xmpp::Jid& to = *event.stanza.to();
  if (to.is_bare() || event.account.session(to.resourcepart()) != nullptr) return Next{};
  switch (event.stanza.type()) {
    case StanzaType::chat:
      return Next{};
    case StanzaType::headline:
    case StanzaType::error:
      return Done{};
    case StanzaType::normal:
      // It did match, and a session has taken it: its sender thinks no more of it.
      if (event.redelivered) return Next{};
      [[fallthrough]];
    default:
      return StanzaError::of(Condition::service_unavailable);
  }
}

Outcome DeliveryFeature::deliver(module::MessageToAccount& event) {
  const xmpp::Stanza& message = event.stanza;
  if (message.to()->is_full()) {
    // §8.5.3.1: a session that matches gets it, whatever its presence.
    if (module::Session* session = event.account.session(message.to()->resourcepart()); session != nullptr) {
      session->send(message, event.gate, event.if_failed ? &*event.if_failed : nullptr);
      ++event.delivered;
      return Next{};
    }
  }
  switch (message.type()) {
    case StanzaType::error:
      return Done{};  // It answers something that its receiver is not there to hear of; an error is never answered.
    case StanzaType::groupchat:
      return StanzaError::of(Condition::service_unavailable);
    default:
      break;
  }
  // §8.5.2.1.1
  bool sent = false;
  for (const auto& session : event.account.sessions()) {
    if (!module::is_delivered_to(event.account, message, *session)) continue;
    if (module::had_its_own(event, *session)) {
      ++event.delivered;
      continue;
    }
    session->send(message, event.gate, event.if_failed ? &*event.if_failed : nullptr);
    ++event.delivered;
    sent = true;
  }
  // As long as it is left to sessions that have their own, these may still have to look for a way for it.
  if (sent || event.delivered == 0) remember(event);
  // §8.5.2.2.1: headlines are for who is there.
  if (event.delivered == 0 && message.type() == StanzaType::headline) return Done{};
  return Next{};
}

// What was neither delivered nor taken over by anybody before the last phase.
Outcome DeliveryFeature::refuse_undelivered(module::MessageToAccount& event) {
  if (event.delivered == 0) return StanzaError::of(Condition::service_unavailable);
  return Next{};
}

}  // namespace kith::modules
