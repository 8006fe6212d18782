#include "storage/sqlite/archive_sql.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

namespace {

std::int64_t to_id(std::uint64_t id) { return static_cast<std::int64_t>(std::min(id, ArchiveQuery::newest)); }

Result<bool> is_there(Db& db, const std::string& account, std::uint64_t id) {
  bool found = false;
  const auto done = db.query(
      "SELECT 1 FROM archive WHERE id = ? AND account = ?", [&](const Row&) { found = true; }, to_id(id), account);
  if (!done) return std::unexpected(done.error());
  return found;
}

/// One of the account's messages by its id, if it is there and is what `query` asks for.
Result<void> look_up(Db& db, const std::string& account, const ArchiveQuery& query, std::int64_t id, auto&& each) {
  if (!query.with) return db.query("SELECT id, stanza FROM archive WHERE id = ? AND account = ?", each, id, account);
  return db.query(
      "SELECT id, stanza FROM archive WHERE id = ?1 AND account = ?2 AND peer = ?3 AND (?4 = '' OR resource = ?4)",
      each, id, account, query.with->text(), query.with_resource);
}

/// What is in the tables of the index.
Result<void> walk_index(Db& db, const std::string& account, const ArchiveQuery& query, std::int64_t above,
                        std::int64_t below, std::size_t most, auto&& each) {
  const auto limit = static_cast<std::int64_t>(most);
  if (!query.with) {
    if (query.from_newest) {
      return db.query(
          "SELECT a.id, a.stanza FROM archive_index AS i CROSS JOIN archive AS a ON a.id = i.id WHERE i.account = ? "
          "AND "
          "i.id > ? AND i.id < ? ORDER BY i.id DESC LIMIT ?",
          each, account, above, below, limit);
    }
    return db.query(
        "SELECT a.id, a.stanza FROM archive_index AS i CROSS JOIN archive AS a ON a.id = i.id WHERE i.account = ? AND "
        "i.id > ? AND i.id < ? ORDER BY i.id LIMIT ?",
        each, account, above, below, limit);
  }
  const std::string& with = query.with->text();
  if (query.from_newest) {
    return db.query(
        "SELECT a.id, a.stanza FROM archive_index AS i CROSS JOIN archive AS a ON a.id = i.id WHERE i.account = ?1 AND "
        "i.peer = ?2 AND i.id > ?3 AND i.id < ?4 AND (?6 = '' OR a.resource = ?6) ORDER BY i.id DESC LIMIT ?5",
        each, account, with, above, below, limit, query.with_resource);
  }
  return db.query(
      "SELECT a.id, a.stanza FROM archive_index AS i CROSS JOIN archive AS a ON a.id = i.id WHERE i.account = ?1 AND "
      "i.peer = ?2 AND i.id > ?3 AND i.id < ?4 AND (?6 = '' OR a.resource = ?6) ORDER BY i.id LIMIT ?5",
      each, account, with, above, below, limit, query.with_resource);
}

/// Calls `each` with up to `most` of the messages, in the order that is asked for. `rest`: ArchiveIndex::rest_of() the
/// account, from before.
Result<void> walk(Db& db, const std::string& account, const ArchiveQuery& query, std::vector<ArchiveIndex::Entry> rest,
                  std::size_t most, auto&& each) {
  const std::int64_t above = to_id(query.above);
  const std::int64_t below = to_id(query.below);
  // All that is not in the tables is behind all that is.
  const std::int64_t border = rest.empty() ? below : std::min(below, rest.front().id);
  std::size_t left = most;
  const auto counted = [&](const Row& row) {
    --left;
    each(row);
  };
  const auto walk_rest = [&]() -> Result<void> {
    if (query.from_newest) std::ranges::reverse(rest);
    const std::uint64_t peer = query.with ? ArchiveIndex::peer_hash(query.with->text()) : 0;
    for (const ArchiveIndex::Entry& entry : rest) {
      if (left == 0) break;
      if (entry.id <= above || entry.id >= below || (query.with && entry.peer != peer)) continue;
      if (const auto done = look_up(db, account, query, entry.id, counted); !done) return done;
    }
    return {};
  };
  if (query.from_newest) {
    if (const auto done = walk_rest(); !done) return done;
    return left == 0 ? Result<void>() : walk_index(db, account, query, above, border, left, counted);
  }
  if (const auto done = walk_index(db, account, query, above, border, left, counted); !done) return done;
  return walk_rest();
}

Result<ArchivePage> page_of(Db& db, const ArchiveIndex& index, const std::string& account, const ArchiveQuery& query) {
  std::vector<ArchiveIndex::Entry> rest = index.rest_of(account);
  ArchivePage page;
  for (const std::uint64_t id : query.must_exist) {
    const Result<bool> found = is_there(db, account, id);
    if (!found) return std::unexpected(found.error());
    if (!*found) return ArchivePage{.known = false, .messages = {}, .complete = true};
  }
  std::size_t bytes = 0;
  const auto take = [&](const Row& row) {
    if (!page.complete) return;
    const std::string_view stanza = row.bytes(1);
    if (page.messages.size() == query.most || (!page.messages.empty() && bytes + stanza.size() > query.most_bytes)) {
      page.complete = false;
      return;
    }
    bytes += stanza.size();
    page.messages.push_back({.id = static_cast<std::uint64_t>(row.integer(0)), .stanza = std::string(stanza)});
  };
  if (!query.ids.empty()) {
    for (const std::uint64_t id : query.ids) {
      bool found = false;
      const auto done = db.query(
          "SELECT id, stanza FROM archive WHERE id = ? AND account = ?",
          [&](const Row& row) {
            found = true;
            take(row);
          },
          to_id(id), account);
      if (!done) return std::unexpected(done.error());
      if (!found) return ArchivePage{.known = false, .messages = {}, .complete = true};
    }
    return page;
  }
  const auto done = walk(db, account, query, std::move(rest), query.most + 1, take);
  if (!done) return std::unexpected(done.error());
  if (query.from_newest) std::ranges::reverse(page.messages);
  return page;
}

/// A reference as a number, so that its index is small; 0 for none. SECURITY: cut from a hash that nobody finds
/// collisions of at will, or messages could be hidden from a rewrite behind others.
std::int64_t reference_of(std::string_view account, std::string_view peer, std::string_view reference) {
  if (reference.empty()) return 0;
  std::string framed(account);
  framed.append(1, '\0').append(peer).append(1, '\0').append(reference);
  const std::string hash = sha256(framed);
  std::uint64_t number = 0;
  std::memcpy(&number, hash.data(), sizeof number);
  return static_cast<std::int64_t>(std::max<std::uint64_t>(number >> 1U, 1));
}

struct NewRow {
  std::uint64_t id;
  std::string account;
  std::string peer;
  std::string resource;
  std::string stanza;
  std::int64_t reference = 0;

