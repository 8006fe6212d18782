// The configuration of a room (XEP-0045 §10.1, §15.5.3) as a value, as the form that its owner fills, and as the text
// in which it is stored. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "xmpp/data_form.h"

namespace kith::modules::muc {

enum class Whois : std::uint8_t { moderators, anyone };
/// Who may send private messages (muc#roomconfig_allowpm).
enum class AllowPm : std::uint8_t { anyone, participants, moderators, none };

struct RoomConfig {
  static constexpr std::size_t most_text_bytes = 1024;
  static constexpr std::uint64_t most_history = 100;          ///< messages
  static constexpr std::uint64_t most_slow_mode = 24 * 3600;  ///< seconds

  std::string name{};
  std::string description{};
  std::string language{};
  bool persistent = false;
  bool listed = false;
  bool members_only = false;
  bool moderated = false;
  std::string password{};  ///< empty: none is needed
  Whois whois = Whois::moderators;
  bool change_subject = false;  ///< by participants, too
  bool allow_invites = false;   ///< by members of a members-only room
  AllowPm allow_pm = AllowPm::anyone;
  std::uint64_t history = 20;  ///< messages that somebody who enters gets at most
  bool archived = true;
  std::uint64_t slow_mode = 0;  ///< seconds between two messages of one person (XEP-0500); 0: none

  friend bool operator==(const RoomConfig&, const RoomConfig&) = default;
};

/// The form to fill (type `form`), of the values as they are.
xmpp::DataForm form_of(const RoomConfig& config);
/// The same with what bounds the fields have (XEP-0122).
xml::Element form_element(const RoomConfig& config);
/// `config` with what the form says; fields that we don't know, or that are not there, change nothing. Errors:
/// not_acceptable (a value that is none, a password that is needed and empty, a text that is too long), bad_request
/// (another form).
std::expected<RoomConfig, xmpp::StanzaError> apply(RoomConfig config, const xmpp::DataForm& form);

/// With the key that occupant ids are made with (XEP-0421).
std::string stored_text(const RoomConfig& config, std::string_view key);
struct Stored {
  RoomConfig config;
  std::string key;
};
/// Nothing if the text is damaged.
std::optional<Stored> config_from_stored(std::string_view text);

}  // namespace kith::modules::muc
