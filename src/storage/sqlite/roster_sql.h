// The rosters in SQL: a row for each item, the roster's version, and who was removed since (at most `most_removed`).
// Adding a contact again takes it off the list of the removed.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

Result<RosterData> read_roster(Db& db, const std::string& account, Events& events);

class RosterSql final : public RosterStore {
 public:
  static constexpr std::int64_t most_removed = 200;

  explicit RosterSql(ShardAccess& access) : access_(access) {}
  void load(const xmpp::BareJid& account, Callback<RosterData> then) override;
  Ticket put(const xmpp::BareJid& account, const RosterItem& item, std::uint64_t version) override;
  Ticket remove(const xmpp::BareJid& account, const xmpp::BareJid& contact, std::uint64_t version) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
