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
#include <map>
#include <memory>
#include <optional>
#include <set>
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

/// The ways to other servers, on the shard that owns their domains.
class RemoteServers {
 public:
  virtual ~RemoteServers() = default;
  /// Takes a stanza over whose `to` is of another domain, and answers it if it cannot be brought there. The write that
  /// keeps it meanwhile, if there is one.
  virtual storage::Ticket send(Deliver item) = 0;
  /// The server of this domain has just been heard: what waits for it need wait no longer.
  virtual void awake(const std::string& remote) = 0;
  /// Asks the server of `remote` whether it gave out the dialback key that somebody has shown to `local` in its name on
  /// the stream with this id. `then` is called once, on this shard; the error says why it could not be asked.
  using KeyAnswer = std::expected<bool, xmpp::Condition>;
  virtual void verify(std::string remote, std::string local, std::string stream_id, std::string key,
                      std::move_only_function<void(KeyAnswer valid)> then) = 0;
};

class Router final : public module::Delivery, public module::Accounts {
 public:
  explicit Router(const RouterDeps& deps);
  ~Router() override { retire(); }
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
  /// The shards to which what from_client() or from_server() was given last has led, a bit each (by their number modulo
  /// 64).
  std::uint64_t shards_addressed() const { return addressed_; }
  /// Calls `then` when every write is decided that stanzas handed to from_client() before have led to, on this shard
  /// and on those of `shards`, and what comes back because one failed has been handed to its session. At once if this
  /// shard alone is concerned and nothing waits. False, and `then` is not called, if the way to a shard is full: ask
  /// again later.
  bool fence(std::uint64_t shards, std::move_only_function<void()> then);
  /// A message that a session did not acknowledge before it ended looks for another way through its account.
  void redeliver(xmpp::Stanza stanza, storage::Ticket gate, std::optional<xmpp::Stanza> if_failed,
                 module::Redelivery redelivery);
  /// Answers a request that a session did not acknowledge before it ended.
  void refuse_unanswered(const xmpp::Stanza& stanza) {
    refuse(stanza, xmpp::StanzaError::of(xmpp::Condition::service_unavailable));
  }
  /// Ends a session with this error.
  void end_session(module::Session& session, const xmpp::StreamError& error);
  /// A session that was there before the server started is there again, hibernating: with this presence, as if bound.
  /// Null if the account is gone or the resource is taken.
  void restore(const xmpp::FullJid& jid, module::SessionOutput& output, module::ConnectionFacts facts,
               std::optional<xmpp::Stanza> presence, int priority, WallTime receives_since,
               std::move_only_function<void(module::Session*)> then);
  /// The session has ended: tells the features and destroys it. For sessions that were not ended by the router itself.
  void unbind(module::Session& session);

  // --- for the shard
  // -----------------------------------------------------------------------------------------------------

  /// Null where there is no federation: nothing leaves then.
  void set_remote_servers(RemoteServers* remote) { remote_ = remote; }
  RemoteServers* remote_servers() const { return remote_; }
  /// A stanza of another server, in jabber:client; one that is none is answered as a client's is. SECURITY: the caller
  /// has seen that it may send in the name of its `from`, and to the domain of its `to`.
  void from_server(xml::Element element);
  /// Answers a stanza that cannot be brought to another server, if anybody waits for an answer.
  void unreachable(const xmpp::Stanza& stanza, const xmpp::StanzaError& error, storage::Ticket gate = {});
  /// Answers an account's message that has waited in vain, perhaps for days. If the client that sent it is not there
  /// any more, the account gets `sentence` instead, in a message of the server that is kept. `then` is called on this
  /// shard, with false if the account could not be loaded.
  void give_back(xmpp::Stanza message, xmpp::StanzaError error, std::string sentence,
                 std::move_only_function<void(bool told)> then);

  /// A server can't be reached any more: who of this shard's accounts sees contacts there is told that they are gone,
  /// since nobody else will say so.
  void server_vanished(std::string_view domain);
  /// … or is there again: its people are asked whether they are (RFC 6121 §4.3.1).
  void server_back(std::string_view domain);

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
  unsigned owner(const xmpp::BareJid& account) const { return owner_of(account.text(), deps_.crossroads.shards()); }
  /// True for a domain of accounts, and for one that a feature answers for.
  bool is_ours(std::string_view domainpart) const {
    return deps_.hosts.is_local(domainpart) || hooks_.service_of(domainpart) != nullptr;
  }
  /// The shard that has the streams to this domain of another server.
  unsigned owner_of_domain(std::string_view domainpart) const {
    return owner_of(domainpart, deps_.crossroads.shards());
  }
  unsigned shard() const { return deps_.shard; }

