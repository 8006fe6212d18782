// The accounts in SQL: who there is, SCRAM keys, when last seen. Removing an account removes its rows in every table
// here (purge), in one transaction; adding one does so too, so that nobody inherits what arrived for a namesake after
// its end.
#pragma once

#include <optional>

#include "storage/sqlite/archive_index.h"
#include "storage/sqlite/db.h"
#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

/// The account, or nothing if there is none of that name.
/// SECURITY: a name that nobody has costs what one costs that somebody has, or the time of a login would tell which
/// names exist: the nearest account's row and keys are read in its place, and thrown away.
Result<std::optional<AccountRecord>> find_account(Db& db, const xmpp::BareJid& jid);
/// … and says so in the log if what is stored makes no sense.
Result<std::optional<AccountRecord>> find_account(Db& db, const xmpp::BareJid& jid, Events& events);

class AccountSql final : public AccountStore {
 public:
  AccountSql(ShardAccess& access, const ArchiveIndex& archive_index) : access_(access), archive_index_(archive_index) {}
  void find(const xmpp::BareJid& jid, Callback<std::optional<AccountRecord>> then) override;
  void add(const AccountRecord& record, Callback<bool> then) override;
  void set_credentials(const xmpp::BareJid& jid, const xmpp::Credentials& credentials, Callback<bool> then) override;
  void add_keys(const xmpp::BareJid& jid, const xmpp::Credentials& keys, const std::string& salt,
                Callback<bool> then) override;
  void remove(const xmpp::BareJid& jid, Callback<bool> then) override;
  void list(const std::string& domain, Callback<std::vector<xmpp::BareJid>> then) override;
  Ticket set_last_seen(const xmpp::BareJid& jid, const LastSeen& last) override;
  void last_seen(const xmpp::BareJid& jid, Callback<std::optional<LastSeen>> then) override;

 private:
  ShardAccess& access_;
  const ArchiveIndex& archive_index_;
};

}  // namespace kith::storage::sqlite
