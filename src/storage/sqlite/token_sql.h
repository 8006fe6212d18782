// The tokens that clients log in with (XEP-0484), in SQL: at most two for each client, one that it uses and a fresh
// one.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

class TokenSql final : public TokenStore {
 public:
  explicit TokenSql(ShardAccess& access) : access_(access) {}
  void find(const xmpp::BareJid& account, const std::string& client, Callback<LoginTokens> then) override;
  void list(const xmpp::BareJid& account, Callback<std::vector<TokenRecord>> then) override;
  Ticket put(const xmpp::BareJid& account, const TokenRecord& record, const LoginBasis& basis,
             std::size_t most_clients) override;
  Ticket used(const xmpp::BareJid& account, const std::string& client, bool fresh, WallTime when) override;
  Ticket remove(const xmpp::BareJid& account, const std::string& client) override;
  void remove_client(const xmpp::BareJid& account, const std::string& client, Callback<bool> then) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
