// From an address to what owns it. One per shard. Stamps and checks what clients send, runs the hooks of the features,
// brings each stanza to the account of its `to` (here or on another shard), and answers for what does not exist (RFC
// 6120 §8.1, §10; RFC 6121 §8). An account handles its stanzas one at a time: what a handler sends is queued and
// delivered when the handler has returned.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/events.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/timer_wheel.h"
#include "module/delivery.h"
#include "module/hooks.h"
#include "module/module.h"
#include "router/account_table.h"
#include "router/commit_waiters.h"
#include "router/crossing.h"

namespace kith::router {

struct RouterDeps {
  unsigned shard;
  const Clock& clock;
  Random& random;
  Events& events;
  TimerWheel& timers;
  const Limits& limits;
  const module::Hosts& hosts;
  storage::Stores& stores;
  const storage::CommitLog& commit_log;
  Crossroads& crossroads;
};

class Router final : public module::Delivery, public module::Accounts {
 public:
  explicit Router(const RouterDeps& deps);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// The hooks that features attach to; complete before the first stanza.
  module::Hooks& hooks() { return hooks_; }

  // --- for sessions
  // ------------------------------------------------------------------------------------------------------

  /// A stanza of a bound client, as it came. Nothing, or the stream error that it deserves (a forged `from`, RFC 6120
  /// §8.1.2.1; a stanza that is none, §4.9.3.24).
  std::optional<xmpp::StreamError> from_client(module::Session& session, xml::Element element);

  /// Binds a resource on this shard, which owns the account. An older session of the same resource ends with
  /// `conflict`; with no resource asked for, one is made up. `output` finds the connection again when the account has
  /// been loaded; if that is gone, it says null and nothing happens. `then` may be called at once or later; errors are
  /// stanza errors.
  using BindResult = std::expected<module::Session*, xmpp::StanzaError>;
  using OutputFinder = std::move_only_function<module::SessionOutput*()>;
  void bind(const xmpp::BareJid& account, std::optional<std::string> resource, OutputFinder output,
            module::ConnectionFacts facts, std::move_only_function<void(BindResult)> then);
  /// The session has ended: tells the features and destroys it. For sessions that were not ended by the router itself.
  void unbind(module::Session& session);

  // --- for the shard
  // -----------------------------------------------------------------------------------------------------

  /// Takes what another shard sent.
  void receive(Crossing crossing);
  /// The commit log has advanced.
  void commits_advanced();
  CommitWaiters& commits() { return commits_; }
  /// The shard has stopped: from now on what is routed goes nowhere and nothing waits for a write. To be called before
  /// what waits for an answer is taken down, since an iq request that is dropped unanswered still answers itself.
  void retire();
  AccountTable& accounts() { return accounts_; }
  /// The shard that owns `account`.
  unsigned owner(const xmpp::BareJid& account) const { return owner_of(account, deps_.crossroads.shards()); }
  unsigned shard() const { return deps_.shard; }

  // --- module::Delivery, module::Accounts
  // --------------------------------------------------------------------------------

  void route(xmpp::Stanza stanza, storage::Ticket gate = {}, std::optional<xmpp::Stanza> if_failed = {}) override;
  void when_decided(storage::Ticket ticket, std::move_only_function<void(bool committed)> then) override;
  void remove(const xmpp::BareJid& jid, std::move_only_function<void(storage::Result<bool>)> then) override;
  void close_sessions(const xmpp::BareJid& jid, const xmpp::StreamError& error, std::string keep = {}) override;
  module::Account* loaded(const xmpp::BareJid& jid) override { return accounts_.loaded(jid); }

 private:
  /// While one lives, what is routed to this shard waits; the outermost delivers it when it goes.
  class Turn;

  /// `ours`: made by this server, not a client's own stanza.
  void send_on(Deliver item, bool ours);
  void deliver(Deliver item);
  void deliver_to(module::Account& account, Deliver& item);
  void message_to(module::Account& account, Deliver& item);
  void presence_to(module::Account& account, Deliver& item);
  void iq_to(module::Account& account, Deliver& item);
  void iq_now(module::Account& account, Deliver& item);
  void to_server(xmpp::Stanza stanza, module::Session* session, storage::Ticket gate);
  void iq_request(module::Target target, xmpp::Stanza stanza, module::Account* account, module::Session* session);
  storage::Ticket undecided_write(const module::Account& account) const;
  void absent(const xmpp::Stanza& stanza, Absence why);
  void refuse(const xmpp::Stanza& stanza, const xmpp::StanzaError& error, storage::Ticket gate = {});
  void end_session(module::Session& session, const xmpp::StreamError& error);
  void remove_here(const xmpp::BareJid& jid, std::move_only_function<void(storage::Result<bool>)> then);
  void drain();

  /// How many answers of clients may be on their way to shards whose mailboxes are full.
  static constexpr std::size_t clients_answers_past_full = 64;

  RouterDeps deps_;
  std::shared_ptr<std::atomic<std::size_t>> past_full_ = std::make_shared<std::atomic<std::size_t>>(0);
  bool retired_ = false;  ///< stands before all that may hold an iq request, and so goes after it
  module::Hooks hooks_;
  CommitWaiters commits_;
  AccountTable accounts_;
  std::deque<Deliver> local_;
  unsigned turns_ = 0;
  Counter& routed_messages_;
  Counter& routed_presences_;
  Counter& routed_iqs_;
  Gauge& sessions_;
};

}  // namespace kith::router