  std::size_t bytes() const { return account.size() + peer.size() + resource.size() + stanza.size(); }
};

Result<bool> insert(Db& db, ArchiveIndex& index, const NewRow& row) {
  const auto done = db.exec(
      "INSERT INTO archive (id, account, peer, resource, reference, stanza) VALUES (?, ?, ?, ?, nullif(?, 0), ?)",
      to_id(row.id), row.account, row.peer, row.resource, row.reference, row.stanza);
  if (!done) return std::unexpected(done.error());
  index.note(row.account, {.id = to_id(row.id), .peer = ArchiveIndex::peer_hash(row.peer), .reference = row.reference});
  return true;
}

/// Shows `rewrite` what was archived before `row`: the message with the id `target`, if that is not 0, and what has the
/// reference `sought`.
Result<void> rewrite_rows(Db& db, const ArchiveIndex& index, const NewRow& row, std::uint64_t target,
                          std::int64_t sought, const ArchiveStore::Rewrite& rewrite) {
  std::vector<std::pair<std::int64_t, std::string>> changes;
  bool more = true;
  std::size_t looked = 0;
  const auto look = [&](const Row& found) {
    if (!more || looked == ArchiveStore::most_rewritten) return;
    ++looked;
    ArchiveStore::Rewritten rewritten = rewrite(found.bytes(1));
    more = rewritten.more;
    if (rewritten.stanza) changes.emplace_back(found.integer(0), *std::move(rewritten.stanza));
  };
  if (target != 0) {
    const auto named = db.query(
        "SELECT id, stanza, reference FROM archive WHERE id = ? AND account = ? AND peer = ?",
        [&](const Row& found) {
          sought = found.integer(2);
          look(found);
          looked = 0;
        },
        to_id(target), row.account, row.peer);
    if (!named) return std::unexpected(named.error());
  }
  if (sought != 0) {
    std::vector<ArchiveIndex::Entry> rest = index.rest_of(row.account);
    const std::int64_t border = rest.empty() ? to_id(row.id) : std::min(to_id(row.id), rest.front().id);
    std::ranges::reverse(rest);
    for (const ArchiveIndex::Entry& entry : rest) {
      if (entry.reference != sought || entry.id >= to_id(row.id) || entry.id == to_id(target)) continue;
      const auto done =
          db.query("SELECT id, stanza FROM archive WHERE id = ? AND reference = ? AND account = ? AND peer = ?", look,
                   entry.id, sought, row.account, row.peer);
      if (!done) return std::unexpected(done.error());
    }
    const auto done = db.query(
        "SELECT a.id, a.stanza FROM archive_references AS r CROSS JOIN archive AS a ON a.id = r.id WHERE r.reference = "
        "?1 "
        "AND r.id < ?2 AND a.account = ?3 AND a.peer = ?4 AND r.id <> ?6 ORDER BY r.id DESC LIMIT ?5",
        look, sought, border, row.account, row.peer, static_cast<std::int64_t>(ArchiveStore::most_rewritten),
        to_id(target));
    if (!done) return std::unexpected(done.error());
  }
  for (const auto& [id, stanza] : changes) {
    const auto done = db.exec("UPDATE archive SET stanza = ?, reference = NULL WHERE id = ?", stanza, id);
    if (!done) return std::unexpected(done.error());
  }
  return {};
}

}  // namespace

