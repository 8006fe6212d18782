// The accounts in SQL: who there is, SCRAM keys, when last seen. Removing an account removes its rows in every table
// here (purge), in one transaction; adding one does so too, so that nobody inherits what arrived for a namesake after
// its end.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

class AccountSql final : public AccountStore {
 public:
  explicit AccountSql(ShardAccess& access) : access_(access) {}
  void find(const xmpp::BareJid& jid, Callback<std::optional<AccountRecord>> then) override;
  void add(const AccountRecord& record, Callback<bool> then) override;
  void set_credentials(const xmpp::BareJid& jid, const xmpp::Credentials& credentials, Callback<bool> then) override;
  void remove(const xmpp::BareJid& jid, Callback<bool> then) override;
  void list(const std::string& domain, Callback<std::vector<xmpp::BareJid>> then) override;
  Ticket set_last_seen(const xmpp::BareJid& jid, const LastSeen& last) override;
  void last_seen(const xmpp::BareJid& jid, Callback<std::optional<LastSeen>> then) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
