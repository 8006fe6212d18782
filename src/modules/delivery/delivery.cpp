#include "modules/delivery/delivery.h"

#include "module/message_targets.h"

namespace kith::modules {

using module::Done;
using module::Next;
using module::Outcome;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

DeliveryFeature::DeliveryFeature(const module::ModuleDeps&) {}

void DeliveryFeature::attach(module::Hooks& hooks) {
  // Before it could be archived, or kept for later.
  hooks.on<module::MessageToAccount>(module::Phase::validate, this, &DeliveryFeature::stop_without_session);
  hooks.on<module::MessageToAccount>(module::Phase::deliver, this, &DeliveryFeature::deliver);
  hooks.on<module::MessageToAccount>(module::Phase::push, this, &DeliveryFeature::refuse_undelivered);
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
  for (const auto& session : event.account.sessions()) {
    if (!module::is_delivered_to(event.account, message, *session)) continue;
    // It had its own when the message came first.
    if (event.redelivered && message.to()->is_bare() && session->facts().since <= *event.redelivered) {
      ++event.delivered;
      continue;
    }
    session->send(message, event.gate, event.if_failed ? &*event.if_failed : nullptr);
    ++event.delivered;
  }
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