std::uint64_t ArchiveIds::next(WallTime when) {
  const auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(to_column(when), 0));
  std::uint64_t last = last_.load(std::memory_order_relaxed);
  std::uint64_t id = 0;
  do {
    id = std::max(last + 1, now);
  } while (!last_.compare_exchange_weak(last, id, std::memory_order_relaxed));
  return id;
}

ArchiveStore::Added ArchiveSql::add(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer,
                                    std::string stanza, const std::string& reference) {
  NewRow row{.id = ids_.next(when),
             .account = account.text(),
             .peer = std::string(peer.bare_text()),
             .resource = std::string(peer.resourcepart()),
             .stanza = std::move(stanza),
             .reference = reference_of(account.text(), peer.bare_text(), reference)};
  const std::uint64_t id = row.id;
  const std::size_t bytes = row.bytes();
  const Ticket ticket =
      access_.write(bytes, [&index = index_, row = std::move(row)](Db& db) { return insert(db, index, row); });
  extend_index();
  return {.id = id, .ticket = ticket};
}

ArchiveStore::Added ArchiveSql::add_rewriting(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer,
                                              std::string stanza, const std::string& reference, Rewrite rewrite) {
  NewRow row{.id = ids_.next(when),
             .account = account.text(),
             .peer = std::string(peer.bare_text()),
             .resource = std::string(peer.resourcepart()),
             .stanza = std::move(stanza)};
  const std::uint64_t id = row.id;
  const std::size_t bytes = row.bytes();
  const Ticket ticket = access_.write(
      bytes,
      [&index = index_, row = std::move(row), sought = reference_of(account.text(), peer.bare_text(), reference),
       rewrite = std::move(rewrite)](Db& db) -> Result<bool> {
        if (const auto done = rewrite_rows(db, index, row, 0, sought, rewrite); !done)
          return std::unexpected(done.error());
        return insert(db, index, row);
      });
  return {.id = id, .ticket = ticket};
}

ArchiveStore::Added ArchiveSql::add_rewriting_id(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer,
                                                 std::string stanza, std::uint64_t target, Rewrite rewrite) {
  NewRow row{.id = ids_.next(when),
             .account = account.text(),
             .peer = std::string(peer.bare_text()),
             .resource = std::string(peer.resourcepart()),
             .stanza = std::move(stanza)};
  const std::uint64_t id = row.id;
  const std::size_t bytes = row.bytes();
  const Ticket ticket = access_.write(
      bytes, [&index = index_, row = std::move(row), target, rewrite = std::move(rewrite)](Db& db) -> Result<bool> {
        if (const auto done = rewrite_rows(db, index, row, target, 0, rewrite); !done)
          return std::unexpected(done.error());
        return insert(db, index, row);
      });
  return {.id = id, .ticket = ticket};
}

