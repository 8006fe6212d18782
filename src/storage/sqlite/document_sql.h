// One XML document per account, kind and key, in SQL. An empty document is a document.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

/// The documents of these kinds whose key is empty; those that there are not are left out.
Result<std::map<std::string, std::string>> read_documents(Db& db, const std::string& account,
                                                          const std::vector<std::string>& kinds);

class DocumentSql final : public DocumentStore {
 public:
  explicit DocumentSql(ShardAccess& access) : access_(access) {}
  void get(const xmpp::BareJid& account, const std::string& kind, const std::string& key,
           Callback<std::optional<std::string>> then) override;
  void get_several(const xmpp::BareJid& account, std::vector<std::string> kinds,
                   Callback<std::map<std::string, std::string>> then) override;
  Ticket put(const xmpp::BareJid& account, const std::string& kind, const std::string& key,
             std::string document) override;
  void count(const xmpp::BareJid& account, const std::string& kind, Callback<std::uint64_t> then) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
