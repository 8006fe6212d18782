// The embedded database: one SQLite file in WAL mode with synchronous=FULL, one writer thread that commits in groups,
// reader threads beside it. docs/durability.md says what is on disk when.
//
// Files: the directory 0700 if it is made here, the database 0600, and PATH.lock, which keeps a second server out.
// The shards' executors must outlive the SqlStorage: it posts answers to them until its destructor has returned.
//
// Immediate mode is for tests and the simulation: no threads, every write is committed inside the call that gives it
// (or, while held, by commit_now()), every read is done inside its call, and only the answers are posted. Same SQL, and
// the same result each time. The path may be ":memory:" then, or a file, to start again on it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/events.h"
#include "base/executor.h"
#include "storage/sqlite/commit_queue.h"
#include "storage/storage.h"

namespace kith::storage {

/// The stores of one shard; used on its thread only.
class ShardStores {
 public:
  virtual ~ShardStores() = default;
  virtual Stores stores() = 0;
};

class SqlStorage {
 public:
  enum class Mode { threads, immediate };
  struct Options {
    Mode mode = Mode::threads;
    unsigned readers = 1;
    /// How long a database that somebody else has locked is waited for before writes fail.
    std::chrono::milliseconds busy_timeout{2000};
    sqlite::QueueLimits queue{};
    /// For how many archived messages at a time the archive's index is extended.
    std::size_t indexed_together = 8192;
    /// One of SQLite's file layers by name, for tests; empty: the usual one.
    std::string vfs{};
  };

  /// Opens or makes the database at `path` and brings it to the present schema. Throws sqlite::Unusable, at start-up,
  /// with a text for the administrator: it cannot be opened, is in use, is from a newer Kith, or is not Kith's.
  SqlStorage(const std::string& path, Events& events, const Clock& clock, Options options);
  SqlStorage(const std::string& path, Events& events, const Clock& clock)
      : SqlStorage(path, events, clock, Options()) {}
  /// Commits everything that was given and answers everything that was asked.
  ~SqlStorage();
  SqlStorage(const SqlStorage&) = delete;
  SqlStorage& operator=(const SqlStorage&) = delete;

  /// The stores for the shard that `shard` runs. They must not outlive this object.
  std::unique_ptr<ShardStores> make_stores(Executor& shard);
  const CommitLog& commit_log() const;
  /// Posts `tell` to `shard` each time that more is decided; one task for many steps while the shard is busy.
  void on_decided(Executor& shard, std::function<void()> tell);
  /// Ends the telling of that shard; called on it, or after it stopped. For a server that stops before its storage
  /// does.
  void forget(const Executor& shard);
  /// Returns when all that was written before is decided and all that was read is answered (posted).
  void drain();

  // For tests and the simulation.
  /// While held, writes gather and reads that must see them wait. Immediate mode.
  void hold_commits(bool held);
  void commit_now();
  /// The next `count` writes fail with `error`: their tickets, or their callbacks.
  void fail_next(std::size_t count, StorageError error);
  /// The next `count` reads fail with StorageError::unavailable.
  void fail_next_reads(std::size_t count);

  // For the simulation, in immediate mode, where writes and reads are decided by a scheduler.
  /// From now on writes gather until commit_group(), and reads until read_one().
  void defer();
  std::size_t writes_gathered() const;
  std::size_t reads_ready() const;
  /// Commits the first `most` writes that gathered as one group.
  void commit_group(std::size_t most);
  void read_one();
  /// As kill -9: what gathered and what was asked is dropped, and nobody is told.
  void abandon();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace kith::storage