void ArchiveSql::extend_index() {
  if (!index_.claim()) return;
  access_.write(
      0,
      [&index = index_](Db& db) -> Result<bool> {
        if (const auto done = index.extend(db); !done) return std::unexpected(done.error());
        return true;
      },
      [index = shared_index_](const Result<bool>& done) { index->extended(done.has_value()); });
}

void ArchiveSql::page(const xmpp::BareJid& account, ArchiveQuery query, Callback<ArchivePage> then) {
  access_.read<ArchivePage>([&index = index_, account = account.text(),
                             query = std::move(query)](Db& db) { return page_of(db, index, account, query); },
                            std::move(then));
}

void ArchiveSql::count(const xmpp::BareJid& account, ArchiveQuery query, Callback<std::uint64_t> then) {
  access_.read<std::uint64_t>(
      [&index = index_, account = account.text(), query = std::move(query)](Db& db) -> Result<std::uint64_t> {
        const std::vector<ArchiveIndex::Entry> rest = index.rest_of(account);
        const std::int64_t above = to_id(query.above);
        const std::int64_t below = to_id(query.below);
        const std::int64_t border = rest.empty() ? below : std::min(below, rest.front().id);
        std::uint64_t count = 0;
        const auto take = [&](const Row& row) { count = static_cast<std::uint64_t>(row.integer(0)); };
        const auto most = static_cast<std::int64_t>(most_counted);
        auto done =
            query.with
                ? db.query(
                      "SELECT count(*) FROM (SELECT 1 FROM archive_index AS i WHERE account = ?1 AND peer = ?2 AND id "
                      "> ?3 "
                      "AND id < ?4 AND (?6 = '' OR (SELECT resource FROM archive WHERE id = i.id) = ?6) LIMIT ?5)",
                      take, account, query.with->text(), above, border, most, query.with_resource)
                : db.query(
                      "SELECT count(*) FROM (SELECT 1 FROM archive_index WHERE account = ? AND id > ? AND id < ? LIMIT "
                      "?)",
                      take, account, above, border, most);
        const std::uint64_t peer = query.with ? ArchiveIndex::peer_hash(query.with->text()) : 0;
        for (const ArchiveIndex::Entry& entry : rest) {
          if (!done || count == most_counted) break;
          if (entry.id <= above || entry.id >= below || (query.with && entry.peer != peer)) continue;
          done = look_up(db, account, query, entry.id, [&](const Row&) { ++count; });
        }
        if (!done) return std::unexpected(done.error());
        return count;
      },
      std::move(then));
}

void ArchiveSql::ends(const xmpp::BareJid& account, Callback<std::optional<Ends>> then) {
  access_.read<std::optional<Ends>>(
      [&index = index_, account = account.text()](Db& db) -> Result<std::optional<Ends>> {
        const std::vector<ArchiveIndex::Entry> rest = index.rest_of(account);
        std::optional<Ends> ends;
        const auto take = [&](const Row& row) {
          const auto id = static_cast<std::uint64_t>(row.integer(0));
          ends = ends ? Ends{.first = ends->first, .last = id} : Ends{.first = id, .last = id};
        };
        for (const bool from_newest : {false, true}) {
          if (const auto done = walk(db, account, {.from_newest = from_newest}, rest, 1, take); !done)
            return std::unexpected(done.error());
        }
        return ends;
      },
      std::move(then));
}

void ArchiveSql::expire(WallTime when, std::size_t most, Callback<bool> then) {
  access_.write(
      0,
      [when, most](Db& db) -> Result<bool> {
        const auto removed =
            db.exec("DELETE FROM archive WHERE id IN (SELECT id FROM archive WHERE id < ? ORDER BY id LIMIT ?)",
                    to_column(when), static_cast<std::int64_t>(most));
        if (!removed) return std::unexpected(removed.error());
        return *removed != 0;
      },
      std::move(then));
}

Result<void> remove_archive(Db& db, const ArchiveIndex& index, const std::string& account) {
  const auto done =
      db.exec("DELETE FROM archive WHERE id IN (SELECT id FROM archive_index WHERE account = ?)", account);
  if (!done) return std::unexpected(done.error());
  for (const ArchiveIndex::Entry& entry : index.rest_of(account)) {
    const auto removed = db.exec("DELETE FROM archive WHERE id = ? AND account = ?", entry.id, account);
    if (!removed) return std::unexpected(removed.error());
  }
  return {};
}

}  // namespace kith::storage::sqlite
