// Dates and times as XMPP writes them (XEP-0082).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace kith::xmpp {

/// 2026-11-23T20:00:00Z, or with milliseconds 2026-11-23T20:00:00.123Z if they are not zero and `milliseconds`.
std::string format_datetime(WallTime time, bool milliseconds = true);
/// The profile of XEP-0082 with fraction and offset; nothing for anything else.
std::optional<WallTime> parse_datetime(std::string_view text);

}  // namespace kith::xmpp
