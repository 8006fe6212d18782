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

Result<void> walk(Db& db, const std::string& account, const ArchiveQuery& query, std::size_t most, auto&& each) {
  const std::int64_t above = to_id(query.above);
  const std::int64_t below = to_id(query.below);
  const auto limit = static_cast<std::int64_t>(most);
  if (!query.with) {
    if (query.from_newest) {
      return db.query("SELECT id, stanza FROM archive WHERE account = ? AND id > ? AND id < ? ORDER BY id DESC LIMIT ?",
                      each, account, above, below, limit);
    }
    return db.query("SELECT id, stanza FROM archive WHERE account = ? AND id > ? AND id < ? ORDER BY id LIMIT ?", each,
                    account, above, below, limit);
  }
  const std::string& with = query.with->text();
  if (query.from_newest) {
    return db.query(
        "SELECT id, stanza FROM archive WHERE account = ?1 AND peer = ?2 AND id > ?3 AND id < ?4 "
        "AND (?6 = '' OR resource = ?6) ORDER BY id DESC LIMIT ?5",
        each, account, with, above, below, limit, query.with_resource);
  }
  return db.query(
      "SELECT id, stanza FROM archive WHERE account = ?1 AND peer = ?2 AND id > ?3 AND id < ?4 "
      "AND (?6 = '' OR resource = ?6) ORDER BY id LIMIT ?5",
      each, account, with, above, below, limit, query.with_resource);
}

Result<ArchivePage> page_of(Db& db, const std::string& account, const ArchiveQuery& query) {
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
  const auto done = walk(db, account, query, query.most + 1, take);
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

Result<bool> insert(Db& db, const NewRow& row) {
  const auto done = db.exec(
      "INSERT INTO archive (id, account, peer, resource, stanza, reference) VALUES (?, ?, ?, ?, ?, nullif(?, 0))",
      to_id(row.id), row.account, row.peer, row.resource, row.stanza, row.reference);
  if (!done) return std::unexpected(done.error());
  return true;
}

/// Shows `rewrite` what was archived before `row`: the message with the id `target`, if that is not 0, and what has the
/// reference `sought`.
Result<void> rewrite_rows(Db& db, const NewRow& row, std::uint64_t target, std::int64_t sought,
                          const ArchiveStore::Rewrite& rewrite) {
  std::vector<std::pair<std::int64_t, std::string>> changes;
  bool more = true;
  const auto look = [&](const Row& found) {
    if (!more) return;
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
        },
        to_id(target), row.account, row.peer);
    if (!named) return std::unexpected(named.error());
  }
  if (sought != 0) {
    const auto looked = db.query(
        "SELECT id, stanza FROM archive WHERE reference = ?1 AND id < ?2 AND account = ?3 AND peer = ?4 AND id <> ?6 "
        "ORDER BY id DESC LIMIT ?5",
        look, sought, to_id(row.id), row.account, row.peer, static_cast<std::int64_t>(ArchiveStore::most_rewritten),
        to_id(target));
    if (!looked) return std::unexpected(looked.error());
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
  const Ticket ticket = access_.write(bytes, [row = std::move(row)](Db& db) { return insert(db, row); });
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
  const Ticket ticket =
      access_.write(bytes,
                    [row = std::move(row), sought = reference_of(account.text(), peer.bare_text(), reference),
                     rewrite = std::move(rewrite)](Db& db) -> Result<bool> {
                      if (const auto done = rewrite_rows(db, row, 0, sought, rewrite); !done)
                        return std::unexpected(done.error());
                      return insert(db, row);
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
  const Ticket ticket =
      access_.write(bytes, [row = std::move(row), target, rewrite = std::move(rewrite)](Db& db) -> Result<bool> {
        if (const auto done = rewrite_rows(db, row, target, 0, rewrite); !done) return std::unexpected(done.error());
        return insert(db, row);
      });
  return {.id = id, .ticket = ticket};
}

void ArchiveSql::page(const xmpp::BareJid& account, ArchiveQuery query, Callback<ArchivePage> then) {
  access_.read<ArchivePage>(
      [account = account.text(), query = std::move(query)](Db& db) { return page_of(db, account, query); },
      std::move(then));
}

void ArchiveSql::count(const xmpp::BareJid& account, ArchiveQuery query, Callback<std::uint64_t> then) {
  access_.read<std::uint64_t>(
      [account = account.text(), query = std::move(query)](Db& db) -> Result<std::uint64_t> {
        std::uint64_t count = 0;
        const auto take = [&](const Row& row) { count = static_cast<std::uint64_t>(row.integer(0)); };
        const auto most = static_cast<std::int64_t>(most_counted);
        const auto done =
            query.with
                ? db.query(
                      "SELECT count(*) FROM (SELECT 1 FROM archive WHERE account = ?1 AND peer = ?2 AND id > ?3 "
                      "AND id < ?4 AND (?6 = '' OR resource = ?6) LIMIT ?5)",
                      take, account, query.with->text(), to_id(query.above), to_id(query.below), most,
                      query.with_resource)
                : db.query(
                      "SELECT count(*) FROM (SELECT 1 FROM archive WHERE account = ? AND id > ? AND id < ? LIMIT ?)",
                      take, account, to_id(query.above), to_id(query.below), most);
        if (!done) return std::unexpected(done.error());
        return count;
      },
      std::move(then));
}

void ArchiveSql::ends(const xmpp::BareJid& account, Callback<std::optional<Ends>> then) {
  access_.read<std::optional<Ends>>(
      [account = account.text()](Db& db) -> Result<std::optional<Ends>> {
        std::optional<Ends> ends;
        auto done = db.query(
            "SELECT id FROM archive WHERE account = ? ORDER BY id LIMIT 1",
            [&](const Row& row) { ends = Ends{.first = static_cast<std::uint64_t>(row.integer(0)), .last = 0}; },
            account);
        if (done && ends) {
          done = db.query(
              "SELECT id FROM archive WHERE account = ? ORDER BY id DESC LIMIT 1",
              [&](const Row& row) { ends->last = static_cast<std::uint64_t>(row.integer(0)); }, account);
        }
        if (!done) return std::unexpected(done.error());
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

}  // namespace kith::storage::sqlite
