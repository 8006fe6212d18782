// Which messages go into an account's archive. A pure rule; what XEP-0313 §5.1.1 leaves to the server is decided here.
#pragma once

#include "xmpp/stanza.h"

namespace kith::modules {

/// True for a message of type chat or normal that is part of a conversation: text, an encrypted payload, a receipt, a
/// displayed marker, a reaction, a retraction, a call, an invitation to a room. Not what passes by (chat states), nor
/// what its sender wants kept nowhere (XEP-0334); `<store/>` keeps anything.
bool worth_archiving(const xmpp::Stanza& message);

}  // namespace kith::modules
