// What crosses from one shard to another about accounts: a closed set of plain values (never a pointer into a shard, so
// that the same structs can cross between machines later), and the way that they take.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "module/hooks.h"
#include "storage/storage.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

namespace kith::router {

/// A stanza for the account of its `to`, or for one of that account's sessions.
struct Deliver {
  xmpp::Stanza stanza;
  storage::Ticket gate;                   ///< it reaches a client when this is committed …
  std::optional<xmpp::Stanza> if_failed;  ///< … or this does instead, if that write failed
  std::optional<module::Redelivery> redelivered{};
};

/// Asks to be told, by Fenced, when all writes are decided that what came before it on this way has led to.
struct Fence {
  unsigned from;  ///< a shard
  std::uint64_t number;
};
struct Fenced {
  std::uint64_t number;
};

/// Ends the sessions of an account, all but one.
struct CloseSessions {
  xmpp::BareJid account;
  xmpp::StreamError error;
  std::string keep;  ///< a resourcepart, or empty
};

class Router;

using Crossing = std::variant<Deliver, CloseSessions, Fence, Fenced>;

/// The shard that owns an account, or the streams to another server's domain: a stable hash (FNV-1a), the same on every
/// machine and after every restart.
inline unsigned owner_of(std::string_view address, unsigned shards) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : address) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3U;
  }
  // FNV's low bits of short similar names are weak; fold the high ones in.
  hash ^= hash >> 32U;
  return static_cast<unsigned>(hash % shards);
}

inline unsigned owner_of(const xmpp::BareJid& account, unsigned shards) { return owner_of(account.text(), shards); }

/// The way between shards. Any thread.
class Crossroads {
 public:
  virtual ~Crossroads() = default;
  virtual unsigned shards() const = 0;
  /// Puts `crossing` in the shard's mailbox. False if that is full; `crossing` is untouched then.
  virtual bool send(unsigned shard, Crossing& crossing) = 0;
  /// For what is rare and not a stanza: moving a connection, an administrator's request.
  virtual void at(unsigned shard, std::move_only_function<void(Router&)> work) = 0;
};

}  // namespace kith::router
