// To which of an account's sessions a message goes (RFC 6121 §8.5.2.1.1, §8.5.3.1), for the feature that delivers it
// and for those that see to the other sessions. On the account's shard.
#pragma once

#include "module/account.h"
#include "module/hooks.h"
#include "xmpp/stanza.h"

namespace kith::module {

/// True if the delivery rules bring `message`, of any type but groupchat and error to a bare JID, to `session` itself.
bool is_delivered_to(const Account& account, const xmpp::Stanza& message, const Session& session);

/// True if `session` was there when the message of `event`, which looks for another way now, came first, and had its
/// own then.
bool had_its_own(const MessageToAccount& event, const Session& session);

}  // namespace kith::module
