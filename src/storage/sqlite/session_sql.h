// The sessions that wait for their clients while the server is not running, in SQL.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

class SessionSql final : public SessionStore {
 public:
  explicit SessionSql(ShardAccess& access) : access_(access) {}
  Ticket put(const xmpp::BareJid& account, std::string state) override;
  void page(std::uint64_t after, std::size_t most, Callback<std::vector<SavedSession>> then) override;
  Ticket remove(std::uint64_t number) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
