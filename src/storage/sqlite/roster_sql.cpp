#include "storage/sqlite/roster_sql.h"

#include <optional>
#include <utility>

#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

namespace {

using xmpp::BareJid;
using xmpp::Subscription;
using xmpp::SubscriptionState;

// The columns of the enum are its numbers: none 0, to 1, from 2, both 3 (xmpp/subscription.h keeps that order).
std::int64_t to_column(Subscription subscription) { return static_cast<std::int64_t>(subscription); }

std::optional<Subscription> subscription_from(std::int64_t number) {
  switch (number) {
    case 0:
      return Subscription::none;
    case 1:
      return Subscription::to;
    case 2:
      return Subscription::from;
    case 3:
      return Subscription::both;
    default:
      return std::nullopt;
  }
}

// Columns: contact, name, group_names, subscription, pending_out, pending_in, approved, in_roster, pending_stanza.
std::optional<RosterItem> item_from(const Row& row) {
  std::optional<BareJid> contact = bare_jid_from(row.bytes(0));
  std::optional<std::vector<std::string>> groups = list_from(row.bytes(2));
  const std::optional<Subscription> subscription = subscription_from(row.integer(3));
  const std::optional<bool> pending_out = flag_from(row.integer(4));
  const std::optional<bool> pending_in = flag_from(row.integer(5));
  const std::optional<bool> approved = flag_from(row.integer(6));
  const std::optional<bool> in_roster = flag_from(row.integer(7));
  if (!contact || !groups || !subscription || !pending_out || !pending_in || !approved || !in_roster)
    return std::nullopt;
  return RosterItem{.contact = std::move(*contact),
                    .name = row.text(1),
                    .groups = std::move(*groups),
                    .state = SubscriptionState{.subscription = *subscription,
                                               .pending_out = *pending_out,
                                               .pending_in = *pending_in,
                                               .approved = *approved},
                    .in_roster = *in_roster,
                    .pending_stanza = row.text(8)};
}

Result<void> put_version(Db& db, const std::string& account, std::uint64_t version) {
  const auto done = db.exec(
      "INSERT INTO roster_versions (account, version) VALUES (?1, ?2) ON CONFLICT (account) DO UPDATE SET version = ?2",
      account, version);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<bool> put_item(Db& db, const std::string& account, const RosterItem& item, std::uint64_t version) {
  const std::string& contact = item.contact.text();
  const auto put = db.exec(
      "INSERT OR REPLACE INTO roster_items (account, contact, name, group_names, subscription, pending_out, "
      "pending_in, "
      "approved, in_roster, pending_stanza, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      account, contact, item.name, list_to_column(item.groups), to_column(item.state.subscription),
      item.state.pending_out, item.state.pending_in, item.state.approved, item.in_roster, item.pending_stanza, version);
  if (!put) return std::unexpected(put.error());
  const auto back = db.exec("DELETE FROM roster_removed WHERE account = ? AND contact = ?", account, contact);
  if (!back) return std::unexpected(back.error());
  if (const auto done = put_version(db, account, version); !done) return std::unexpected(done.error());
  return true;
}

Result<bool> remove_item(Db& db, const std::string& account, const std::string& contact, std::uint64_t version) {
  const auto removed = db.exec("DELETE FROM roster_items WHERE account = ? AND contact = ?", account, contact);
  if (!removed) return std::unexpected(removed.error());
  const auto noted = db.exec("INSERT OR REPLACE INTO roster_removed (account, contact, version) VALUES (?, ?, ?)",
                             account, contact, version);
  if (!noted) return std::unexpected(noted.error());
  const auto trimmed = db.exec(
      "DELETE FROM roster_removed WHERE account = ?1 AND contact IN (SELECT contact FROM roster_removed WHERE account "
      "= ?1 "
      "ORDER BY version DESC, contact LIMIT -1 OFFSET ?2)",
      account, RosterSql::most_removed);
  if (!trimmed) return std::unexpected(trimmed.error());
  if (const auto done = put_version(db, account, version); !done) return std::unexpected(done.error());
  return true;
}

}  // namespace

Result<RosterData> read_roster(Db& db, const std::string& account, Events& events) {
  const ReadTransaction one_state(db);
  RosterData roster;
  const auto items = db.query(
      "SELECT contact, name, group_names, subscription, pending_out, pending_in, approved, in_roster, pending_stanza, "
      "version "
      "FROM roster_items WHERE account = ? ORDER BY contact",
      [&](const Row& row) {
        std::optional<RosterItem> item = item_from(row);
        if (!item) {
          events.record(LogLevel::warning, "storage_bad_row", {{"table", "roster_items"}});
          return;
        }
        roster.item_versions.emplace(item->contact, static_cast<std::uint64_t>(row.integer(9)));
        roster.items.push_back(std::move(*item));
      },
      account);
  if (!items) return std::unexpected(items.error());
  const auto version = db.query(
      "SELECT version FROM roster_versions WHERE account = ?",
      [&](const Row& row) { roster.version = static_cast<std::uint64_t>(row.integer(0)); }, account);
  if (!version) return std::unexpected(version.error());
  const auto removed = db.query(
      "SELECT version, contact FROM roster_removed WHERE account = ? ORDER BY version, contact",
      [&](const Row& row) {
        if (std::optional<BareJid> contact = bare_jid_from(row.bytes(1))) {
          roster.removed.emplace_back(static_cast<std::uint64_t>(row.integer(0)), std::move(*contact));
        } else {
          events.record(LogLevel::warning, "storage_bad_row", {{"table", "roster_removed"}});
        }
      },
      account);
  if (!removed) return std::unexpected(removed.error());
  return roster;
}

void RosterSql::load(const BareJid& account, Callback<RosterData> then) {
  access_.read<RosterData>(
      [account = account.text(), &events = access_.events()](Db& db) { return read_roster(db, account, events); },
      std::move(then));
}

Ticket RosterSql::put(const BareJid& account, const RosterItem& item, std::uint64_t version) {
  std::size_t bytes =
      account.text().size() + item.contact.text().size() + item.name.size() + item.pending_stanza.size();
  for (const std::string& group : item.groups) bytes += group.size();
  return access_.write(
      bytes, [account = account.text(), item, version](Db& db) { return put_item(db, account, item, version); });
}

Ticket RosterSql::remove(const BareJid& account, const BareJid& contact, std::uint64_t version) {
  return access_.write(account.text().size() + contact.text().size(),
                       [account = account.text(), contact = contact.text(), version](Db& db) {
                         return remove_item(db, account, contact, version);
                       });
}

}  // namespace kith::storage::sqlite
