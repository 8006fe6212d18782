// Publish-subscribe nodes and their items, in SQL.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

Result<PubsubData> read_pubsub(Db& db, const std::string& owner, Events& events);

class PubsubSql final : public PubsubStore {
 public:
  explicit PubsubSql(ShardAccess& access) : access_(access) {}
  void load(const xmpp::BareJid& owner, Callback<PubsubData> then) override;
  Ticket put_node(const xmpp::BareJid& owner, const std::string& node, std::string config) override;
  Ticket remove_node(const xmpp::BareJid& owner, const std::string& node) override;
  Ticket put_person(const xmpp::BareJid& owner, const std::string& node, const PubsubPerson& person) override;
  Ticket publish(const xmpp::BareJid& owner, const std::string& node, std::vector<PubsubItem> items,
                 const PubsubKeep& keep) override;
  Ticket retract(const xmpp::BareJid& owner, const std::string& node, std::vector<std::string> ids) override;
  Ticket trim(const xmpp::BareJid& owner, const std::string& node, const PubsubKeep& keep) override;
  void items(const xmpp::BareJid& owner, const std::string& node, PubsubQuery query,
             Callback<PubsubPage> then) override;
  void newest(const xmpp::BareJid& owner, std::vector<std::string> nodes,
              Callback<std::map<std::string, PubsubItem>> then) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
