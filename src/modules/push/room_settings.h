// What an account's owner wants to be woken for of a room's messages, as the room's bookmark says (XEP-0402 §3,
// XEP-0492 v0.2.0). Values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "xml/element.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

namespace kith::modules {

inline constexpr std::size_t most_bookmark_bytes = 64 * 1024;

enum class Notify : std::uint8_t { always, on_mention, never };

struct RoomSettings {
  /// Whoever is told of a room here has it among his private groups, or has asked to be told: both mean always.
  Notify notify = Notify::always;
  bool autojoin = false;  ///< his clients enter it of their own accord
  std::string nick{};     ///< his in the room; empty: not known

  /// Of `<conference xmlns='urn:xmpp:bookmarks:1'/>`. Of what the owner says for each sort of client that for phones
  /// counts, since they are what is woken.
  static RoomSettings of(const xml::Element& conference);
};

/// True if the message names its receiver: by his nick as a word, by his address or nick in a reference (XEP-0372), or
/// as the one who is replied to (XEP-0461). What is encrypted may do it: the client must see.
bool mentions(const xmpp::Stanza& message, std::string_view nick, const xmpp::BareJid& receiver);

/// Whether the room's message is worth waking for. `absent`: nobody of the account is in the room, so that it is not
/// his own.
bool is_wanted(const RoomSettings& settings, const xmpp::Stanza& message, const xmpp::BareJid& receiver, bool absent);

}  // namespace kith::modules
