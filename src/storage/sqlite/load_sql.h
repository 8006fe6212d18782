// An account in one read: one wait for a reader, and one transaction, in place of one for each store.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

class LoadSql final : public LoadStore {
 public:
  explicit LoadSql(ShardAccess& access) : access_(access) {}
  void load(const xmpp::BareJid& account, std::vector<std::string> kinds,
            Callback<std::optional<AccountData>> then) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
