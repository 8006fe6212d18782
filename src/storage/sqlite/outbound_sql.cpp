#include "storage/sqlite/outbound_sql.h"

#include <utility>

#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

OutboundStore::Added OutboundSql::add(const std::string& remote, const std::string& local, const xmpp::BareJid& sender,
                                      WallTime when, std::string stanza) {
  const std::uint64_t id = ids_.next();
  const std::size_t bytes = remote.size() + local.size() + sender.text().size() + stanza.size();
  const Ticket ticket = access_.write(
      bytes, [remote, local, id, account = sender.text(), when, stanza = std::move(stanza)](Db& db) -> Result<bool> {
        const auto done =
            db.exec("INSERT INTO outbound (remote, local, id, account, at, bytes, stanza) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    remote, local, static_cast<std::int64_t>(id), account, to_column(when), stanza.size(), stanza);
        if (!done) return std::unexpected(done.error());
        return true;
      });
  return {.id = id, .ticket = ticket};
}

void OutboundSql::page(const std::string& remote, const std::string& local, std::uint64_t after, std::size_t most,
                       std::size_t most_bytes, Callback<std::vector<OutboundMessage>> then) {
  access_.read<std::vector<OutboundMessage>>(
      [remote, local, after, most, most_bytes](Db& db) -> Result<std::vector<OutboundMessage>> {
        std::vector<OutboundMessage> messages;
        std::size_t bytes = 0;
        bool full = false;
        const auto done = db.query(
            "SELECT id, at, stanza FROM outbound WHERE remote = ? AND local = ? AND id > ? ORDER BY id LIMIT ?",
            [&](const Row& row) {
              if (full) return;
              std::string stanza = row.text(2);
              bytes += stanza.size();
              full = bytes > most_bytes && !messages.empty();
              if (full) return;
              messages.push_back({.id = static_cast<std::uint64_t>(row.integer(0)),
                                  .when = time_from(row.integer(1)),
                                  .stanza = std::move(stanza)});
            },
            remote, local, static_cast<std::int64_t>(after), static_cast<std::int64_t>(most));
        if (!done) return std::unexpected(done.error());
        return messages;
      },
      std::move(then));
}

Ticket OutboundSql::remove_through(const std::string& remote, const std::string& local, std::uint64_t id) {
  return access_.write(remote.size() + local.size(), [remote, local, id](Db& db) -> Result<bool> {
    const auto done = db.exec("DELETE FROM outbound WHERE remote = ? AND local = ? AND id <= ?", remote, local,
                              static_cast<std::int64_t>(id));
    if (!done) return std::unexpected(done.error());
    return true;
  });
}

void OutboundSql::lines(Callback<std::vector<OutboundLine>> then) {
  access_.read<std::vector<OutboundLine>>(
      [](Db& db) -> Result<std::vector<OutboundLine>> {
        std::vector<OutboundLine> lines;
        const auto done = db.query(
            "SELECT remote, local, account, count(*), sum(bytes) FROM outbound GROUP BY remote, local, account "
            "ORDER BY remote, local, account",
            [&](const Row& row) {
              lines.push_back({.remote = row.text(0),
                               .local = row.text(1),
                               .sender = row.text(2),
                               .messages = static_cast<std::uint64_t>(row.integer(3)),
                               .bytes = static_cast<std::uint64_t>(row.integer(4))});
            });
        if (!done) return std::unexpected(done.error());
        return lines;
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
