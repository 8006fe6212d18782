// The Unicode half of address preparation, for text that is not plain ASCII; jid.cpp has the rules for ASCII and the
// limits of size. Inside this room only. What is accepted and why is written at prepare_localpart in jid.h.
// Any thread: ICU's tables are immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kith::xmpp::precis {

/// Each takes any bytes (ill-formed UTF-8 gives nothing) and gives a result that it maps to itself.
std::optional<std::string> localpart(std::string_view text);
/// Without the check that ASCII characters are letters, digits, '-', '_' and '.', which is jid.cpp's.
std::optional<std::string> domainpart(std::string_view text);
/// The form that DNS and certificates use; `domainpart` is prepared.
std::string domain_to_ascii(std::string_view domainpart);
std::optional<std::string> resourcepart(std::string_view text);
/// The IdentifierClass of RFC 8264 §4.2 with its context rules, and the bidi rule of RFC 5893 §2.
bool is_identifier(std::string_view text);

}  // namespace kith::xmpp::precis
