// The services that a feature may use, as interfaces: to send stanzas anywhere, to wait for a write, to hash passwords,
// to end accounts. The router and the server stand behind them. All are used on the feature's own shard.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "base/secret.h"
#include "storage/storage.h"
#include "xmpp/credentials.h"
#include "xmpp/stanza.h"

namespace kith::module {

class Account;

class Delivery {
 public:
  virtual ~Delivery() = default;
  /// Sends `stanza`, whose `from` and `to` are set, to whoever owns its `to`: a session, an account (through its
  /// hooks), the server, another domain. It reaches a client when `gate` is committed; if that write failed,
  /// `if_failed` goes instead (same rules), or nothing. Order from one sender to one receiver is kept. What can't be
  /// delivered is answered with an error to `from` by the rules of RFC 6121 §8.
  virtual void route(xmpp::Stanza stanza, storage::Ticket gate = {}, std::optional<xmpp::Stanza> if_failed = {}) = 0;
  /// Calls `then(true)` when `ticket` is committed, `then(false)` when its write failed; at once if that is known.
  virtual void when_decided(storage::Ticket ticket, std::move_only_function<void(bool committed)> then) = 0;
};

class Passwords {
 public:
  virtual ~Passwords() = default;
  enum class Trouble { unacceptable, busy };
  /// Prepares the password and derives keys on a worker thread. `unacceptable`: empty or forbidden characters;
  /// `busy`: too many wait already.
  virtual void derive(Secret password,
                      std::move_only_function<void(std::expected<xmpp::Credentials, Trouble>)> then) = 0;
};

class Accounts {
 public:
  virtual ~Accounts() = default;
  /// Ends an account: tells its contacts (AccountRemoved hook), closes its sessions with not-authorized, and removes
  /// all that is stored of it in one transaction. `then(false)`: there is no such account, or the write failed. Any
  /// account, also one of another shard.
  virtual void remove(const xmpp::BareJid& jid, std::move_only_function<void(storage::Result<bool>)> then) = 0;
  /// Closes all sessions of the account except `keep` (a resourcepart), for example after its password changed.
  virtual void close_sessions(const xmpp::BareJid& jid, const xmpp::StreamError& error, std::string keep = {}) = 0;
  /// Closes the sessions of one of the account's clients (ClientInfo::id), and lets in none that was logging in. On the
  /// account's shard only.
  virtual void close_client(const xmpp::BareJid& jid, const std::string& client, const xmpp::StreamError& error) = 0;
  /// The account if this shard owns it and has it in memory, or null. For callbacks: an Account or Session must not be
  /// held from one turn to the next, since either may be gone by then; hold its JID and ask here.
  virtual Account* loaded(const xmpp::BareJid& jid) = 0;
};

}  // namespace kith::module
