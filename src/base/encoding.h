// base64 (RFC 4648), hex and decimal numbers. Decoders are strict: a stray character, a wrong length or non-zero spare
// bits give nothing.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

namespace kith {

std::string base64_encode(std::string_view bytes);
/// Nothing if `text` is not the one canonical encoding of some bytes.
std::optional<std::string> base64_decode(std::string_view text);
/// The URL-safe alphabet, without padding.
std::string base64url_encode(std::string_view bytes);
/// Lower case.
std::string hex_encode(std::string_view bytes);
std::optional<std::string> hex_decode(std::string_view text);

/// Nothing if `text` is not just a decimal number that fits: a minus only for signed types, never a plus or a space.
template <std::integral T>
std::optional<T> parse_number(std::string_view text) {
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// True if `text` is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace kith
