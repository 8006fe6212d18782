#include "storage/sqlite/offline_sql.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

namespace {

// SQLite's ids are signed: what lies above the highest is above all messages.
std::int64_t to_id(std::uint64_t id) {
  constexpr std::uint64_t highest = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(id, highest));
}

}  // namespace

Ticket OfflineSql::add(const xmpp::BareJid& account, WallTime when, std::string stanza) {
  const std::size_t bytes = account.text().size() + stanza.size();
  return access_.write(bytes, [account = account.text(), when, stanza = std::move(stanza)](Db& db) -> Result<bool> {
    const auto done = db.exec("INSERT INTO offline (account, at, bytes, stanza) VALUES (?, ?, ?, ?)", account,
                              to_column(when), stanza.size(), stanza);
    if (!done) return std::unexpected(done.error());
    return true;
  });
}

void OfflineSql::page(const xmpp::BareJid& account, std::uint64_t after, std::size_t most,
                      Callback<std::vector<OfflineMessage>> then) {
  access_.read<std::vector<OfflineMessage>>(
      [account = account.text(), after, most](Db& db) -> Result<std::vector<OfflineMessage>> {
        std::vector<OfflineMessage> messages;
        const auto done = db.query(
            "SELECT id, at, stanza FROM offline WHERE account = ? AND id > ? ORDER BY id LIMIT ?",
            [&](const Row& row) {
              messages.push_back({.id = static_cast<std::uint64_t>(row.integer(0)),
                                  .when = time_from(row.integer(1)),
                                  .stanza = row.text(2)});
            },
            account, to_id(after), to_id(most));
        if (!done) return std::unexpected(done.error());
        return messages;
      },
      std::move(then));
}

Ticket OfflineSql::remove_through(const xmpp::BareJid& account, std::uint64_t id) {
  return access_.write(account.text().size(), [account = account.text(), id](Db& db) -> Result<bool> {
    const auto done = db.exec("DELETE FROM offline WHERE account = ? AND id <= ?", account, to_id(id));
    if (!done) return std::unexpected(done.error());
    return true;
  });
}

void OfflineSql::size(const xmpp::BareJid& account, Callback<Size> then) {
  access_.read<Size>(
      [account = account.text()](Db& db) -> Result<Size> {
        Size size;
        const auto done = db.query(
            "SELECT count(*), coalesce(sum(bytes), 0) FROM offline WHERE account = ?",
            [&](const Row& row) {
              size.messages = static_cast<std::uint64_t>(row.integer(0));
              size.bytes = static_cast<std::uint64_t>(row.integer(1));
            },
            account);
        if (!done) return std::unexpected(done.error());
        return size;
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
