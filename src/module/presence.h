// What the features around presence and subscriptions share: presence stanzas made here, and an account's current
// presence sent to one contact. On the account's shard.
#pragma once

#include "module/account.h"
#include "module/delivery.h"
#include "storage/storage.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

namespace kith::module {

/// `<presence/>` without children.
xmpp::Stanza make_presence(xmpp::StanzaType type, const xmpp::Jid& from, const xmpp::Jid& to);

/// The last broadcast presence of each available session, to `to`; returns how many.
std::size_t send_current_presence(const Account& account, const xmpp::Jid& to, Delivery& delivery,
                                  storage::Ticket gate = {});
/// Unavailable presence from each available session, to `to`: for a contact that is no longer let in.
void send_unavailable(const Account& account, const xmpp::Jid& to, Delivery& delivery, storage::Ticket gate = {});

/// Takes back what there is between the account and the item's contact, in both directions (RFC 6121 §2.5.2).
void end_subscriptions(const Account& account, const storage::RosterItem& item, Delivery& delivery,
                       storage::Ticket gate = {});

}  // namespace kith::module
