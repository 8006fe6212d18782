// Which messages are worth keeping for who is away (XEP-0160 §3, hints of XEP-0334). A pure function.
#pragma once

#include <cstdint>

#include "xmpp/stanza.h"

namespace kith::module {

enum class Worth : std::uint8_t {
  keep,
  refuse,  ///< must not be kept, and the sender should hear that it went nowhere
  drop,    ///< nobody misses it: a chat state, say
};

Worth judge(const xmpp::Stanza& message);

}  // namespace kith::module
