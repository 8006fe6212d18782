// A whole server in one thread: shards as run loops on a virtual clock, links in memory, the real storage in immediate
// mode. What the daemon runs is what runs here, from the XML stream to the SQL; only sockets, TLS and threads are left
// out.
#pragma once

#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/events.h"
#include "net/memory_link.h"
#include "runtime/manual_loop.h"
#include "server/shard_runtime.h"
#include "session/saved_session.h"
#include "storage/sql_storage.h"
#include "xml/stream_parser.h"

namespace kith::scenario {

struct WorldOptions {
  unsigned shards = 3;
  std::vector<std::string> domains{"localhost"};
  Limits limits{};
  /// Settings of features by name, over their defaults.
  std::map<std::string, std::map<std::string, module::Settings::Value, std::less<>>> settings{};
  /// Features that are not there.
  std::set<std::string> features_off{};
  /// The addresses of other servers by their domains, where there is federation; dialback suffices.
  std::optional<std::map<std::string, std::vector<std::string>>> servers{};
  /// The secrets of components by their domains.
  std::map<std::string, std::string> components{};
};

/// A client that logs in by itself and keeps what it gets.
class WorldClient {
 public:
  WorldClient(std::unique_ptr<net::LinkClient> link) : link_(std::move(link)) {}

  net::LinkClient& link() { return *link_; }
  /// Sends bytes as they are.
  void send(std::string_view bytes) { link_->send(bytes); }
  /// The next stanza (or other first-level element) that has arrived, or nothing. Pings of the server are answered and
  /// left out, as by every client, unless answers_pings is false.
  std::optional<xml::Element> next();
  /// Takes in what has arrived, answering pings.
  void poll();
  bool answers_pings = true;
  bool stream_closed() const { return closed_; }
  /// A new stream begins on the same connection (after TLS and SASL).
  void restart() { parser_.emplace(limits_); }
  std::string full_jid;

 private:
  friend class World;

  std::unique_ptr<net::LinkClient> link_;
  XmlLimits limits_ = Limits{}.xml_after_login;
  std::optional<xml::StreamParser> parser_;
  std::string fed_;
  std::deque<xml::Element> inbox_;
  bool closed_ = false;
};

class World final : private router::Crossroads {
 public:
  explicit World(WorldOptions options = {});
  ~World() override;

  /// Makes the account, with one round of hashing so that tests are quick.
  void add_account(const std::string& bare_jid, const std::string& password);
  /// … as one that came from another server, with keys of SHA-1 only.
  void add_imported_account(const std::string& bare_jid, const std::string& password);
  /// As if it had been written down when the server stopped; restart() finds it.
  void save_session(const std::string& bare_jid, const session::SavedState& state);
  void save_session(const std::string& bare_jid, std::string text);
  bool has_account(const std::string& bare_jid);
  /// Connects without logging in; to each shard in turn. With direct TLS, as to the port that has it.
  std::unique_ptr<WorldClient> connect(net::LinkOptions link = {});
  /// Connects, logs in by PLAIN, binds. The error says how far it came.
  std::expected<std::unique_ptr<WorldClient>, std::string> log_in(const std::string& bare_jid,
                                                                  const std::string& password,
                                                                  const std::string& resource,
                                                                  net::LinkOptions link = {});
  /// A connection that another server has made to this one.
  std::unique_ptr<net::LinkClient> connect_server(net::LinkOptions link = {});
  /// A connection that a component has made, to each shard in turn.
  std::unique_ptr<net::LinkClient> connect_component();
  /// The other server's end of the connection that was made to this address first, of those that were not taken yet; or
  /// null.
  std::unique_ptr<net::LinkClient> dialled(const std::string& address);
  /// Which shard takes the next connection.
  void accept_next_on(unsigned shard) { next_shard_ = shard; }
  /// While set, no shard's mailbox takes anything.
  void mailboxes_full(bool full) { mailboxes_full_ = full; }
  /// All connections of all shards, bound or not.
  std::size_t connections() const;
  /// All sessions of the account, 0 too if it is not in memory.
  std::size_t sessions(const std::string& bare_jid);
  /// Runs until nothing is left to do now.
  void settle();
  /// Runs one task; false if none waits.
  bool step() { return loop_->run_one(); }
  void advance(Duration by);
  /// Everything in memory goes, as by kill -9; the storage stays.
  void restart();
  /// Stops as by SIGTERM, and starts again.
  void stop_and_start();
  void fail_writes(bool fail);
  storage::SqlStorage& storage() { return *storage_; }
  server::ShardRuntime& shard(unsigned index) { return *units_[index].runtime; }
  Events& events() { return *events_; }

 private:
  struct Unit {
    std::unique_ptr<storage::ShardStores> stores;
    std::unique_ptr<storage::Stores> refs;
    std::unique_ptr<server::ShardRuntime> runtime;
  };
  void start(WallTime wall);
  void stop();
  void add_record(const std::string& bare_jid, xmpp::Credentials credentials);
  std::optional<server::ShardSurroundings::Federation> federation();
  unsigned shards() const override { return options_.shards; }
  bool send(unsigned shard, router::Crossing& crossing) override;
  void at(unsigned shard, std::move_only_function<void(router::Router&)> work) override;

  WorldOptions options_;
  std::string database_;  ///< a file that goes with the World, so that a restart finds it again
  std::unique_ptr<runtime::ManualLoop> loop_;
  std::unique_ptr<Events> events_;
  SeededRandom random_{42};
  Secret server_secret_{std::string(32, 'k')};
  std::unique_ptr<storage::SqlStorage> storage_;
  std::unique_ptr<session::LoginGuard> guard_;
  std::unique_ptr<RateTable> rates_;
  std::unique_ptr<server::PasswordCheckWork> checker_;
  std::unique_ptr<session::ComponentPlaces> components_;
  std::unique_ptr<session::WaitingTotals> waiting_totals_;
  std::vector<Unit> units_;
  unsigned next_shard_ = 0;
  std::uint64_t generation_ = 0;
  bool mailboxes_full_ = false;
  std::multimap<std::string, std::unique_ptr<net::LinkClient>> dialled_;
};

}  // namespace kith::scenario
