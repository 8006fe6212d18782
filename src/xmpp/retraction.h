// Message Retraction (XEP-0424 v0.4.2), as far as an archive needs it: which message another takes back, and what is
// left of it. Also as clients wrote it before (v0.3: urn:xmpp:message-retract:0 in XEP-0422's <apply-to/>). No state.
//
// Limits: ids of more than `most_id_bytes` retract nothing, since each tombstone repeats the retraction's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "xml/element.h"

namespace kith::xmpp {

namespace ns {
inline constexpr std::string_view retraction = "urn:xmpp:message-retract:1";
inline constexpr std::string_view retraction_tombstone = "urn:xmpp:message-retract:1#tombstone";
inline constexpr std::string_view retraction_0 = "urn:xmpp:message-retract:0";
inline constexpr std::string_view fastening = "urn:xmpp:fasten:0";
inline constexpr std::string_view correction = "urn:xmpp:message-correct:0";
}  // namespace ns

inline constexpr std::size_t most_id_bytes = 512;

/// The id of the message that this one takes back; nothing if it takes back none, or several.
std::optional<std::string> retracted_id(const xml::Element& message);

/// By which id a retraction means this message: its own, or that of the message that it corrects (XEP-0308). Nothing if
/// it has none, or is a retraction itself.
std::optional<std::string> retractable_id(const xml::Element& message);

/// True if it says something else instead of an earlier message (XEP-0308).
bool is_correction(const xml::Element& message);

/// What is left of `message`: its addresses, type and ids, and that it was taken back by the message `retraction_id`,
/// at `when`. Source: XEP-0424 "Tombstones".
xml::Element tombstone(const xml::Element& message, std::string_view retraction_id, WallTime when);

}  // namespace kith::xmpp
