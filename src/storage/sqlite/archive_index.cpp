#include "storage/sqlite/archive_index.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace kith::storage::sqlite {

namespace {

// Ids are microseconds. A message is committed a moment after it was given its id, so that one with a smaller id can
// come behind what was indexed, but not so much smaller.
constexpr std::int64_t disorder = 10'000'000;

/// Rows that are there already are left as they are.
Result<void> index(Db& db, std::int64_t from, std::int64_t to) {
  static constexpr Sql statements[] = {
      "INSERT OR IGNORE INTO archive_index (account, peer, id) SELECT account, peer, id FROM archive WHERE id BETWEEN "
      "? "
      "AND ? ORDER BY account, id",
      "INSERT OR IGNORE INTO archive_references (reference, id) SELECT reference, id FROM archive WHERE id BETWEEN ? "
      "AND ? AND reference IS NOT NULL ORDER BY reference, id",
  };
  for (const Sql& statement : statements) {
    if (const auto done = db.exec(statement, from, to); !done) return std::unexpected(done.error());
  }
  const auto marked = db.exec("UPDATE archive_marks SET indexed = ?1 WHERE indexed < ?1", to);
  if (!marked) return std::unexpected(marked.error());
  return {};
}

}  // namespace

Result<void> ArchiveIndex::catch_up(Db& db) {
  const auto indexed = db.number("SELECT indexed FROM archive_marks");
  if (!indexed) return std::unexpected(indexed.error());
  // Nothing is written: a full disk is no reason not to start.
  return db.query(
      "SELECT id, account, peer, coalesce(reference, 0) FROM archive AS a WHERE id > ? AND NOT EXISTS (SELECT 1 FROM "
      "archive_index AS i WHERE i.account = a.account AND i.id = a.id) ORDER BY id",
      [this](const Row& row) {
        note(row.text(1), {.id = row.integer(0), .peer = peer_hash(row.bytes(2)), .reference = row.integer(3)});
      },
      *indexed - disorder);
}

void ArchiveIndex::note(const std::string& account, Entry entry) {
  const std::lock_guard lock(mutex_);
  std::vector<Entry>& entries = rest_[account];
  const auto place = std::ranges::lower_bound(entries, entry.id, {}, &Entry::id);
  if (place != entries.end() && place->id == entry.id) return;
  entry.number = ++last_number_;
  entries.insert(place, entry);
  ++count_;
}

std::vector<ArchiveIndex::Entry> ArchiveIndex::rest_of(const std::string& account) const {
  const std::lock_guard lock(mutex_);
  const auto found = rest_.find(account);
  return found == rest_.end() ? std::vector<Entry>() : found->second;
}

bool ArchiveIndex::claim() {
  const std::lock_guard lock(mutex_);
  return count_ >= together_ && !std::exchange(claimed_, true);
}

Result<void> ArchiveIndex::extend(Db& db) {
  std::int64_t from = std::numeric_limits<std::int64_t>::max();
  std::int64_t to = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [account, entries] : rest_) {
      from = std::min(from, entries.front().id);
      to = std::max(to, entries.back().id);
    }
    extended_to_ = last_number_;
  }
  return index(db, from, to);
}

void ArchiveIndex::extended(bool committed) {
  const std::lock_guard lock(mutex_);
  claimed_ = false;
  if (!committed) return;
  for (auto at = rest_.begin(); at != rest_.end();) {
    count_ -= std::erase_if(at->second, [this](const Entry& entry) { return entry.number <= extended_to_; });
    at = at->second.empty() ? rest_.erase(at) : std::next(at);
  }
}

}  // namespace kith::storage::sqlite
