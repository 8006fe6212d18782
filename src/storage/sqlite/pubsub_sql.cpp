#include "storage/sqlite/pubsub_sql.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

namespace {

Result<bool> done_of(const Result<std::uint64_t>& done) {
  if (!done) return std::unexpected(done.error());
  return true;
}

Result<bool> trim_now(Db& db, const std::string& owner, const std::string& node, const PubsubKeep& keep) {
  if (keep.since) {
    const auto expired = db.exec("DELETE FROM pubsub_items WHERE owner = ? AND node = ? AND created < ?", owner, node,
                                 to_column(*keep.since));
    if (!expired) return std::unexpected(expired.error());
  }
  // OPTIMIZATION: the row that the limit falls on is looked up, so that a node within it has nothing more to do.
  std::optional<std::int64_t> last_to_go;
  const auto found = db.query(
      "SELECT number FROM pubsub_items INDEXED BY pubsub_items_by_number WHERE owner = ? AND node = ? "
      "ORDER BY number DESC LIMIT 1 OFFSET ?",
      [&](const Row& row) { last_to_go = row.integer(0); }, owner, node, static_cast<std::int64_t>(keep.most_items));
  if (!found) return std::unexpected(found.error());
  if (!last_to_go) return true;
  return done_of(
      db.exec("DELETE FROM pubsub_items WHERE owner = ? AND node = ? AND number <= ?", owner, node, *last_to_go));
}

/// The number of an item that was published at `since` or later, or nothing.
Result<std::optional<std::int64_t>> number_of(Db& db, const std::string& owner, const std::string& node,
                                              const std::string& item, std::int64_t since) {
  std::optional<std::int64_t> number;
  const auto done = db.query(
      "SELECT number FROM pubsub_items WHERE owner = ? AND node = ? AND item = ? AND created >= ?",
      [&](const Row& row) { number = row.integer(0); }, owner, node, item, since);
  if (!done) return std::unexpected(done.error());
  return number;
}

Result<PubsubPage> page_of(Db& db, const std::string& owner, const std::string& node, const PubsubQuery& query) {
  const ReadTransaction one_state(db);
  PubsubPage page;
  std::size_t bytes = 0;
  const auto take = [&](const Row& row) {
    if (!page.complete) return;
    const std::string_view payload = query.payloads ? row.bytes(2) : std::string_view();
    if (page.items.size() == query.most || (!page.items.empty() && bytes + payload.size() > query.most_bytes)) {
      page.complete = false;
      return;
    }
    bytes += payload.size();
    page.items.push_back({.id = row.text(0),
                          .when = time_from(row.integer(1)),
                          .payload = std::string(payload),
                          .publisher = row.text(3)});
  };
  // OPTIMIZATION: without `since` the index alone says how many there are.
  const std::int64_t since = query.since ? to_column(*query.since) : std::numeric_limits<std::int64_t>::min();
  const auto count = [&](const Row& row) { page.total = static_cast<std::uint64_t>(row.integer(0)); };
  const auto total =
      query.since ? db.query("SELECT count(*) FROM pubsub_items WHERE owner = ? AND node = ? AND created >= ?", count,
                             owner, node, since)
                  : db.query("SELECT count(*) FROM pubsub_items WHERE owner = ? AND node = ?", count, owner, node);
  if (!total) return std::unexpected(total.error());
  if (!query.ids.empty()) {
    for (const std::string& id : query.ids) {
      const auto done = db.query(
          "SELECT item, created, payload, publisher FROM pubsub_items WHERE owner = ? AND node = ? AND item = ? "
          "AND created >= ?",
          take, owner, node, id, since);
      if (!done) return std::unexpected(done.error());
    }
    return page;
  }
  std::int64_t above = 0;
  std::int64_t below = std::numeric_limits<std::int64_t>::max();
  for (const bool after : {true, false}) {
    const std::string& id = after ? query.after : query.before;
    if (id.empty()) continue;
    const auto number = number_of(db, owner, node, id, since);
    if (!number) return std::unexpected(number.error());
    if (!*number) return PubsubPage{.known = false, .items = {}, .complete = true, .total = page.total};
    (after ? above : below) = **number;
  }
  const auto limit = static_cast<std::int64_t>(query.most + 1);
  const auto done = query.from_newest ? db.query(
                                            "SELECT item, created, payload, publisher FROM pubsub_items WHERE owner = "
                                            "? AND node = ? AND number > ? "
                                            "AND number < ? AND created >= ? ORDER BY number DESC LIMIT ?",
                                            take, owner, node, above, below, since, limit)
                                      : db.query(
                                            "SELECT item, created, payload, publisher FROM pubsub_items WHERE owner = "
                                            "? AND node = ? AND number > ? "
                                            "AND number < ? AND created >= ? ORDER BY number LIMIT ?",
                                            take, owner, node, above, below, since, limit);
  if (!done) return std::unexpected(done.error());
  if (query.from_newest) std::ranges::reverse(page.items);
  return page;
}

std::size_t size_of(const xmpp::BareJid& owner, const std::string& node) { return owner.text().size() + node.size(); }

}  // namespace

