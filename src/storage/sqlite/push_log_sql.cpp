#include "storage/sqlite/push_log_sql.h"

#include <chrono>
#include <utility>

#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

Ticket PushLogSql::add(const xmpp::BareJid& account, WallTime when, const PushRecord& record) {
  const std::size_t bytes = account.text().size() + record.service.size() + record.node.size();
  return access_.write(bytes, [account = account.text(), when, record](Db& db) -> Result<bool> {
    const WallTime hour = std::chrono::floor<std::chrono::hours>(when);
    const auto done = db.exec(
        "INSERT INTO push_log (hour, account, service, node, sent, refused) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT (account, hour, service, node) DO UPDATE SET sent = sent + ?5, refused = refused + ?6",
        to_column(hour), account, record.service, record.node, static_cast<std::int64_t>(record.sent),
        static_cast<std::int64_t>(record.refused));
    if (!done) return std::unexpected(done.error());
    return true;
  });
}

void PushLogSql::list(const xmpp::BareJid& account, Callback<std::vector<PushRecord>> then) {
  access_.read<std::vector<PushRecord>>(
      [account = account.text()](Db& db) -> Result<std::vector<PushRecord>> {
        std::vector<PushRecord> records;
        const auto done = db.query(
            "SELECT hour, service, node, sent, refused FROM push_log WHERE account = ? "
            "ORDER BY hour DESC, service, node LIMIT ?",
            [&](const Row& row) {
              records.push_back({.hour = time_from(row.integer(0)),
                                 .service = row.text(1),
                                 .node = row.text(2),
                                 .sent = static_cast<std::uint64_t>(row.integer(3)),
                                 .refused = static_cast<std::uint64_t>(row.integer(4))});
            },
            account, static_cast<std::int64_t>(most_listed));
        if (!done) return std::unexpected(done.error());
        return records;
      },
      std::move(then));
}

void PushLogSql::expire(WallTime when, std::size_t most, Callback<bool> then) {
  access_.write(
      0,
      [when, most](Db& db) -> Result<bool> {
        const auto removed =
            db.exec("DELETE FROM push_log WHERE rowid IN (SELECT rowid FROM push_log WHERE hour < ? LIMIT ?)",
                    to_column(when), static_cast<std::int64_t>(most));
        if (!removed) return std::unexpected(removed.error());
        return *removed != 0;
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
