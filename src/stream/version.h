// The version of XMPP that a stream's header names. Pure; any thread.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace kith::stream {

/// True for "1.0" and any later version; RFC 6120 §4.7.5 compares the major number as an integer.
inline bool version_is_supported(std::optional<std::string_view> version) {
  if (!version) return false;
  int major = 0;
  const char* end = version->data() + version->size();
  const auto parsed = std::from_chars(version->data(), end, major);
  return parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '.' && major >= 1;
}

}  // namespace kith::stream
