#include "module/archive_preferences.h"

#include <algorithm>

namespace kith::module {

namespace {

bool lists(const ArchivePreferences::Jids& jids, const xmpp::Jid& peer) {
  return jids.contains(peer.text()) || jids.contains(peer.bare_text());
}

}  // namespace

ArchivePreferences ArchivePreferences::from_document(std::string_view document) {
  ArchivePreferences preferences;
  while (!document.empty()) {
    const std::size_t end = std::min(document.find('\n'), document.size());
    const std::string_view line = document.substr(0, end);
    if (line == "=never") preferences.otherwise = Default::never;
    if (line == "=roster") preferences.otherwise = Default::roster;
    if (line.starts_with('+')) preferences.always.emplace(line.substr(1));
    if (line.starts_with('-')) preferences.never.emplace(line.substr(1));
    document.remove_prefix(std::min(end + 1, document.size()));
  }
  return preferences;
}

std::string ArchivePreferences::to_document() const {
  std::string document = otherwise == Default::never ? "=never\n" : otherwise == Default::roster ? "=roster\n" : "";
  for (const std::string& jid : always) document.append("+").append(jid).push_back('\n');
  for (const std::string& jid : never) document.append("-").append(jid).push_back('\n');
  return document;
}

bool ArchivePreferences::wants(const xmpp::Jid& peer, const Roster& roster) const {
  if (!never.empty() && lists(never, peer)) return false;
  if (!always.empty() && lists(always, peer)) return true;
  if (otherwise != Default::roster) return otherwise == Default::always;
  const storage::RosterItem* const item = roster.find(xmpp::BareJid::of(peer));
  return item != nullptr && item->in_roster;
}

}  // namespace kith::module
