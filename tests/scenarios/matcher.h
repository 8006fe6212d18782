// Whether a stanza is the one that a scenario expects.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "xml/element.h"

namespace kith::scenario {

/// What {scansion:capture:NAME} has taken.
using Captures = std::map<std::string, std::string, std::less<>>;

/// How an element without scansion:strict='…' is compared. Strictly: attributes, texts, children and their order are
/// the same. Not strictly: what is expected is there, in any order, and there may be more.
enum class Rules {
  of_the_format,  ///< what is in jabber:client not strictly, what has a namespace of its own strictly
  strict,         ///< strictly, but that a stanza may have more attributes than expected (addresses, ids)
};

/// A `<stanza-id/>` (XEP-0359) that a stanza has and a script does not speak of is passed over.
///
/// Empty if `actual` is as `expected` says; else what differs, in one line.
std::string difference(const xml::Element& expected, const xml::Element& actual, Captures& captures, Rules rules);

/// The namespace that the prefix `scansion` is bound to when a stanza of a script is parsed.
inline constexpr std::string_view ns_scansion = "https://matthewwild.co.uk/projects/scansion";

}  // namespace kith::scenario
