#include "storage/sqlite/load_sql.h"

#include <utility>

#include "storage/sqlite/document_sql.h"
#include "storage/sqlite/pubsub_sql.h"
#include "storage/sqlite/roster_sql.h"
#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

namespace {

Result<std::optional<AccountData>> load_account(Db& db, const std::string& account,
                                                const std::vector<std::string>& kinds, Events& events) {
  const ReadTransaction one_state(db);
  std::optional<AccountData> data;
  const auto found = db.query(
      "SELECT created FROM accounts WHERE jid = ?",
      [&](const Row& row) { data.emplace(AccountData{.created = time_from(row.integer(0))}); }, account);
  if (!found) return std::unexpected(found.error());
  if (!data) return data;
  auto roster = read_roster(db, account, events);
  if (!roster) return std::unexpected(roster.error());
  auto documents = read_documents(db, account, kinds);
  if (!documents) return std::unexpected(documents.error());
  auto pubsub = read_pubsub(db, account, events);
  if (!pubsub) return std::unexpected(pubsub.error());
  data->roster = *std::move(roster);
  data->documents = *std::move(documents);
  data->pubsub = *std::move(pubsub);
  return data;
}

}  // namespace

void LoadSql::load(const xmpp::BareJid& account, std::vector<std::string> kinds,
                   Callback<std::optional<AccountData>> then) {
  access_.read<std::optional<AccountData>>(
      [account = account.text(), kinds = std::move(kinds), &events = access_.events()](Db& db) {
        return load_account(db, account, kinds, events);
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
