// A session: one bound resource of an account (RFC 6120 §7). Lives on the account's shard. It can outlive its
// connection (stream management), so a feature sees where stanzas go in, never a socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>

#include "base/clock.h"
#include "module/attachments.h"
#include "storage/storage.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

namespace kith::module {

class Account;

/// What is on the other side of a session: a stream, or later the queue of a hibernating one.
class SessionOutput {
 public:
  virtual ~SessionOutput() = default;
  /// Puts a stanza in the output queue. It leaves when `gate` is committed; if that write failed, `if_failed` leaves
  /// instead, or nothing. Order is kept.
  virtual void send(const xmpp::Stanza& stanza, storage::Ticket gate, const xmpp::Stanza* if_failed) = 0;
  /// How much waits to be written, for those who have a lot to send and can pace themselves.
  virtual std::size_t queued_bytes() const { return 0; }
  /// How many bytes send() has taken so far, and how many of them have left the server's memory (none, as far as
  /// anybody can tell, once the connection is lost): for those who must know whether a stanza is gone.
  virtual std::uint64_t taken_bytes() const { return 0; }
  virtual std::uint64_t left_bytes() const { return 0; }
  /// Ends the stream with this error. The session is unbound later, never inside the call.
  virtual void close(const xmpp::StreamError& error) = 0;
  /// The router has ended the session itself (another took its resource, the account is gone): it must not be touched
  /// again. Ends the stream with this error.
  virtual void ended(const xmpp::StreamError& error) { close(error); }
};

/// Stands between a session and its output, for a feature that holds back what a client need not have at once. It must
/// live as long as the session, or be taken away.
class SessionFilter {
 public:
  virtual ~SessionFilter() = default;
  /// True if it has taken the stanza over, to put it in the session's output() later or never; false if the stanza goes
  /// on now. What was held and must go before it is put in the output inside the call.
  virtual bool hold(const xmpp::Stanza& stanza, storage::Ticket gate, const xmpp::Stanza* if_failed) = 0;
};

/// For people and for kithctl: how the client is connected.
struct ConnectionFacts {
  std::string address;    ///< the peer's IP address; only for the account itself and the administrator
  std::string tls;        ///< "TLSv1.3 TLS_AES_256_GCM_SHA384", or empty without TLS
  std::string mechanism;  ///< the SASL mechanism, "SCRAM-SHA-256-PLUS"
  WallTime since{};
  MonotonicTime authorized{};  ///< when the keys or tokens were asked for that the login rests on
  // What the client says of itself (XEP-0388); for the account itself and the administrator.
  std::string agent{};  ///< its UUID, or empty
  std::string software{};
  std::string device{};
};

class Session {
 public:
  Session(Account& account, xmpp::FullJid jid, SessionOutput& output, ConnectionFacts facts, MonotonicTime now)
      : account_(account), jid_(std::move(jid)), output_(&output), facts_(std::move(facts)), last_active_(now) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const xmpp::FullJid& jid() const { return jid_; }
  Account& account() { return account_; }
  const Account& account() const { return account_; }
  const ConnectionFacts& facts() const { return facts_; }

  /// To the client. `to` is set to the session's full JID by nobody: the stanza goes as it is.
  void send(const xmpp::Stanza& stanza, storage::Ticket gate = {}, const xmpp::Stanza* if_failed = nullptr) {
    if (filter_ != nullptr && filter_->hold(stanza, gate, if_failed)) return;
    output_->send(stanza, gate, if_failed);
  }
  /// Null takes it away.
  void set_filter(SessionFilter* filter) { filter_ = filter; }
  void close(const xmpp::StreamError& error) { output_->close(error); }
  SessionOutput& output() { return *output_; }
  /// For who owns the connection: the session goes on with another output (stream management).
  void set_output(SessionOutput& output) { output_ = &output; }
  void set_facts(ConnectionFacts facts) { facts_ = std::move(facts); }
  /// Its connection is lost, and its client may come back and resume it (XEP-0198 §5).
  bool hibernating() const { return hibernating_; }
  void set_hibernating(bool hibernating) { hibernating_ = hibernating; }

  /// Available: has sent initial presence and not taken it back (RFC 6121 §4.2).
  bool available() const { return presence_.has_value(); }
  /// The last broadcast presence, or nothing while unavailable.
  const std::optional<xmpp::Stanza>& presence() const { return presence_; }
  /// −128 to 127; 0 unless the presence says otherwise (RFC 6121 §4.7.2.3).
  int priority() const { return priority_; }
  /// Since when messages to the bare JID have come here without a break (available, priority not negative), if they do.
  const std::optional<WallTime>& receives_since() const { return receives_since_; }
  void set_presence(std::optional<xmpp::Stanza> presence, int priority, WallTime now) {
    presence_ = std::move(presence);
    priority_ = priority;
    if (!presence_ || priority < 0) {
      receives_since_.reset();
    } else if (!receives_since_) {
      receives_since_ = now;
    }
  }

  /// Interested: has asked for the roster, and so gets pushes (RFC 6121 §2.1.6).
  bool interested() const { return interested_; }
  void set_interested() { interested_ = true; }

  /// Whom this session sent directed presence and not taken it back (RFC 6121 §4.6).
  std::set<xmpp::Jid>& directed() { return directed_; }
  const std::set<xmpp::Jid>& directed() const { return directed_; }

  /// When the client last sent a stanza.
  MonotonicTime last_active() const { return last_active_; }
  void set_active(MonotonicTime now) { last_active_ = now; }

  Attachments& attachments() { return attachments_; }

 private:
  Account& account_;
  xmpp::FullJid jid_;
  SessionOutput* output_;
  SessionFilter* filter_ = nullptr;
  ConnectionFacts facts_;
  std::optional<xmpp::Stanza> presence_;
  int priority_ = 0;
  std::optional<WallTime> receives_since_;
  bool interested_ = false;
  bool hibernating_ = false;
  std::set<xmpp::Jid> directed_;
  MonotonicTime last_active_;
  Attachments attachments_;
};

}  // namespace kith::module
