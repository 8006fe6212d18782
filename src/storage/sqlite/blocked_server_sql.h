// The servers that this one does not talk to, in SQL.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

class BlockedServerSql final : public BlockedServerStore {
 public:
  explicit BlockedServerSql(ShardAccess& access) : access_(access) {}
  void all(Callback<std::vector<std::string>> then) override;
  void add(const std::string& domain, WallTime when, Callback<bool> then) override;
  void remove(const std::string& domain, Callback<bool> then) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
