// The words of Multi-User Chat (XEP-0045 v1.35.5): namespaces, affiliations, roles. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "xmpp/error.h"

namespace kith::modules::muc {

namespace ns {
inline constexpr std::string_view muc = "http://jabber.org/protocol/muc";
inline constexpr std::string_view user = "http://jabber.org/protocol/muc#user";
inline constexpr std::string_view admin = "http://jabber.org/protocol/muc#admin";
inline constexpr std::string_view owner = "http://jabber.org/protocol/muc#owner";
inline constexpr std::string_view room_config = "http://jabber.org/protocol/muc#roomconfig";
inline constexpr std::string_view room_info = "http://jabber.org/protocol/muc#roominfo";
inline constexpr std::string_view request = "http://jabber.org/protocol/muc#request";
/// Of a form, of requests and of the element that they are in (§7.10).
inline constexpr std::string_view register_form = "http://jabber.org/protocol/muc#register";
inline constexpr std::string_view registration = "jabber:iq:register";
/// That messages are told to who is away. Source: Tigase, in Siskin and Prosody, too.
inline constexpr std::string_view offline = "http://tigase.org/protocol/muc#offline";
inline constexpr std::string_view traffic = "http://jabber.org/protocol/muc#traffic";
inline constexpr std::string_view stable_id = "http://jabber.org/protocol/muc#stable_id";
inline constexpr std::string_view self_ping = "http://jabber.org/protocol/muc#self-ping-optimization";
inline constexpr std::string_view occupant_id = "urn:xmpp:occupant-id:0";
inline constexpr std::string_view moderation = "urn:xmpp:message-moderate:1";
inline constexpr std::string_view moderation_0 = "urn:xmpp:message-moderate:0";
inline constexpr std::string_view chat_states = "http://jabber.org/protocol/chatstates";
inline constexpr std::string_view vcard = "vcard-temp";
inline constexpr std::string_view hints = "urn:xmpp:hints";
}  // namespace ns

/// §5.2. In the order of what they may do.
enum class Affiliation : std::uint8_t { outcast, none, member, admin, owner };
/// §5.1. In the order of what they may do.
enum class Role : std::uint8_t { none, visitor, participant, moderator };

std::string_view wire_word(Affiliation affiliation);
std::string_view wire_word(Role role);
std::optional<Affiliation> affiliation_from(std::string_view word);
std::optional<Role> role_from(std::string_view word);

/// What somebody asks of a room for whom: his affiliation, and his role if he is in it.
struct Standing {
  Affiliation affiliation = Affiliation::none;
  Role role = Role::none;
};

/// The answer to whoever does something too often.
xmpp::StanzaError too_fast();

/// §8, §9: whether `actor` may give `subject`, who is in the room, this role; nothing: he may.
std::optional<xmpp::StanzaError> refusal_of_role(Standing actor, Standing subject, Role wanted);
/// §9, §10: whether `actor` may give somebody who has affiliation `has` this one; nothing: he may.
std::optional<xmpp::StanzaError> refusal_of_affiliation(Affiliation actor, Affiliation has, Affiliation wanted);

}  // namespace kith::modules::muc
