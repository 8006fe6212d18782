// All that lives on one shard, put together: the router, an instance of each feature, and the client connections. The
// daemon makes one per thread; tests make some on one loop with a virtual clock. Used on the shard's thread only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/service.h"
#include "module/module.h"
#include "router/router.h"
#include "server/host_table.h"
#include "server/password_work.h"
#include "session/c2s.h"
#include "session/components.h"
#include "session/s2s.h"
#include "session/websocket.h"
#include "storage/files.h"

namespace kith::server {

/// How many names the table of rates that all shards share remembers: a megabyte or two.
inline constexpr std::size_t most_rated_names = 10'000;
/// … and of that of HTTP requests, in which whoever asks has a place.
inline constexpr std::size_t most_asking_networks = 50'000;

/// What of the configuration a shard needs; a reload hands over another.
struct ShardSettings {
  HostData hosts;
  Limits limits;
  /// The features that are on, with their settings, in the order of modules/all.cpp.
  std::vector<std::pair<const module::Registration*, module::Settings>> modules;
  http::HttpSettings http{};
  std::vector<std::string> websocket_origins{"*"};
};

struct ShardSurroundings {
  unsigned index;
  Executor& shard;
  const Clock& clock;
  TimerWheel& timers;
  Random& random;
  Events& events;
  storage::Stores& stores;
  const storage::CommitLog& commit_log;
  router::Crossroads& crossroads;
  RateTable& rates;
  session::LoginGuard& guard;
  session::PasswordChecker& password_checker;
  RunJob run_job;
  const Secret& server_secret;
  std::function<void(unsigned shard, std::unique_ptr<session::Parcel> parcel)> send_off;
  std::string_view software_version;
  MonotonicTime started;
  /// What streams with other servers need; nothing: there is no federation.
  struct Federation {
    const Secret& secret;
    bool require_certificates;
    bool dane;
    bool onions;
    session::WaitingTotals& waiting;
    decltype(session::S2sDeps::resolve) resolve;
    decltype(session::S2sDeps::dial) dial;
  };
  std::optional<Federation> federation{};
  session::ComponentPlaces* components = nullptr;  ///< null: there are none
  /// What HTTP needs; nothing: there is none.
  struct Web {
    RateTable& rates;
    const Clock& clock;  ///< any thread's
    session::WebSocketStreams::Admit admit;
  };
  std::optional<Web> web{};
  storage::FileStore* files = nullptr;  ///< null: there is no place for files
};

class ShardRuntime {
 public:
  ShardRuntime(const ShardSurroundings& surroundings, ShardSettings settings);
  ShardRuntime(const ShardRuntime&) = delete;
  ShardRuntime& operator=(const ShardRuntime&) = delete;

  router::Router& router() { return router_; }
  session::C2sService& c2s() { return c2s_; }
  /// Null where there is no federation.
  session::S2sService* s2s() { return s2s_.get(); }
  /// Null where there is none.
  http::HttpService* http() { return http_.get(); }
  /// Null where there are none.
  session::Components* components() { return components_.get(); }
  module::Passwords& passwords() { return passwords_; }
  storage::Stores& stores() { return stores_; }
  storage::FileStore& files() { return files_; }

  /// Takes new domains, limits and settings over. Features that were switched on or off since the start stay as they
  /// were until the daemon starts again; the caller says so to the administrator.
  void reload(ShardSettings settings);

 private:
  HostTable hosts_;
  Limits limits_;
  storage::Stores& stores_;
  storage::NoFiles no_files_;
  storage::FileStore& files_;
  PasswordDeriveWork passwords_;
  std::vector<const module::Descriptor*> active_;
  router::Router router_;
  module::ArchiveIdCipher archive_ids_;
  std::map<const module::Registration*, std::unique_ptr<module::Module>> modules_;
  session::C2sService c2s_;
  std::unique_ptr<session::S2sService> s2s_;
  std::unique_ptr<session::Components> components_;
  std::unique_ptr<session::WebSocketStreams> websockets_;
  // Ends before the features that answer.
  std::unique_ptr<http::HttpService> http_;
};

}  // namespace kith::server
