#include "storage/sqlite/token_sql.h"

#include <utility>

#include "storage/sqlite/account_sql.h"
#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

namespace {

TokenRecord token_row(const Row& row) {
  return {.client = row.text(0),
          .fresh = row.integer(1) != 0,
          .mechanism = row.text(2),
          .seed = row.text(3),
          .issued = time_from(row.integer(4)),
          .expires = time_from(row.integer(5)),
          .used = time_from(row.integer(6)),
          .software = row.text(7),
          .device = row.text(8)};
}

auto removal(const xmpp::BareJid& account, const std::string& client) {
  return [account = account.text(), client](Db& db) -> Result<bool> {
    const auto done = db.exec("DELETE FROM tokens WHERE account = ? AND client = ?", account, client);
    if (!done) return std::unexpected(done.error());
    return *done > 0;
  };
}

}  // namespace

void TokenSql::find(const xmpp::BareJid& account, const std::string& client, Callback<LoginTokens> then) {
  access_.read<LoginTokens>(
      [account, client, &events = access_.events()](Db& db) -> Result<LoginTokens> {
        auto record = find_account(db, account, events);
        if (!record) return std::unexpected(record.error());
        LoginTokens found{.account = *std::move(record)};
        const auto done = db.query(
            "SELECT client, fresh, mechanism, seed, issued, expires, used, software, device FROM tokens "
            "WHERE account = ? AND client = ?",
            [&](const Row& row) { found.tokens.push_back(token_row(row)); }, account.text(), client);
        if (!done) return std::unexpected(done.error());
        return found;
      },
      std::move(then));
}

void TokenSql::list(const xmpp::BareJid& account, Callback<std::vector<TokenRecord>> then) {
  access_.read<std::vector<TokenRecord>>(
      [account = account.text()](Db& db) -> Result<std::vector<TokenRecord>> {
        std::vector<TokenRecord> tokens;
        const auto done = db.query(
            "SELECT client, fresh, mechanism, seed, issued, expires, used, software, device FROM tokens "
            "WHERE account = ? ORDER BY client, fresh",
            [&](const Row& row) { tokens.push_back(token_row(row)); }, account);
        if (!done) return std::unexpected(done.error());
        return tokens;
      },
      std::move(then));
}

Ticket TokenSql::put(const xmpp::BareJid& account, const TokenRecord& record, const LoginBasis& basis,
                     std::size_t most_clients) {
  const std::size_t bytes = account.text().size() + record.client.size() + record.software.size();
  return access_.write(bytes, [account = account.text(), record, basis, most_clients](Db& db) -> Result<bool> {
    // Salts are random, so one that is still there stands for the password that the client has proven. An account that
    // was removed and made again by somebody else has others.
    const auto done = db.exec(
        "INSERT INTO tokens (account, client, fresh, mechanism, seed, issued, expires, used, software, device) "
        "SELECT ?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE EXISTS (SELECT 1 FROM scram_keys WHERE account = ?1 AND "
        "salt = ?10) AND (NOT ?11 OR EXISTS (SELECT 1 FROM tokens WHERE account = ?1 AND client = ?2)) "
        "ON CONFLICT (account, client, fresh) DO UPDATE SET mechanism = ?3, seed = ?4, issued = ?5, expires = ?6, "
        "used = ?7, software = ?8, device = ?9",
        account, record.client, record.mechanism, record.seed, to_column(record.issued), to_column(record.expires),
        to_column(record.used), record.software, record.device, Blob{basis.salt}, basis.by_token);
    if (!done) return std::unexpected(done.error());
    const auto expired =
        db.exec("DELETE FROM tokens WHERE account = ? AND expires < ?", account, to_column(record.issued));
    if (!expired) return std::unexpected(expired.error());
    const auto bounded = db.exec(
        "DELETE FROM tokens WHERE account = ?1 AND client NOT IN (SELECT client FROM tokens WHERE account = ?1 "
        "GROUP BY client ORDER BY max(used) DESC, max(issued) DESC LIMIT ?2)",
        account, most_clients);
    if (!bounded) return std::unexpected(bounded.error());
    return true;
  });
}

Ticket TokenSql::used(const xmpp::BareJid& account, const std::string& client, bool fresh, WallTime when) {
  return access_.write(account.text().size(), [account = account.text(), client, fresh, when](Db& db) -> Result<bool> {
    if (fresh) {
      const auto older = db.exec(
          "DELETE FROM tokens WHERE account = ?1 AND client = ?2 AND fresh = 0 AND EXISTS (SELECT 1 FROM tokens WHERE "
          "account = ?1 AND client = ?2 AND fresh = 1)",
          account, client);
      if (!older) return std::unexpected(older.error());
      const auto now = db.exec("UPDATE tokens SET fresh = 0 WHERE account = ? AND client = ?", account, client);
      if (!now) return std::unexpected(now.error());
    }
    const auto done = db.exec("UPDATE tokens SET used = ? WHERE account = ? AND client = ? AND fresh = 0",
                              to_column(when), account, client);
    if (!done) return std::unexpected(done.error());
    return true;
  });
}

Ticket TokenSql::remove(const xmpp::BareJid& account, const std::string& client) {
  return access_.write(account.text().size(), removal(account, client));
}

void TokenSql::remove_client(const xmpp::BareJid& account, const std::string& client, Callback<bool> then) {
  access_.write(account.text().size(), removal(account, client), std::move(then));
}

}  // namespace kith::storage::sqlite
