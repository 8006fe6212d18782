// A session under stream management as text, for the time in which the server is not running (XEP-0198 §5): from one
// end of the daemon to its next start. Written and read by this room only; what a feature adds is an element of its
// own.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "module/session.h"
#include "xml/element.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

namespace kith::session {

struct SavedState {
  struct Item {
    std::string bytes;      ///< a stanza as it is on the wire (default namespace jabber:client)
    WallTime when{};        ///< when it was put in the queue
    bool answered = false;  ///< a request that the client has answered, or none
  };

  std::string resource;
  std::string id_digest;  ///< SHA-256 of the id that resumes it
  std::chrono::seconds resume_time{};
  std::optional<std::chrono::seconds> asked_time{};  ///< the client wants to be waited for no longer
  module::ConnectionFacts facts{};                   ///< the address is not kept: nobody is there
  std::uint32_t handled = 0;                         ///< of the client's stanzas
  std::uint32_t acknowledged = 0;                    ///< by the client
  std::size_t written = 0;                           ///< the first of `items`: the client may have them already
  std::vector<Item> items{};
  std::optional<xmpp::Stanza> presence{};
  int priority = 0;
  WallTime receives_since{};  ///< module::Session::receives_since(), or 1970
  bool interested = false;
  std::vector<xmpp::Jid> directed{};
  std::vector<xml::Element> features{};  ///< see module::SessionSaved
};

std::string to_text(const SavedState& state);
/// Nothing if that is no session that to_text() made.
std::optional<SavedState> from_text(std::string_view text);

}  // namespace kith::session
