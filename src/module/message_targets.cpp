#include "module/message_targets.h"

namespace kith::module {

bool is_delivered_to(const Account& account, const xmpp::Stanza& message, const Session& session) {
  const xmpp::Jid& to = *message.to();
  if (to.is_full()) {
    if (const Session* match = account.session(to.resourcepart()); match != nullptr) return match == &session;
  }
  return session.available() && session.priority() >= 0;
}

bool had_its_own(const MessageToAccount& event, const Session& session) {
  return event.redelivered && event.redelivered->shared(*event.stanza.to()) && session.receives_since() &&
         *session.receives_since() < event.redelivered->handed;
}

}  // namespace kith::module
