#include "storage/sqlite/session_sql.h"

#include <utility>

#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

Ticket SessionSql::put(const xmpp::BareJid& account, std::string state) {
  const std::size_t bytes = account.text().size() + state.size();
  return access_.write(bytes, [account = account.text(), state = std::move(state)](Db& db) -> Result<bool> {
    const auto done = db.exec("INSERT INTO saved_sessions (account, state) VALUES (?, ?)", account, state);
    if (!done) return std::unexpected(done.error());
    return true;
  });
}

void SessionSql::page(std::uint64_t after, std::size_t most, Callback<std::vector<SavedSession>> then) {
  access_.read<std::vector<SavedSession>>(
      [after, most](Db& db) -> Result<std::vector<SavedSession>> {
        std::vector<SavedSession> sessions;
        const auto done = db.query(
            "SELECT number, account, state FROM saved_sessions WHERE number > ? ORDER BY number LIMIT ?",
            [&](const Row& row) {
              if (auto account = bare_jid_from(row.text(1)))
                sessions.push_back({.number = static_cast<std::uint64_t>(row.integer(0)),
                                    .account = *std::move(account),
                                    .state = row.text(2)});
            },
            static_cast<std::int64_t>(after), static_cast<std::int64_t>(most));
        if (!done) return std::unexpected(done.error());
        return sessions;
      },
      std::move(then));
}

Ticket SessionSql::remove(std::uint64_t number) {
  return access_.write(sizeof(number), [number](Db& db) -> Result<bool> {
    const auto done = db.exec("DELETE FROM saved_sessions WHERE number = ?", static_cast<std::int64_t>(number));
    if (!done) return std::unexpected(done.error());
    return true;
  });
}

}  // namespace kith::storage::sqlite
