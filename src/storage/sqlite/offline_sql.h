// Messages that wait for their account, in SQL. Adding one is one insert into a table in order of arrival plus one
// index entry. The size is summed over that index, which holds each message's bytes: with the quota of 1000 messages
// that reads a few pages and no message, and adding pays for no counter row.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

class OfflineSql final : public OfflineStore {
 public:
  explicit OfflineSql(ShardAccess& access) : access_(access) {}
  Ticket add(const xmpp::BareJid& account, WallTime when, std::string stanza) override;
  void page(const xmpp::BareJid& account, std::uint64_t after, std::size_t most,
            Callback<std::vector<OfflineMessage>> then) override;
  Ticket remove_through(const xmpp::BareJid& account, std::uint64_t id) override;
  void size(const xmpp::BareJid& account, Callback<Size> then) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
