#include "storage/sqlite/document_sql.h"

#include <utility>

namespace kith::storage::sqlite {

void DocumentSql::get(const xmpp::BareJid& account, const std::string& kind, const std::string& key,
                      Callback<std::optional<std::string>> then) {
  access_.read<std::optional<std::string>>(
      [account = account.text(), kind, key](Db& db) -> Result<std::optional<std::string>> {
        std::optional<std::string> document;
        const auto done = db.query(
            "SELECT document FROM documents WHERE account = ? AND kind = ? AND name = ?",
            [&](const Row& row) { document = row.text(0); }, account, kind, key);
        if (!done) return std::unexpected(done.error());
        return document;
      },
      std::move(then));
}

Result<std::map<std::string, std::string>> read_documents(Db& db, const std::string& account,
                                                          const std::vector<std::string>& kinds) {
  std::map<std::string, std::string> documents;
  for (const std::string& kind : kinds) {
    const auto done = db.query(
        "SELECT document FROM documents WHERE account = ? AND kind = ? AND name = ''",
        [&](const Row& row) { documents.emplace(kind, row.text(0)); }, account, kind);
    if (!done) return std::unexpected(done.error());
  }
  return documents;
}

void DocumentSql::get_several(const xmpp::BareJid& account, std::vector<std::string> kinds,
                              Callback<std::map<std::string, std::string>> then) {
  access_.read<std::map<std::string, std::string>>(
      [account = account.text(), kinds = std::move(kinds)](Db& db) { return read_documents(db, account, kinds); },
      std::move(then));
}

Ticket DocumentSql::put(const xmpp::BareJid& account, const std::string& kind, const std::string& key,
                        std::string document) {
  const std::size_t bytes = account.text().size() + kind.size() + key.size() + document.size();
  return access_.write(bytes,
                       [account = account.text(), kind, key, document = std::move(document)](Db& db) -> Result<bool> {
                         const auto done = db.exec(
                             "INSERT INTO documents (account, kind, name, document) VALUES (?1, ?2, ?3, ?4) "
                             "ON CONFLICT (account, kind, name) DO UPDATE SET document = ?4",
                             account, kind, key, document);
                         if (!done) return std::unexpected(done.error());
                         return true;
                       });
}

void DocumentSql::count(const xmpp::BareJid& account, const std::string& kind, Callback<std::uint64_t> then) {
  access_.read<std::uint64_t>(
      [account = account.text(), kind](Db& db) -> Result<std::uint64_t> {
        std::uint64_t count = 0;
        const auto done = db.query(
            "SELECT count(*) FROM documents WHERE account = ? AND kind = ?",
            [&](const Row& row) { count = static_cast<std::uint64_t>(row.integer(0)); }, account, kind);
        if (!done) return std::unexpected(done.error());
        return count;
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
