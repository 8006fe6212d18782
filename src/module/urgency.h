// What an inactive client must have at once (XEP-0352 v1.0.0), and what wakes a phone whose client is not connected
// (XEP-0357). Pure functions.
#pragma once

#include <cstdint>

#include "xmpp/stanza.h"

namespace kith::module {

enum class Urgency : std::uint8_t {
  now,       ///< and what was held before it goes first
  hold,      ///< until the client is active, or something urgent comes
  presence,  ///< held; the newest from each address is enough
  drop,      ///< of no use later: that somebody is typing
};

Urgency judge_urgency(const xmpp::Stanza& stanza);

/// True for a message that somebody should look at: urgent, no error, and not the user's own from another client.
bool wakes(const xmpp::Stanza& stanza);

}  // namespace kith::module
