// Clients over TCP (RFC 6120): the glue between a transport, the XML parser, the negotiation machine and the router.
// A connection starts on the shard that accepted it and moves once, when its account is known, to the shard that owns
// the account; from then on client and account are local to each other. What leaves waits in the connection's output
// queue until the write that it depends on is committed (docs/durability.md).
#pragma once

#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/timer_wheel.h"
#include "base/token_bucket.h"
#include "module/hooks.h"
#include "module/module.h"
#include "net/transport.h"
#include "router/router.h"
#include "session/login_guard.h"
#include "stream/negotiation.h"
#include "xml/stream_parser.h"

namespace kith::session {

/// A connection's place among those that its address may have; given back when it goes.
class Admission {
 public:
  virtual ~Admission() = default;
  /// The connection is no longer one of the unauthenticated ones.
  virtual void logged_in() = 0;
};

/// Slow hashes, on worker threads.
class PasswordChecker {
 public:
  virtual ~PasswordChecker() = default;
  /// Any shard; `then` is called on `shard`. False at once if too many wait already.
  virtual bool check(Executor& shard, const sasl::Credentials& credentials, Secret password,
                     std::move_only_function<void(bool right)> then) = 0;
};

class C2sConnection;
class ManagedSession;

/// A connection on its way to another shard.
struct Parcel {
  std::unique_ptr<net::DetachedTransport> transport;
  xml::StreamParser parser;
  std::unique_ptr<stream::Negotiation> negotiation;
  std::unique_ptr<Admission> admission;
  std::variant<stream::Bind, stream::Resume, stream::Establish> wanted;
  std::string held;
  module::ConnectionFacts facts;
  TokenBucket bytes;
  TokenBucket stanzas;
};

struct C2sDeps {
  Executor& shard;
  const Clock& clock;
  Random& random;
  Events& events;
  TimerWheel& timers;
  const Limits& limits;
  const module::Hosts& hosts;
  storage::Stores& stores;
  router::Router& router;
  LoginGuard& guard;
  PasswordChecker& passwords;
  /// For the keys of accounts that do not exist; the same on all shards and after a restart.
  const Secret& server_secret;
  /// Brings a parcel to the C2sService of that shard and calls arrive() there. Any thread.
  std::function<void(unsigned shard, std::unique_ptr<Parcel> parcel)> send_off;
};

/// All client connections of one shard.
class C2sService {
 public:
  explicit C2sService(C2sDeps deps);
  ~C2sService();
  C2sService(const C2sService&) = delete;
  C2sService& operator=(const C2sService&) = delete;

  /// A connection that was just accepted. On a direct TLS listener its handshake has begun.
  void accept(std::unique_ptr<net::Transport> transport, stream::Negotiation::Security security,
              std::unique_ptr<Admission> admission);
  /// A connection that comes from another shard to bind.
  void arrive(std::unique_ptr<Parcel> parcel);
  /// The server stops: every stream ends with system-shutdown, and so do those that still come. Sessions that can be
  /// resumed stay, for save_sessions().
  void shut_down();
  /// Writes down the sessions that can be resumed after the next start; `then` is called when they are on disk. After
  /// shut_down(), when the connections have gone.
  void save_sessions(std::move_only_function<void()> then);
  /// Brings back those that were written down, for the accounts of this shard; `then` is called when they are there and
  /// forgotten by the disk. Before the first connection comes.
  void restore_sessions(std::move_only_function<void()> then);
  /// Limits have changed by a reload: what new streams are told of them follows.
  void limits_changed();
  /// Streams of domains that are no longer local end with host-gone (after a reload of the configuration).
  void close_streams_of_lost_domains();
  std::size_t size() const { return connections_.size(); }

 private:
  friend class C2sConnection;
  friend class ManagedSession;
  C2sConnection* find(std::uint64_t id) const;
  void remove_soon(std::uint64_t id);
  ManagedSession* managed(std::uint64_t number) const;
  /// The session that this id resumes, if it is the account's.
  ManagedSession* resumable(const xmpp::BareJid& account, const std::string& id_digest) const;
  void drop_managed(std::uint64_t number);
  /// So much of its client was handled and committed when the session ended that `id_digest` would have resumed.
  void remember_end(const xmpp::BareJid& account, const std::string& id_digest, std::uint32_t handled);
  std::optional<std::uint32_t> handled_before_end(const xmpp::BareJid& account, const std::string& id_digest) const;
  /// How long the session waits for its client: at least `time`; 0: not at all.
  std::chrono::seconds waiting_time(module::Session& session, std::chrono::seconds time) const;
  void save_settled(std::move_only_function<void()> then);
  struct Restoring;
  void restore_page(std::shared_ptr<Restoring> restoring, std::uint64_t after);
  void restore_one(const std::shared_ptr<Restoring>& restoring, storage::SavedSession& saved);
  void restored(Restoring& restoring);
  void depart(std::uint64_t id, unsigned shard);
  void add_hot(std::uint64_t id);
  void park_idle_parsers();

  C2sDeps deps_;
  stream::Surroundings surroundings_;
  std::unordered_map<std::uint64_t, std::unique_ptr<C2sConnection>> connections_;
  std::unordered_map<std::uint64_t, std::unique_ptr<ManagedSession>> managed_;
  struct Ended {
    xmpp::BareJid account;
    std::string id_digest;
    std::uint32_t handled = 0;
  };
  /// Ends that are remembered, of each shard.
  static constexpr std::size_t most_ended = 1024;
  std::deque<Ended> ended_;  ///< the latest last
  std::uint64_t ids_ = 0;
  bool stopping_ = false;
  std::vector<std::uint64_t> hot_;
  Timer sweep_;
  std::string scratch_;  ///< what is being serialised
  Gauge& open_;
  Counter& logins_;
  Counter& failed_logins_;
  Gauge& hibernating_;
  Counter& resumptions_;
};

}  // namespace kith::session
