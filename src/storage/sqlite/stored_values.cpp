#include "storage/sqlite/stored_values.h"

#include <charconv>

namespace kith::storage::sqlite {

std::optional<xmpp::BareJid> bare_jid_from(std::string_view text) {
  constexpr std::size_t most_part_bytes = 1023;  // RFC 7622 §3.1
  const std::size_t at = text.find('@');
  const std::string_view localpart = at == std::string_view::npos ? std::string_view() : text.substr(0, at);
  const std::string_view domainpart = at == std::string_view::npos ? text : text.substr(at + 1);
  if (at == 0 || localpart.size() > most_part_bytes) return std::nullopt;
  if (domainpart.empty() || domainpart.size() > most_part_bytes) return std::nullopt;
  if (text.find('/') != std::string_view::npos || domainpart.find('@') != std::string_view::npos) return std::nullopt;
  return xmpp::BareJid::from_stored(std::string(text));
}

std::string list_to_column(const std::vector<std::string>& list) {
  std::string column;
  for (const std::string& entry : list) {
    column += std::to_string(entry.size());
    column += ':';
    column += entry;
  }
  return column;
}

std::optional<std::vector<std::string>> list_from(std::string_view column) {
  std::vector<std::string> list;
  while (!column.empty()) {
    std::size_t size = 0;
    const char* const end = column.data() + column.size();
    const auto [after, error] = std::from_chars(column.data(), end, size);
    if (error != std::errc() || after == end || *after != ':') return std::nullopt;
    column.remove_prefix(static_cast<std::size_t>(after - column.data()) + 1);
    if (size > column.size()) return std::nullopt;
    list.emplace_back(column.substr(0, size));
    column.remove_prefix(size);
  }
  return list;
}

std::optional<bool> flag_from(std::int64_t number) {
  if (number == 0 || number == 1) return number == 1;
  return std::nullopt;
}

}  // namespace kith::storage::sqlite
