// Rooms, their configuration and their people in SQL.
#pragma once

#include "storage/sqlite/archive_index.h"
#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

class RoomSql final : public RoomStore {
 public:
  RoomSql(ShardAccess& access, const ArchiveIndex& archive_index) : access_(access), archive_index_(archive_index) {}
  void load(const xmpp::BareJid& room, Callback<std::optional<RoomData>> then) override;
  Ticket put(const xmpp::BareJid& room, const std::string& name, bool listed, std::string config) override;
  Ticket put_subject(const xmpp::BareJid& room, std::string subject) override;
  Ticket put_person(const xmpp::BareJid& room, const RoomPerson& person) override;
  Ticket remove(const xmpp::BareJid& room) override;
  void list(const std::string& domain, const std::string& after, std::size_t most,
            Callback<std::vector<ListedRoom>> then) override;
  void list_all(const std::string& after, std::size_t most, Callback<std::vector<ListedRoom>> then) override;

 private:
  ShardAccess& access_;
  const ArchiveIndex& archive_index_;
};

}  // namespace kith::storage::sqlite
