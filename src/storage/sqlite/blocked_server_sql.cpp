#include "storage/sqlite/blocked_server_sql.h"

#include <utility>

#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

void BlockedServerSql::all(Callback<std::vector<std::string>> then) {
  access_.read<std::vector<std::string>>(
      [](Db& db) -> Result<std::vector<std::string>> {
        std::vector<std::string> domains;
        const auto done = db.query("SELECT domain FROM blocked_servers ORDER BY domain",
                                   [&](const Row& row) { domains.push_back(row.text(0)); });
        if (!done) return std::unexpected(done.error());
        return domains;
      },
      std::move(then));
}

void BlockedServerSql::add(const std::string& domain, WallTime when, Callback<bool> then) {
  access_.write(
      domain.size(),
      [domain, when](Db& db) -> Result<bool> {
        const auto added = db.exec("INSERT INTO blocked_servers (domain, at) VALUES (?, ?) ON CONFLICT DO NOTHING",
                                   domain, to_column(when));
        if (!added) return std::unexpected(added.error());
        return *added > 0;
      },
      std::move(then));
}

void BlockedServerSql::remove(const std::string& domain, Callback<bool> then) {
  access_.write(
      domain.size(),
      [domain](Db& db) -> Result<bool> {
        const auto removed = db.exec("DELETE FROM blocked_servers WHERE domain = ?", domain);
        if (!removed) return std::unexpected(removed.error());
        return *removed > 0;
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
