#include "xml/declaration.h"

#include <algorithm>

#include "xml/characters.h"

namespace kith::xml {
namespace {

/// Reads `name = 'value'` with white space before it; true and the value if it is there.
bool take_pseudo_attribute(std::string_view& rest, std::string_view name, std::string_view& value) {
  std::string_view text = rest;
  const auto skip_space = [&text] {
    const std::size_t before = text.size();
    while (!text.empty() && is_a(text.front(), white_space)) text.remove_prefix(1);
    return text.size() != before;
  };
  if (!skip_space() || !text.starts_with(name)) return false;
  text.remove_prefix(name.size());
  skip_space();
  if (!text.starts_with('=')) return false;
  text.remove_prefix(1);
  skip_space();
  if (text.empty() || (text.front() != '"' && text.front() != '\'')) return false;
  const std::size_t end = text.find(text.front(), 1);
  if (end == std::string_view::npos) return false;
  value = text.substr(1, end - 1);
  rest = text.substr(end + 1);
  return true;
}

/// XML 1.0 §2.8, VersionNum.
bool is_version(std::string_view text) {
  return text.size() > 2 && text.starts_with("1.") &&
         std::ranges::all_of(text.substr(2), [](char c) { return c >= '0' && c <= '9'; });
}

bool equal_without_case(std::string_view a, std::string_view upper) {
  return std::ranges::equal(a, upper, [](char x, char y) { return (x >= 'a' && x <= 'z' ? x - 'a' + 'A' : x) == y; });
}

}  // namespace

std::optional<ParseError> check_declaration(std::string_view declaration) {
  constexpr std::string_view opening = "<?xml";
  constexpr std::string_view closing = "?>";
  if (!declaration.starts_with(opening) || !declaration.ends_with(closing)) return ParseError::restricted_xml;
  std::string_view rest = declaration.substr(opening.size(), declaration.size() - opening.size() - closing.size());
  if (rest.empty()) return ParseError::not_well_formed;
  if (!is_a(rest.front(), white_space)) return ParseError::restricted_xml;  // <?xml-stylesheet …?>
  std::string_view value;
  if (!take_pseudo_attribute(rest, "version", value) || !is_version(value)) return ParseError::not_well_formed;
  if (take_pseudo_attribute(rest, "encoding", value) && !equal_without_case(value, "UTF-8")) {
    return ParseError::unsupported_encoding;
  }
  if (take_pseudo_attribute(rest, "standalone", value) && value != "yes" && value != "no") {
    return ParseError::not_well_formed;
  }
  if (!std::ranges::all_of(rest, [](char c) { return is_a(c, white_space); })) return ParseError::not_well_formed;
  return std::nullopt;
}

}  // namespace kith::xml
