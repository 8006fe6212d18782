// Streams between servers (RFC 6120, RFC 6121; XEP-0220): the glue between transports, the XML parser, the machines of
// stream/ and the router. One per shard. A stream that comes in stays on the shard that accepted it; those to a domain
// of another server are on the shard that owns the domain, one for each domain of ours that has something to say.
//
// What is for another server waits in its link's queue, in order, until the stream is ready and the write that it
// depends on is committed; what can't be brought is answered by remote-server-not-found or remote-server-timeout. A
// person's messages are written down first and lie on the disk until the other server has acknowledged them (XEP-0198;
// without it, until its machine has taken them and the stream has gone on for a while): s2s_backlog.h.
//
// Limits: s2s_streams that come in and s2s_links that go out on each shard, s2s_streams_per_domain, s2s_queue_stanzas
// and s2s_queue_bytes for each link, s2s_dial_time until a stream must be ready, a pause of s2s_retry_time after a
// failure, bytes_from_server in both directions, s2s_idle_time until a silent stream ends. No streams are resumed. On a
// stream of ours the other server may answer where it offers that (XEP-0288); on one of theirs nothing goes out.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/timer_wheel.h"
#include "module/module.h"
#include "net/tls_pins.h"
#include "net/transport.h"
#include "router/router.h"
#include "session/c2s.h"
#include "session/waiting_totals.h"
#include "stream/s2s_in.h"
#include "stream/s2s_out.h"

namespace kith::session {

/// Where a server may be reached.
struct S2sTarget {
  std::string address;  ///< numeric; empty if `host` says where
  std::uint16_t port = 5269;
  bool direct_tls = false;  ///< XEP-0368
  /// What DNS says of its certificate (DANE); null: nothing.
  std::shared_ptr<const net::TlsPins> pins{};
  /// The name that a proxy is asked for, which the connection is made to (dial() knows where that is).
  std::string host{};
  /// Nobody but the domain's own server can answer there: an onion service is called by its key.
  bool proven = false;
};

/// Why nothing is known of where a server is, in words.
struct NoTargets {
  std::string why;
  bool for_good = false;  ///< there is no such server, and waiting does not help
};

struct S2sDeps {
  Executor& shard;
  const Clock& clock;
  Random& random;
  Events& events;
  TimerWheel& timers;
  const Limits& limits;
  const module::Hosts& hosts;
  storage::Stores& stores;
  router::Router& router;
  router::Crossroads& crossroads;
  /// Behind the keys of dialback; the same on all shards.
  const Secret& secret;
  bool require_certificates = false;
  /// DNS is asked which certificates are right (DANE).
  bool dane = false;
  /// Onion services are called, by a proxy.
  bool onions = false;
  /// What waits for other servers, of all shards.
  WaitingTotals& waiting;
  using Targets = std::expected<std::vector<S2sTarget>, NoTargets>;
  /// Finds out where a domain's server is, the best place first. `then` is called on this shard, never inside the call.
  std::function<void(const std::string& domain, std::move_only_function<void(Targets)> then)> resolve;
  /// A connection that is being made; null if that is impossible at once.
  std::function<std::unique_ptr<net::Transport>(const S2sTarget& target)> dial;
};

/// A step on the way to another server, for people.
struct ServerCheckStep {
  bool good;
  std::string step;  ///< "DNS", "certificate" …
  std::string words;
};

/// A stream with another server.
struct ServerStream {
  std::string remote;
  std::string local;  ///< empty for one that came in
  bool incoming;
  bool ready;  ///< it carries stanzas
};

/// Messages that wait for another server.
struct ServerLine {
  std::string remote;
  std::string local;
  std::uint64_t messages;
  std::uint64_t bytes;
  std::string why;  ///< the last attempt failed; empty: none did
};

class S2sBacklog;
class S2sIncoming;
class S2sLink;
class S2sProbe;

class S2sService final : public router::RemoteServers {
 public:
  explicit S2sService(S2sDeps deps);
  ~S2sService() override;
  S2sService(const S2sService&) = delete;
  S2sService& operator=(const S2sService&) = delete;

