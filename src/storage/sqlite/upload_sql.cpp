#include "storage/sqlite/upload_sql.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

namespace {

std::int64_t number(std::uint64_t value) {
  return static_cast<std::int64_t>(
      std::min<std::uint64_t>(value, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
}

UploadRecord record_from(const Row& row) {
  return {.id = row.text(0),
          .account = row.text(1),
          .name = row.text(2),
          .type = row.text(3),
          .purpose = row.text(4),
          .bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(row.integer(5), 0)),
          .created = time_from(row.integer(6)),
          .expires = time_from(row.integer(7)),
          .expire_before = time_from(row.integer(9)),
          .stored = row.integer(8) == 1};
}

}  // namespace

void UploadSql::add(const UploadRecord& record, WallTime since, std::uint64_t most_bytes, Callback<bool> then) {
  access_.write(
      record.account.size() + record.name.size() + record.type.size(),
      [record, since, most_bytes](Db& db) -> Result<bool> {
        std::int64_t used = 0;
        const auto counted = db.query(
            "SELECT coalesce(sum(bytes), 0) FROM uploads WHERE account = ? AND created > ? AND (stored = 1 OR "
            "expires > ?)",
            [&](const Row& row) { used = row.integer(0); }, record.account, to_column(since),
            to_column(record.created));
        if (!counted) return std::unexpected(counted.error());
        if (static_cast<std::uint64_t>(used) > most_bytes ||
            record.bytes > most_bytes - static_cast<std::uint64_t>(used)) {
          return false;
        }
        const auto added = db.exec(
            "INSERT INTO uploads (id, account, name, type, purpose, bytes, created, expires, stored, expire_before) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?) ON CONFLICT (id) DO NOTHING",
            record.id, record.account, record.name, record.type, record.purpose, number(record.bytes),
            to_column(record.created), to_column(record.expires), to_column(record.expire_before));
        if (!added) return std::unexpected(added.error());
        return *added == 1;
      },
      std::move(then));
}

void UploadSql::find(const std::string& id, Callback<std::optional<UploadRecord>> then) {
  access_.read<std::optional<UploadRecord>>(
      [id](Db& db) -> Result<std::optional<UploadRecord>> {
        std::optional<UploadRecord> found;
        const auto done = db.query(
            "SELECT id, account, name, type, purpose, bytes, created, expires, stored, expire_before FROM uploads "
            "WHERE id = ?",
            [&](const Row& row) { found = record_from(row); }, id);
        if (!done) return std::unexpected(done.error());
        return found;
      },
      std::move(then));
}

void UploadSql::begun(const std::string& id, WallTime until, Callback<bool> then) {
  access_.write(
      id.size(),
      [id, until](Db& db) -> Result<bool> {
        const auto done = db.exec("UPDATE uploads SET expires = ? WHERE id = ? AND stored = 0 AND account <> ''",
                                  to_column(until), id);
        if (!done) return std::unexpected(done.error());
        return *done == 1;
      },
      std::move(then));
}

void UploadSql::stored(const std::string& id, const std::string& type, WallTime expires, Callback<bool> then) {
  access_.write(
      id.size() + type.size(),
      [id, type, expires](Db& db) -> Result<bool> {
        const auto done = db.exec(
            "UPDATE uploads SET stored = 1, type = ?, expires = ? WHERE id = ? AND stored = 0 AND account <> ''", type,
            to_column(expires), id);
        if (!done) return std::unexpected(done.error());
        return *done == 1;
      },
      std::move(then));
}

void UploadSql::remove(const std::string& id, Callback<bool> then) {
  access_.write(
      id.size(),
      [id](Db& db) -> Result<bool> {
        const auto done = db.exec("DELETE FROM uploads WHERE id = ?", id);
        if (!done) return std::unexpected(done.error());
        return *done == 1;
      },
      std::move(then));
}

void UploadSql::expired(WallTime now, std::size_t most, Callback<std::vector<std::string>> then) {
  access_.read<std::vector<std::string>>(
      [now, most](Db& db) -> Result<std::vector<std::string>> {
        std::vector<std::string> ids;
        const auto done = db.query(
            "SELECT id FROM uploads WHERE expires < ? ORDER BY expires LIMIT ?",
            [&](const Row& row) { ids.push_back(row.text(0)); }, to_column(now), static_cast<std::int64_t>(most));
        if (!done) return std::unexpected(done.error());
        return ids;
      },
      std::move(then));
}

void UploadSql::list(const std::string& account, const std::string& after, std::size_t most,
                     Callback<std::vector<UploadRecord>> then) {
  access_.read<std::vector<UploadRecord>>(
      [account, after, most](Db& db) -> Result<std::vector<UploadRecord>> {
        std::vector<UploadRecord> records;
        const auto take = [&](const Row& row) { records.push_back(record_from(row)); };
        const auto done = account.empty() ? db.query(
                                                "SELECT id, account, name, type, purpose, bytes, created, expires, "
                                                "stored, expire_before FROM uploads WHERE "
                                                "stored = 1 AND id > ? ORDER BY id LIMIT ?",
                                                take, after, static_cast<std::int64_t>(most))
                                          : db.query(
                                                "SELECT id, account, name, type, purpose, bytes, created, expires, "
                                                "stored, expire_before FROM uploads WHERE "
                                                "stored = 1 AND account = ? AND id > ? ORDER BY id LIMIT ?",
                                                take, account, after, static_cast<std::int64_t>(most));
        if (!done) return std::unexpected(done.error());
        return records;
      },
      std::move(then));
}

void UploadSql::usage(const std::string& account, Callback<Usage> then) {
  access_.read<Usage>(
      [account](Db& db) -> Result<Usage> {
        Usage usage;
        const auto take = [&](const Row& row) {
          usage = {.files = static_cast<std::uint64_t>(row.integer(0)),
                   .bytes = static_cast<std::uint64_t>(row.integer(1))};
        };
        const auto done =
            account.empty()
                ? db.query("SELECT count(*), coalesce(sum(bytes), 0) FROM uploads WHERE stored = 1", take)
                : db.query("SELECT count(*), coalesce(sum(bytes), 0) FROM uploads WHERE stored = 1 AND account = ?",
                           take, account);
        if (!done) return std::unexpected(done.error());
        return usage;
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
