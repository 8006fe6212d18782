// Archived messages in SQL. The id is the row's own, so that adding one is an append to the table; a page is a walk
// along the index (ArchiveIndex) from a known place, however long the archive.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "storage/sqlite/archive_index.h"
#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

/// Where the ids of all shards come from. Any thread.
class ArchiveIds {
 public:
  /// `last`: the highest that was ever given.
  explicit ArchiveIds(std::uint64_t last = 0) : last_(last) {}
  void start_above(std::uint64_t last) { last_.store(last, std::memory_order_relaxed); }
  std::uint64_t next(WallTime when);

 private:
  std::atomic<std::uint64_t> last_;
};

class ArchiveSql final : public ArchiveStore {
 public:
  ArchiveSql(ShardAccess& access, ArchiveIds& ids, std::shared_ptr<ArchiveIndex> index)
      : access_(access), ids_(ids), shared_index_(std::move(index)), index_(*shared_index_) {}
  Added add(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer, std::string stanza,
            const std::string& reference) override;
  Added add_rewriting(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer, std::string stanza,
                      const std::string& reference, Rewrite rewrite) override;
  Added add_rewriting_id(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer, std::string stanza,
                         std::uint64_t target, Rewrite rewrite) override;
  void page(const xmpp::BareJid& account, ArchiveQuery query, Callback<ArchivePage> then) override;
  void count(const xmpp::BareJid& account, ArchiveQuery query, Callback<std::uint64_t> then) override;
  void ends(const xmpp::BareJid& account, Callback<std::optional<Ends>> then) override;
  void expire(WallTime when, std::size_t most, Callback<bool> then) override;

 private:
  void extend_index();

  ShardAccess& access_;
  ArchiveIds& ids_;
  std::shared_ptr<ArchiveIndex> shared_index_;  ///< for who is told of the end of a write when the storage has gone
  ArchiveIndex& index_;
};

/// Removes all that the account has archived. On the writer's thread.
Result<void> remove_archive(Db& db, const ArchiveIndex& index, const std::string& account);

}  // namespace kith::storage::sqlite
