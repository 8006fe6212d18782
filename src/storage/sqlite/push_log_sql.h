// What went to accounts' push services, in SQL: a row for each hour, service and node.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

class PushLogSql final : public PushLogStore {
 public:
  explicit PushLogSql(ShardAccess& access) : access_(access) {}
  Ticket add(const xmpp::BareJid& account, WallTime when, const PushRecord& record) override;
  void list(const xmpp::BareJid& account, Callback<std::vector<PushRecord>> then) override;
  void expire(WallTime when, std::size_t most, Callback<bool> then) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
