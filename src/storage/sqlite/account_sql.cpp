#include "storage/sqlite/account_sql.h"

#include <limits>
#include <optional>
#include <utility>

#include "storage/sqlite/archive_sql.h"
#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

namespace {

using xmpp::Credentials;
using xmpp::ScramKeys;

// What scram_keys.hash means.
constexpr std::int64_t hash_sha1 = 1;
constexpr std::int64_t hash_sha256 = 256;
constexpr std::int64_t hash_sha512 = 512;

Result<void> put_keys(Db& db, const std::string& account, std::int64_t hash, const std::optional<ScramKeys>& keys) {
  if (!keys) return {};
  const auto done = db.exec(
      "INSERT INTO scram_keys (account, hash, salt, iterations, stored_key, server_key) VALUES (?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (account, hash) DO NOTHING",
      account, hash, Blob{keys->salt}, keys->iterations, Blob{keys->stored_key.reveal()},
      Blob{keys->server_key.reveal()});
  if (!done) return std::unexpected(done.error());
  return {};
}

/// Of each hash that the account has no keys of.
Result<void> put_missing(Db& db, const std::string& account, const Credentials& credentials) {
  if (const auto done = put_keys(db, account, hash_sha1, credentials.sha1); !done) return done;
  if (const auto done = put_keys(db, account, hash_sha256, credentials.sha256); !done) return done;
  return put_keys(db, account, hash_sha512, credentials.sha512);
}

Result<void> put_credentials(Db& db, const std::string& account, const Credentials& credentials) {
  const auto cleared = db.exec("DELETE FROM scram_keys WHERE account = ?", account);
  if (!cleared) return std::unexpected(cleared.error());
  return put_missing(db, account, credentials);
}

// Everything that belongs to an account, but the account itself. A new table with an account column is added here; a
// test compares this list with the schema.
Result<void> purge(Db& db, const ArchiveIndex& archive_index, const std::string& account) {
  static constexpr Sql statements[] = {
      "DELETE FROM scram_keys WHERE account = ?",
      "DELETE FROM last_seen WHERE account = ?",
      "DELETE FROM roster_items WHERE account = ?",
      "DELETE FROM roster_versions WHERE account = ?",
      "DELETE FROM roster_removed WHERE account = ?",
      "DELETE FROM offline WHERE account = ?",
      "DELETE FROM documents WHERE account = ?",
      "DELETE FROM saved_sessions WHERE account = ?",
      "DELETE FROM tokens WHERE account = ?",
      "DELETE FROM pubsub_nodes WHERE owner = ?",
      "DELETE FROM pubsub_people WHERE owner = ?",
      "DELETE FROM pubsub_items WHERE owner = ?",
      "DELETE FROM room_people WHERE jid = ?",
      "DELETE FROM push_log WHERE account = ?",
      "DELETE FROM outbound WHERE account = ?",
      // The files go when somebody comes by who knows where they lie; nobody gets them until then.
      "UPDATE uploads SET account = '', name = '', expires = 0 WHERE account = ?",
  };
  for (const Sql& statement : statements) {
    if (const auto done = db.exec(statement, account); !done) return std::unexpected(done.error());
  }
  return remove_archive(db, archive_index, account);
}

Result<bool> add_account(Db& db, const ArchiveIndex& archive_index, const AccountRecord& record) {
  const std::string& account = record.jid.text();
  const auto added = db.exec(
      "INSERT INTO accounts (jid, domain, localpart, created, disabled) VALUES (?, ?, ?, ?, ?) ON CONFLICT (jid) DO "
      "NOTHING",
      account, record.jid.domainpart(), record.jid.localpart(), to_column(record.created), record.disabled);
  if (!added) return std::unexpected(added.error());
  if (*added == 0) return false;
  if (const auto done = purge(db, archive_index, account); !done) return std::unexpected(done.error());
  if (const auto done = put_credentials(db, account, record.credentials); !done) return std::unexpected(done.error());
  return true;
}

Result<bool> is_account(Db& db, const std::string& account) {
  bool found = false;
  const auto done = db.query("SELECT 1 FROM accounts WHERE jid = ?", [&](const Row&) { found = true; }, account);
  if (!done) return std::unexpected(done.error());
  return found;
}

Result<bool> remove_account(Db& db, const ArchiveIndex& archive_index, const std::string& account) {
  const auto removed = db.exec("DELETE FROM accounts WHERE jid = ?", account);
  if (!removed) return std::unexpected(removed.error());
  if (const auto done = purge(db, archive_index, account); !done) return std::unexpected(done.error());
  return *removed > 0;
}

// SECURITY: keys that make no sense are an error of the store, not an account without a password.
Result<Credentials> credentials_of(Db& db, const std::string& account) {
  Credentials credentials;
  bool sound = true;
  const auto done = db.query(
      "SELECT hash, salt, iterations, stored_key, server_key FROM scram_keys WHERE account = ?",
      [&](const Row& row) {
        const std::int64_t iterations = row.integer(2);
        if (iterations < 0 || iterations > std::numeric_limits<std::uint32_t>::max()) {
          sound = false;
          return;
        }
        ScramKeys keys{.salt = row.text(1),
                       .iterations = static_cast<std::uint32_t>(iterations),
                       .stored_key = Secret(row.text(3)),
                       .server_key = Secret(row.text(4))};
        switch (row.integer(0)) {
          case hash_sha1:
            credentials.sha1 = std::move(keys);
            break;
          case hash_sha256:
            credentials.sha256 = std::move(keys);
            break;
          case hash_sha512:
            credentials.sha512 = std::move(keys);
            break;
          default:
            sound = false;
        }
      },
      account);
  if (!done) return std::unexpected(done.error());
  if (!sound) return std::unexpected(StorageError::corrupt);
  return credentials;
}

/// A row of the table of accounts.
struct AccountRow {
  std::string jid;
  WallTime created;
  std::optional<bool> disabled;  ///< nothing if the column makes no sense
};
AccountRow account_row(const Row& row) {
  return {.jid = row.text(0), .created = time_from(row.integer(1)), .disabled = flag_from(row.integer(2))};
}

}  // namespace

