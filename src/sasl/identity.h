// Whom a login is for: the user name and the authorization identity as clients send them, made an account's address.
// Pure functions; any thread; inside the room only.
#pragma once

#include <optional>
#include <string_view>

#include "xmpp/jid.h"

namespace kith::sasl {

/// The account of `domain` (prepared) that `name` means, or nothing if no account can have that name.
/// RFC 6120 §6.3.8: the name is the localpart.
std::optional<xmpp::BareJid> account_of(std::string_view name, std::string_view domain);
/// True if `authzid` is absent (empty) or names `account` itself: nobody acts for somebody else.
bool authzid_allowed(std::string_view authzid, const xmpp::BareJid& account);

}  // namespace kith::sasl