  // --- module::Delivery, module::Accounts
  // --------------------------------------------------------------------------------

  void route(xmpp::Stanza stanza, storage::Ticket gate = {}, std::optional<xmpp::Stanza> if_failed = {}) override;
  void when_decided(storage::Ticket ticket, std::move_only_function<void(bool committed)> then) override;
  void remove(const xmpp::BareJid& jid, std::move_only_function<void(storage::Result<bool>)> then) override;
  void close_sessions(const xmpp::BareJid& jid, const xmpp::StreamError& error, std::string keep = {}) override;
  void close_client(const xmpp::BareJid& jid, const std::string& client, const xmpp::StreamError& error) override;
  module::Account* loaded(const xmpp::BareJid& jid) override { return accounts_.loaded(jid); }

 private:
  /// While one lives, what is routed to this shard waits; the outermost delivers it when it goes.
  class Turn;

  /// `ours`: made by this server, not a client's own stanza.
  void send_on(Deliver item, bool ours);
  void deliver(Deliver item);
  void deliver_to(module::Account& account, Deliver& item);
  void deliver_to(module::Service& service, Deliver item);
  void message_to(module::Account& account, Deliver& item);
  void presence_to(module::Account& account, Deliver& item);
  void iq_to(module::Account& account, Deliver& item);
  void iq_now(module::Account& account, Deliver& item);
  void to_server(xmpp::Stanza stanza, module::Session* session, storage::Ticket gate);
  void iq_request(module::Target target, xmpp::Stanza stanza, module::Account* account, module::Session* session);
  storage::Ticket undecided_write(const module::Account& account) const;
  void absent(const xmpp::Stanza& stanza, Absence why);
  module::Session& add_session(module::Account& account, xmpp::FullJid jid, module::SessionOutput& output,
                               module::ConnectionFacts facts);
  void refuse(const xmpp::Stanza& stanza, const xmpp::StanzaError& error, storage::Ticket gate = {});
  void remove_here(const xmpp::BareJid& jid, std::move_only_function<void(storage::Result<bool>)> then);
  void drain();
  void fence_here(std::move_only_function<void()> then);
  void settled(std::uint64_t number);
  void pass_fences();
  void fenced(const Fenced& answer);

  /// How many answers of clients may be on their way to shards whose mailboxes are full.
  static constexpr std::size_t clients_answers_past_full = 64;

  RouterDeps deps_;
  std::shared_ptr<std::atomic<std::size_t>> past_full_ = std::make_shared<std::atomic<std::size_t>>(0);
  bool retired_ = false;  ///< stands before all that may hold an iq request, and so goes after it
  module::Hooks hooks_;
  CommitWaiters commits_;
  AccountTable accounts_;
  RemoteServers* remote_ = nullptr;
  std::deque<Deliver> local_;
  std::uint64_t addressed_ = 0;
  storage::Ticket latest_;  ///< the last write of any account that was addressed here
  /// What waits for its account to be loaded or is held by it, and requests that are not answered yet, numbered.
  std::set<std::uint64_t> unsettled_;
  std::uint64_t settlings_ = 0;
  struct LocalFence {
    std::uint64_t before;
    std::move_only_function<void()> then;
  };
  std::deque<LocalFence> local_fences_;
  /// When all sessions of an account, or of one of its clients (else empty), were ended last, for as long as a login
  /// may take. SECURITY: a login that began before that is no good after it.
  std::map<std::pair<xmpp::BareJid, std::string>, MonotonicTime> closed_;
  void remember_closed(const xmpp::BareJid& jid, const std::string& client);
  bool was_closed_since(const xmpp::BareJid& jid, const module::ConnectionFacts& facts) const;
  struct OpenFence {
    unsigned awaited;
    std::move_only_function<void()> then;
  };
  /// When this turn has brought everything on its way: what comes back is with its sender before the fence is passed.
  std::deque<std::move_only_function<void()>> passed_;
  std::map<std::uint64_t, OpenFence> open_fences_;
  std::uint64_t fences_ = 0;
  unsigned turns_ = 0;
  Counter& routed_messages_;
  Counter& routed_presences_;
  Counter& routed_iqs_;
  Gauge& sessions_;
};

class Router::Turn {
 public:
  explicit Turn(Router& router) : router_(router) { ++router_.turns_; }
  ~Turn() {
    if (router_.turns_ == 1) router_.drain();
    if (--router_.turns_ == 0) router_.pass_fences();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Router& router_;
};

}  // namespace kith::router
