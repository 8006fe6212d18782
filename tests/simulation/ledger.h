// What became of each message that a client sent, and of each iq: put together once for the checkers that ask.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "history.h"

namespace kith::simulation {

inline constexpr std::size_t nowhere = SIZE_MAX;

inline std::string bare_of(const std::string& jid) { return jid.substr(0, jid.find('/')); }
inline bool is_full(const std::string& jid) { return jid.find('/') != std::string::npos; }

struct Message {
  std::string id;
  std::size_t sent = 0;  ///< index of the record
  std::vector<std::size_t> deliveries{};
  std::vector<std::size_t> bounces{};
  /// The answer, or the acknowledgement by the stream's management, after which it may not be lost any more
  /// (docs/durability.md).
  std::size_t acknowledged = nowhere;
};
/// By id, which nobody else has.
std::map<std::string, Message> messages_of(const History& history);

struct Exchange {
  std::size_t sent = 0;
  std::size_t answered = nowhere;  ///< on the stream that asked
};
/// The iq requests of clients with their first answers, by id.
std::map<std::string, Exchange> exchanges_of(const History& history);

}  // namespace kith::simulation
