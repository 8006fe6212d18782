// Whether a stanza is the one that a scenario expects.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "xml/element.h"

namespace kith::scenario {

/// What {scansion:capture:NAME} has taken.
using Captures = std::map<std::string, std::string, std::less<>>;

/// Empty if `actual` is as `expected` says; else what differs, in one line. At the top level the actual stanza may have
/// more attributes than expected (addresses, ids); below, names, attributes, texts and the order of children must be
/// the same, unless scansion:strict='false' stands there.
std::string difference(const xml::Element& expected, const xml::Element& actual, Captures& captures);

/// The namespace that the prefix `scansion` is bound to when a stanza of a script is parsed.
inline constexpr std::string_view ns_scansion = "https://matthewwild.co.uk/projects/scansion";

}  // namespace kith::scenario