  /// A connection that was just accepted.
  void accept(std::unique_ptr<net::Transport> transport, std::unique_ptr<Admission> admission);
  storage::Ticket send(router::Deliver item) override;
  void awake(const std::string& remote) override;
  /// Takes up what waited for other servers when this one stopped.
  void restore(Task done);
  void verify(std::string remote, std::string local, std::string stream_id, std::string key,
              std::move_only_function<void(KeyAnswer valid)> then) override;
  // --- for the administrator
  std::vector<ServerStream> streams() const;
  std::vector<ServerLine> lines() const;
  using Checked = std::move_only_function<void(std::vector<ServerCheckStep>)>;
  /// Tries to reach the server of a domain in the name of ours. On the shard that owns the domain. False, and `then` is
  /// not called, if too many are being tried.
  bool check(const std::string& remote, const std::string& local, Checked then);
  /// What waits for it is tried again now; how much that is.
  std::uint64_t retry(const std::string& remote);
  /// SECURITY: no stanza comes from these domains or those below them, and none goes there. Streams with them end.
  void block(std::set<std::string, std::less<>> domains);
  bool blocks(std::string_view domain) const;

  /// The server stops: every stream ends with system-shutdown, and no other begins.
  void shut_down();
  std::size_t size() const { return incoming_.size() + links_.size(); }

 private:
  friend class S2sBacklog;
  friend class S2sHeard;
  friend class S2sIncoming;
  friend class S2sLink;
  friend class S2sProbe;
  friend class S2sRace;
  void probe_done(std::uint64_t number);
  /// A stream to it is ready.
  void reached(const std::string& domain);
  /// One to it broke, and another is tried: if that is ready, its people may not be where they were.
  void doubt(const std::string& domain) { doubted_.insert(domain); }
  void not_reached(const std::string& domain);
  void tell_routers(const std::string& domain, void (router::Router::*what)(std::string_view));
  S2sIncoming* find(std::uint64_t id) const;
  void remove_soon(std::uint64_t id);
  /// One more incoming stream has proven this domain; false if there are too many.
  bool add_stream_of(const std::string& domain);
  void drop_stream_of(const std::string& domain);
  /// Null if there are too many. `one_is_at_hand`: of the messages that are written down, the caller has the last.
  S2sLink* link(const stream::DomainPair& pair, bool one_is_at_hand = false);
  /// The link ends: what comes next finds another.
  void leave(const stream::DomainPair& pair);
  /// Its connection has gone, too.
  void gone(S2sLink* link);

  S2sDeps deps_;
  stream::S2sInSurroundings surroundings_;
  std::map<std::string, std::size_t, std::less<>> streams_of_;  ///< incoming, by the domains that they have proven
  std::unordered_map<std::uint64_t, std::unique_ptr<S2sIncoming>> incoming_;
  std::map<stream::DomainPair, std::unique_ptr<S2sLink>> links_;
  std::unordered_map<S2sLink*, std::unique_ptr<S2sLink>> leaving_;
  std::unique_ptr<S2sBacklog> backlog_;
  std::unordered_map<std::uint64_t, std::unique_ptr<S2sProbe>> probes_;
  std::set<std::string, std::less<>> blocked_;
  std::set<std::string> known_;  ///< those that were reached since the start
  std::set<std::string> doubted_;
  std::set<std::string> vanished_;                      ///< of the known ones
  std::map<stream::DomainPair, MonotonicTime> failed_;  ///< when it was tried last, in vain
  std::uint64_t ids_ = 0;
  bool stopping_ = false;
  std::string scratch_;  ///< what is being serialised
  Gauge& open_;
  Counter& received_;
  Counter& sent_;
};

}  // namespace kith::session
