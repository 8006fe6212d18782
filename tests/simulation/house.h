// A whole server under the scheduler: shards with their loops and mailboxes, a worker for password hashes, the real
// storage, whose commits and reads the scheduler decides. It can crash at any step and start again on what was
// committed. What the daemon runs is what runs here; sockets, TLS and threads are left out.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/events.h"
#include "net/memory_link.h"
#include "runtime/mailbox.h"
#include "scheduler.h"
#include "server/shard_runtime.h"
#include "storage/sql_storage.h"
#include "storage/sqlite/test_vfs.h"
#include "storage/test_support.h"

namespace kith::simulation {

/// How the disk behaves, in thousandths of its turns.
struct DiskWeather {
  Duration usual = std::chrono::milliseconds(2);
  Duration stall = std::chrono::seconds(5);
  std::size_t stalls = 0;
  std::size_t whole_groups = 500;   ///< all that gathered is committed at once; else a part
  std::size_t refused_writes = 0;   ///< some writes to come fail by themselves
  std::size_t failing_commits = 0;  ///< the file system fails somewhere in a commit
  std::size_t failing_reads = 0;
};

struct HouseOptions {
  unsigned shards = 2;
  std::string domain = "kith.test";
  Limits limits{};
  DiskWeather disk{};
  Pace pace{};
  std::map<std::string, std::map<std::string, module::Settings::Value, std::less<>>> settings{};
};

class House final : private router::Crossroads, private Source {
 public:
  House(Scheduler& scheduler, HouseOptions options, std::uint64_t seed);
  ~House() override;
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  /// Makes the account, with one round of hashing; at once. Before the disk has its weather.
  void add_account(const std::string& bare_jid, const std::string& password);
  /// A connection to the next shard in turn; its server's side is accepted already.
  std::unique_ptr<net::LinkClient> connect(net::LinkOptions link);
  /// As kill -9, then a start on what was committed. With `amid_commit`, what gathered is on its way to the disk, and
  /// the end comes between two of the file's writes.
  void crash(bool amid_commit);
  /// As SIGTERM: every stream is told to end, and whoever comes is sent away; restart() follows when they had the time.
  void shut_down();
  /// The end of a server that was shut down: what was written is committed; and the next start.
  void restart();
  bool stopping() const { return stopping_; }
  /// Between the two: the sessions that can be resumed are written down; done when saved().
  void save_sessions();
  bool saved() const { return saving_ == 0; }
  /// The sessions of before are not all back yet: nobody can connect.
  bool starting() const { return restoring_ != 0; }
  /// From now on the disk is quick and never fails.
  void calm_disk();
  bool disk_failed_once() const { return disk_failed_; }

  unsigned shard_count() const { return options_.shards; }
  server::ShardRuntime& shard(unsigned index) { return *units_[index].runtime; }
  const Limits& limits() const { return options_.limits; }
  const std::string& domain() const { return options_.domain; }
  Events& events() { return *events_; }
  std::size_t connections() const;
  std::size_t loaded_accounts();
  /// Log lines of level error since the last call: none of the server's own bugs may be among them.
  std::vector<std::string> take_error_lines() { return std::exchange(error_lines_, {}); }

 private:
  struct Unit {
    std::unique_ptr<storage::ShardStores> stores;
    std::unique_ptr<storage::Stores> refs;
    std::unique_ptr<server::ShardRuntime> runtime;
    std::unique_ptr<runtime::Mailbox<router::Crossing>> mailbox;
  };
  void start();
  void stop();
  server::ShardSettings shard_settings() const;
  void start_unit(unsigned index, const server::RunJob& run_job);

  // router::Crossroads
  unsigned shards() const override { return options_.shards; }
  bool send(unsigned shard, router::Crossing& crossing) override { return units_[shard].mailbox->push(crossing); }
  void at(unsigned shard, std::move_only_function<void(router::Router&)> work) override;

  // Source: the disk.
  MonotonicTime ready_at() override;
  void act() override;

  Scheduler& scheduler_;
  HouseOptions options_;
  storage::TemporaryDirectory directory_;
  std::string database_;
  std::string vfs_name_;
  storage::sqlite::FaultyVfs vfs_;
  SeededRandom random_;
  Secret server_secret_{std::string(32, 'k')};
  std::unique_ptr<Events> events_;
  std::vector<std::string> error_lines_;
  std::vector<std::unique_ptr<Loop>> loops_;
  Loop worker_;
  std::unique_ptr<storage::SqlStorage> storage_;
  std::unique_ptr<session::LoginGuard> guard_;
  std::unique_ptr<RateTable> rates_;
  std::unique_ptr<server::PasswordCheckWork> checker_;
  std::vector<Unit> units_;
  MonotonicTime disk_at_ = never;
  bool disk_failed_ = false;
  bool stopping_ = false;
  unsigned saving_ = 0;
  unsigned restoring_ = 0;
  unsigned next_shard_ = 0;
};

}  // namespace kith::simulation
