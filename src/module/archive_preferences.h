// Whose messages an account wants in its archive (XEP-0441 v0.2.0). Lives on the account, on its shard; in memory as
// long as the account is, since no message may pass before it is known. Stored as one document. The feature `archive`
// changes it and keeps it small.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "module/roster.h"
#include "xmpp/jid.h"

namespace kith::module {

struct ArchivePreferences {
  enum class Default : std::uint8_t { always, never, roster };
  using Jids = std::set<std::string, std::less<>>;

  /// The kind of its document; the key is empty.
  static constexpr std::string_view kind = "archive-preferences";

  /// What makes no sense is left out.
  static ArchivePreferences from_document(std::string_view document);
  std::string to_document() const;
  /// §2.1, §2.3: `peer` is whom the message is to, or from.
  bool wants(const xmpp::Jid& peer, const Roster& roster) const;

  Default otherwise = Default::always;
  Jids always{};  ///< prepared
  Jids never{};
};

}  // namespace kith::module
