// Values as they lie in columns, read back with suspicion: a damaged or foreign row gives nothing, never a crash.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "storage/sqlite/db.h"
#include "xmpp/jid.h"

namespace kith::storage::sqlite {

inline std::int64_t to_column(WallTime when) { return when.time_since_epoch().count(); }
inline WallTime time_from(std::int64_t microseconds) { return WallTime(std::chrono::microseconds(microseconds)); }

/// The address as it was stored, not prepared again. Nothing if it does not have the shape of a bare JID.
std::optional<xmpp::BareJid> bare_jid_from(std::string_view text);

/// A list of any strings in one column: LENGTH:BYTES for each, one after the other.
std::string list_to_column(const std::vector<std::string>& list);
/// Nothing if `column` is not what list_to_column() gives.
std::optional<std::vector<std::string>> list_from(std::string_view column);

/// 0 or 1; nothing otherwise.
std::optional<bool> flag_from(std::int64_t number);

}  // namespace kith::storage::sqlite
