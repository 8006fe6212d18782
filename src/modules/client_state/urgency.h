// What an inactive client must have at once (XEP-0352 v1.0.0). A pure function.
#pragma once

#include <cstdint>

#include "xmpp/stanza.h"

namespace kith::modules {

enum class Urgency : std::uint8_t {
  now,       ///< and what was held before it goes first
  hold,      ///< until the client is active, or something urgent comes
  presence,  ///< held; the newest from each address is enough
  drop,      ///< of no use later: that somebody is typing
};

Urgency judge_urgency(const xmpp::Stanza& stanza);

}  // namespace kith::modules
