// Which messages are copied to an account's other clients (XEP-0280 v1.0.1 §6.1). Pure functions; errors are judged by
// what they answer, so not here.
#pragma once

#include "xmpp/stanza.h"

namespace kith::modules {

/// Of a message from one of the account's own clients.
bool is_eligible_when_sent(const xmpp::Stanza& message);
/// Of a message to the account. Unlike its own ones, private messages out of a room are not copied: the room sends them
/// to each of its clients that have joined.
bool is_eligible_when_received(const xmpp::Stanza& message);

}  // namespace kith::modules
