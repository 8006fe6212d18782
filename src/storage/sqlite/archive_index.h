// Where each account's archived messages are found: tables beside the archive (by account, by peer, by reference) that
// are extended for many messages at a time, and what has come since, in memory.
//
// OPTIMIZATION: a message is an append to one table and nothing else. An entry in an index touches a page of its own
// (each account has its place there), so that with indexes kept for each message a commit wrote seven times as much.
//
// One for all shards. Whoever archives notes the message on the writer's thread, in the transaction; any thread reads.
// Limit: about `together` messages in memory.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/sqlite/db.h"

namespace kith::storage::sqlite {

class ArchiveIndex {
 public:
  struct Entry {
    std::int64_t id = 0;
    std::uint64_t peer = 0;      ///< peer_hash()
    std::int64_t reference = 0;  ///< 0: none
    std::uint64_t number = 0;    ///< the index's own, growing
  };

  /// `together`: after so many messages the tables are extended.
  explicit ArchiveIndex(std::size_t together) : together_(together) {}

  static std::uint64_t peer_hash(std::string_view peer) { return std::hash<std::string_view>()(peer); }

  /// Notes what the last run of the daemon has left out of the tables. Before anything else is done with the archive.
  Result<void> catch_up(Db& db);

  /// A message was inserted; done again when its transaction is. On the writer's thread.
  void note(const std::string& account, Entry entry);
  /// The account's messages that may not be in the tables, in the order of their ids. It may name some that are not
  /// archived (any more), and some that are in the tables by now: asked before the tables are read, nothing is missed.
  std::vector<Entry> rest_of(const std::string& account) const;

  /// True for whoever is to submit a write that does extend() and then to call extended().
  bool claim();
  /// Brings all that was noted into the tables. On the writer's thread.
  Result<void> extend(Db& db);
  /// How the write with extend() ended.
  void extended(bool committed);

 private:
  const std::size_t together_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::vector<Entry>> rest_;
  std::size_t count_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t extended_to_ = 0;  // the number of the last entry that the last extend() covered
  bool claimed_ = false;
};

}  // namespace kith::storage::sqlite
