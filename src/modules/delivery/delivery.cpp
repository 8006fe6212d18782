#include "modules/delivery/delivery.h"

namespace kith::modules {

using module::Done;
using module::Next;
using module::Outcome;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

DeliveryFeature::DeliveryFeature(const module::ModuleDeps&) {}

void DeliveryFeature::attach(module::Hooks& hooks) {
  hooks.on<module::MessageToAccount>(module::Phase::deliver, this, &DeliveryFeature::deliver);
  hooks.on<module::MessageToAccount>(module::Phase::push, this, &DeliveryFeature::refuse_undelivered);
}

Outcome DeliveryFeature::deliver(module::MessageToAccount& event) {
  const xmpp::Stanza& message = event.stanza;
  if (message.to()->is_full()) {
    // §8.5.3.1: a session that matches gets it, whatever its presence.
    if (module::Session* session = event.account.session(message.to()->resourcepart()); session != nullptr) {
      session->send(message, event.gate);
      ++event.delivered;
      return Next{};
    }
    // §8.5.3.2.1: without a match a headline goes nowhere; the other types are as in §8.5.2.
    if (message.type() == StanzaType::headline) return Done{};
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
    if (!session->available() || session->priority() < 0) continue;
    session->send(message, event.gate);
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