Result<PubsubData> read_pubsub(Db& db, const std::string& owner, Events& events) {
  const ReadTransaction one_state(db);
  PubsubData data;
  const auto nodes = db.query(
      "SELECT node, config FROM pubsub_nodes WHERE owner = ? ORDER BY node",
      [&](const Row& row) { data.nodes.push_back({.name = row.text(0), .config = row.text(1)}); }, owner);
  if (!nodes) return std::unexpected(nodes.error());
  if (data.nodes.empty()) return data;
  const auto people = db.query(
      "SELECT node, jid, affiliation, subscription FROM pubsub_people WHERE owner = ?",
      [&](const Row& row) {
        const auto node = std::ranges::find(data.nodes, row.bytes(0), &PubsubNode::name);
        std::optional<xmpp::Jid> jid = xmpp::Jid::parse(row.bytes(1));
        if (!jid || node == data.nodes.end()) {
          events.record(LogLevel::warning, "storage_bad_row", {{"table", "pubsub_people"}});
          return;
        }
        node->people.push_back({.jid = std::move(*jid), .affiliation = row.text(2), .subscription = row.text(3)});
      },
      owner);
  if (!people) return std::unexpected(people.error());
  const auto bytes = db.query(
      "SELECT coalesce(sum(bytes), 0) FROM pubsub_items WHERE owner = ?",
      [&](const Row& row) { data.bytes = static_cast<std::uint64_t>(row.integer(0)); }, owner);
  if (!bytes) return std::unexpected(bytes.error());
  return data;
}

void PubsubSql::load(const xmpp::BareJid& owner, Callback<PubsubData> then) {
  access_.read<PubsubData>(
      [owner = owner.text(), &events = access_.events()](Db& db) { return read_pubsub(db, owner, events); },
      std::move(then));
}

Ticket PubsubSql::put_node(const xmpp::BareJid& owner, const std::string& node, std::string config) {
  return access_.write(size_of(owner, node) + config.size(),
                       [owner = owner.text(), node, config = std::move(config)](Db& db) {
                         return done_of(
                             db.exec("INSERT INTO pubsub_nodes (owner, node, config) VALUES (?1, ?2, ?3) "
                                     "ON CONFLICT (owner, node) DO UPDATE SET config = ?3",
                                     owner, node, config));
                       });
}

Ticket PubsubSql::remove_node(const xmpp::BareJid& owner, const std::string& node) {
  return access_.write(size_of(owner, node), [owner = owner.text(), node](Db& db) -> Result<bool> {
    static constexpr Sql statements[] = {
        "DELETE FROM pubsub_items WHERE owner = ? AND node = ?",
        "DELETE FROM pubsub_people WHERE owner = ? AND node = ?",
        "DELETE FROM pubsub_nodes WHERE owner = ? AND node = ?",
    };
    for (const Sql& statement : statements) {
      if (const auto done = db.exec(statement, owner, node); !done) return std::unexpected(done.error());
    }
    return true;
  });
}

