// The verification strings of entity capabilities (XEP-0115 v1.6.0 §5, XEP-0390 v0.3.2 §4) of a disco#info answer. Pure
// functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "xml/element.h"

namespace kith::xmpp {

namespace ns {
inline constexpr std::string_view caps2 = "urn:xmpp:caps";
inline constexpr std::string_view hashes = "urn:xmpp:hashes:2";
}  // namespace ns

/// The value of `ver` in base64: the hash of the identities, features and extended forms of `query` in their canonical
/// order. Nothing if `query` is ill-formed by §5.4 (an identity, feature or form twice, or a FORM_TYPE with several
/// values), or the algorithm is neither sha-1 nor sha-256. A form without hidden FORM_TYPE is left out.
std::optional<std::string> caps_hash(const xml::Element& query, std::string_view algorithm = "sha-1");

/// The hash of XEP-0390 §4.1 in base64. Nothing if `query` has what that section does not allow, or the algorithm is
/// not sha-256.
std::optional<std::string> caps2_hash(const xml::Element& query, std::string_view algorithm);

}  // namespace kith::xmpp