Result<std::optional<AccountRecord>> find_account(Db& db, const xmpp::BareJid& jid) {
  const ReadTransaction one_state(db);
  std::optional<AccountRow> nearest;
  std::optional<AccountRow> first;
  const auto searched = db.query(
      "SELECT jid, created, disabled FROM accounts WHERE jid >= ? ORDER BY jid LIMIT 1",
      [&](const Row& row) { nearest = account_row(row); }, jid.text());
  if (!searched) return std::unexpected(searched.error());
  const auto began = db.query("SELECT jid, created, disabled FROM accounts ORDER BY jid LIMIT 1",
                              [&](const Row& row) { first = account_row(row); });
  if (!began) return std::unexpected(began.error());
  if (!first) return std::optional<AccountRecord>();
  const AccountRow& row = nearest ? *nearest : *first;
  Result<Credentials> credentials = credentials_of(db, row.jid);
  if (row.jid != jid.text()) return std::optional<AccountRecord>();
  if (!credentials) return std::unexpected(credentials.error());
  if (!row.disabled) return std::unexpected(StorageError::corrupt);
  return AccountRecord{
      .jid = jid, .credentials = std::move(*credentials), .created = row.created, .disabled = *row.disabled};
}

Result<std::optional<AccountRecord>> find_account(Db& db, const xmpp::BareJid& jid, Events& events) {
  Result<std::optional<AccountRecord>> found = find_account(db, jid);
  if (!found && found.error() == StorageError::corrupt)
    events.record(LogLevel::error, "storage_bad_row", {{"table", "accounts"}});
  return found;
}

void AccountSql::find(const xmpp::BareJid& jid, Callback<std::optional<AccountRecord>> then) {
  access_.read<std::optional<AccountRecord>>(
      [jid, &events = access_.events()](Db& db) { return find_account(db, jid, events); }, std::move(then));
}

