// The XML declaration, `<?xml version='1.0' …?>`, with which a stream may begin. Values only.
#pragma once

#include <optional>
#include <string_view>

#include "xml/parse_error.h"

namespace kith::xml {

/// What is wrong with `declaration`, `<?…?>` at the start of a stream: nothing if it is an XML declaration and names no
/// encoding but UTF-8. Source: XML 1.0 §2.8, RFC 6120 §4.9.3.22, §11.6.
std::optional<ParseError> check_declaration(std::string_view declaration);

}  // namespace kith::xml