Ticket PubsubSql::put_person(const xmpp::BareJid& owner, const std::string& node, const PubsubPerson& person) {
  return access_.write(size_of(owner, node) + person.jid.text().size(), [owner = owner.text(), node,
                                                                         jid = person.jid.text(),
                                                                         affiliation = person.affiliation,
                                                                         subscription = person.subscription](Db& db) {
    if (affiliation.empty() && subscription.empty()) {
      return done_of(db.exec("DELETE FROM pubsub_people WHERE owner = ? AND node = ? AND jid = ?", owner, node, jid));
    }
    return done_of(
        db.exec("INSERT INTO pubsub_people (owner, node, jid, affiliation, subscription) VALUES (?1, ?2, ?3, ?4, "
                "?5) ON CONFLICT (owner, node, jid) DO UPDATE SET affiliation = ?4, subscription = ?5",
                owner, node, jid, affiliation, subscription));
  });
}

Ticket PubsubSql::publish(const xmpp::BareJid& owner, const std::string& node, std::vector<PubsubItem> items,
                          const PubsubKeep& keep) {
  std::size_t bytes = size_of(owner, node);
  for (const PubsubItem& item : items) bytes += item.id.size() + item.payload.size();
  return access_.write(bytes, [owner = owner.text(), node, items = std::move(items), keep](Db& db) -> Result<bool> {
    for (const PubsubItem& item : items) {
      // Not an update: what is published again is the newest (XEP-0060 §12.20).
      const auto gone =
          db.exec("DELETE FROM pubsub_items WHERE owner = ? AND node = ? AND item = ?", owner, node, item.id);
      if (!gone) return std::unexpected(gone.error());
      const auto put = db.exec(
          "INSERT INTO pubsub_items (owner, node, item, bytes, created, payload, publisher) "
          "VALUES (?, ?, ?, ?, ?, ?, ?)",
          owner, node, item.id, item.payload.size(), to_column(item.when), item.payload, item.publisher);
      if (!put) return std::unexpected(put.error());
    }
    return trim_now(db, owner, node, keep);
  });
}

Ticket PubsubSql::retract(const xmpp::BareJid& owner, const std::string& node, std::vector<std::string> ids) {
  return access_.write(
      size_of(owner, node), [owner = owner.text(), node, ids = std::move(ids)](Db& db) -> Result<bool> {
        for (const std::string& id : ids) {
          const auto done =
              db.exec("DELETE FROM pubsub_items WHERE owner = ? AND node = ? AND item = ?", owner, node, id);
          if (!done) return std::unexpected(done.error());
        }
        return true;
      });
}

Ticket PubsubSql::trim(const xmpp::BareJid& owner, const std::string& node, const PubsubKeep& keep) {
  return access_.write(size_of(owner, node),
                       [owner = owner.text(), node, keep](Db& db) { return trim_now(db, owner, node, keep); });
}

void PubsubSql::items(const xmpp::BareJid& owner, const std::string& node, PubsubQuery query,
                      Callback<PubsubPage> then) {
  access_.read<PubsubPage>(
      [owner = owner.text(), node, query = std::move(query)](Db& db) { return page_of(db, owner, node, query); },
      std::move(then));
}

void PubsubSql::newest(const xmpp::BareJid& owner, std::vector<std::string> nodes,
                       Callback<std::map<std::string, PubsubItem>> then) {
  access_.read<std::map<std::string, PubsubItem>>(
      [owner = owner.text(), nodes = std::move(nodes)](Db& db) -> Result<std::map<std::string, PubsubItem>> {
        std::map<std::string, PubsubItem> newest;
        for (const std::string& node : nodes) {
          const auto done = db.query(
              "SELECT item, created, payload, publisher FROM pubsub_items INDEXED BY pubsub_items_by_number WHERE "
              "owner = ? AND "
              "node = ? ORDER BY number DESC LIMIT 1",
              [&](const Row& row) {
                newest.emplace(node, PubsubItem{.id = row.text(0),
                                                .when = time_from(row.integer(1)),
                                                .payload = row.text(2),
                                                .publisher = row.text(3)});
              },
              owner, node);
          if (!done) return std::unexpected(done.error());
        }
        return newest;
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
