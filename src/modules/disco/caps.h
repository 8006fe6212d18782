// The verification string of entity capabilities (XEP-0115 v1.6.0 §5) of a disco#info answer. A pure function; any
// thread.
#pragma once

#include <optional>
#include <string>

#include "xml/element.h"

namespace kith::modules {

/// The value of `ver` for hash='sha-1': base64 of the SHA-1 of the identities, features and extended forms of `query`
/// in their canonical order. Nothing if `query` is ill-formed by §5.4: an identity, feature or form twice, or a
/// FORM_TYPE with several values. A form without hidden FORM_TYPE is left out.
std::optional<std::string> caps_hash(const xml::Element& query);

}  // namespace kith::modules
