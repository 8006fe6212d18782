#include "stanza.h"

#include <cstring>

namespace kith::bench {

std::size_t element_size(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  int depth = 0;
  while (at < end) {
    const auto* open = static_cast<const char*>(std::memchr(at, '<', static_cast<std::size_t>(end - at)));
    if (open == nullptr || open + 1 >= end) return 0;
    const auto* close = static_cast<const char*>(std::memchr(open + 1, '>', static_cast<std::size_t>(end - open - 1)));
    if (close == nullptr) return 0;
    if (open[1] == '/') {
      --depth;
    } else if (open[1] != '?' && close[-1] != '/') {
      ++depth;
    }
    at = close + 1;
    // An XML declaration (`<?`) is no element; what follows it is.
    if (depth <= 0 && open[1] != '?') return static_cast<std::size_t>(at - begin);
  }
  return 0;
}

std::string_view attribute(std::string_view stanza, std::string_view name) {
  const std::string_view tag = stanza.substr(0, stanza.find('>'));
  for (std::size_t at = tag.find(name); at != std::string_view::npos; at = tag.find(name, at + 1)) {
    const std::size_t quote = at + name.size() + 1;
    if (at == 0 || tag[at - 1] != ' ' || quote >= tag.size() || tag[quote - 1] != '=') continue;
    const std::size_t end = tag.find(tag[quote], quote + 1);
    if (end == std::string_view::npos) return {};
    return tag.substr(quote + 1, end - quote - 1);
  }
  return {};
}

std::string_view leaf_text(std::string_view stanza, std::string_view open) {
  const std::size_t at = stanza.find(open);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = stanza.substr(at + open.size());
  return rest.substr(0, rest.find('<'));
}

}  // namespace kith::bench