void AccountSql::add(const AccountRecord& record, Callback<bool> then) {
  access_.write(
      record.jid.text().size(), [&index = archive_index_, record](Db& db) { return add_account(db, index, record); },
      std::move(then));
}

void AccountSql::set_credentials(const xmpp::BareJid& jid, const Credentials& credentials, Callback<bool> then) {
  access_.write(
      jid.text().size(),
      [account = jid.text(), credentials](Db& db) -> Result<bool> {
        const Result<bool> there = is_account(db, account);
        if (!there || !*there) return there;
        if (const auto done = put_credentials(db, account, credentials); !done) return std::unexpected(done.error());
        // SECURITY: who changes a password means to shut out whoever knew the old one.
        if (const auto done = db.exec("DELETE FROM tokens WHERE account = ?", account); !done)
          return std::unexpected(done.error());
        return true;
      },
      std::move(then));
}

void AccountSql::add_keys(const xmpp::BareJid& jid, const Credentials& keys, const std::string& salt,
                          Callback<bool> then) {
  access_.write(
      jid.text().size(),
      [account = jid.text(), keys, salt](Db& db) -> Result<bool> {
        bool holds = false;
        const auto looked = db.query(
            "SELECT 1 FROM scram_keys WHERE account = ? AND salt = ?", [&](const Row&) { holds = true; }, account,
            Blob{salt});
        if (!looked) return std::unexpected(looked.error());
        if (!holds) return false;
        if (const auto done = put_missing(db, account, keys); !done) return std::unexpected(done.error());
        return true;
      },
      std::move(then));
}

void AccountSql::remove(const xmpp::BareJid& jid, Callback<bool> then) {
  access_.write(
      jid.text().size(),
      [&index = archive_index_, account = jid.text()](Db& db) { return remove_account(db, index, account); },
      std::move(then));
}

void AccountSql::list(const std::string& domain, Callback<std::vector<xmpp::BareJid>> then) {
  access_.read<std::vector<xmpp::BareJid>>(
      [domain, &events = access_.events()](Db& db) -> Result<std::vector<xmpp::BareJid>> {
        std::vector<xmpp::BareJid> accounts;
        const auto take = [&](const Row& row) {
          if (std::optional<xmpp::BareJid> jid = bare_jid_from(row.bytes(0))) {
            accounts.push_back(std::move(*jid));
          } else {
            events.record(LogLevel::warning, "storage_bad_row", {{"table", "accounts"}});
          }
        };
        const auto done = domain.empty()
                              ? db.query("SELECT jid FROM accounts ORDER BY domain, localpart", take)
                              : db.query("SELECT jid FROM accounts WHERE domain = ? ORDER BY localpart", take, domain);
        if (!done) return std::unexpected(done.error());
        return accounts;
      },
      std::move(then));
}

Ticket AccountSql::set_last_seen(const xmpp::BareJid& jid, const LastSeen& last) {
  return access_.write(jid.text().size() + last.status.size(), [account = jid.text(), last](Db& db) -> Result<bool> {
    const auto done = db.exec(
        "INSERT INTO last_seen (account, at, status) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (account) DO UPDATE SET at = ?2, status = ?3",
        account, to_column(last.when), last.status);
    if (!done) return std::unexpected(done.error());
    return true;
  });
}

void AccountSql::last_seen(const xmpp::BareJid& jid, Callback<std::optional<LastSeen>> then) {
  access_.read<std::optional<LastSeen>>(
      [account = jid.text()](Db& db) -> Result<std::optional<LastSeen>> {
        std::optional<LastSeen> last;
        const auto done = db.query(
            "SELECT at, status FROM last_seen WHERE account = ?",
            [&](const Row& row) { last = LastSeen{.when = time_from(row.integer(0)), .status = row.text(1)}; },
            account);
        if (!done) return std::unexpected(done.error());
        return last;
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
