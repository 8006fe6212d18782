#include "module/message_targets.h"

namespace kith::module {

bool is_delivered_to(const Account& account, const xmpp::Stanza& message, const Session& session) {
  const xmpp::Jid& to = *message.to();
  if (to.is_full()) {
    if (const Session* match = account.session(to.resourcepart()); match != nullptr) return match == &session;
  }
  return session.available() && session.priority() >= 0;
}

}  // namespace kith::module
