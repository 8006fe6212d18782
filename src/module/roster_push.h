// What the features that change a roster share: items as XML, roster pushes (RFC 6121 §2.1.6) and versions
// (§2.6). On the account's shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "module/account.h"
#include "storage/storage.h"
#include "xml/element.h"
#include "xmpp/stanza.h"

namespace kith::module {

/// True if the user's clients see the item: not those that are kept for a pending request only.
bool is_shown(const storage::RosterItem& item);
/// `<item/>` in namespace jabber:iq:roster.
xml::Element roster_item_element(const storage::RosterItem& item);

/// The `ver` of a roster version. It names the account's creation, too, so that a version of an account that was
/// removed and made again is not mistaken for one of this.
std::string roster_version_text(const Account& account, std::uint64_t version);
/// Nothing if this account never gave it out in that form.
std::optional<std::uint64_t> roster_version_from(const Account& account, std::string_view text);

/// One push for one session, with the version that the roster had after that change.
xmpp::Stanza roster_push(const Account& account, const Session& session, xml::Element item, std::uint64_t version);
/// To all interested sessions, at once: a push goes before the presence that follows from it. Nothing is sent for an
/// item that is not shown.
void push_roster_item(const Account& account, const storage::RosterItem& item, storage::Ticket gate);
void push_roster_removal(const Account& account, const xmpp::BareJid& contact, storage::Ticket gate);

}  // namespace kith::module
