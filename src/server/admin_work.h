// What an administrator can have done, carried out on the shards. Called on the control thread; answers come from the
// shards.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "server/admin_api.h"
#include "server/shard_unit.h"

namespace kith::server {

class AdminWork final : public AdminActions {
 public:
  struct Deps {
    std::vector<std::unique_ptr<ShardUnit>>& units;
    const Clock& clock;
    Events& events;
    WallTime started;
    /// On the control thread.
    std::function<std::vector<std::string>()> domains;
    std::function<std::vector<std::string>()> listeners;
    /// Reads the configuration and the certificates again; the notes, or what is wrong.
    std::function<std::expected<std::vector<std::string>, std::string>()> reload;
  };
  explicit AdminWork(Deps deps) : deps_(std::move(deps)) {}

  void status(AdminAnswer<AdminStatus> then) override;
  void list_users(std::string domain, AdminAnswer<std::vector<AdminUser>> then) override;
  void add_user(xmpp::BareJid jid, Secret password, AdminAnswer<AdminDone> then) override;
  void set_password(xmpp::BareJid jid, Secret password, AdminAnswer<AdminDone> then) override;
  void remove_user(xmpp::BareJid jid, AdminAnswer<AdminDone> then) override;
  void list_clients(xmpp::BareJid account, AdminAnswer<std::vector<module::ClientInfo>> then) override;
  void end_client(xmpp::BareJid account, std::string id, AdminAnswer<AdminDone> then) override;
  void list_pushes(xmpp::BareJid account, AdminAnswer<std::vector<storage::PushRecord>> then) override;
  void check_keys(xmpp::BareJid account, bool mend, AdminAnswer<AdminKeys> then) override;
  void list_sessions(std::optional<xmpp::BareJid> account, AdminAnswer<std::vector<AdminSession>> then) override;
  void end_session(xmpp::FullJid jid, AdminAnswer<AdminDone> then) override;
  void federation(AdminAnswer<AdminFederation> then) override;
  void check_server(std::string domain, AdminAnswer<AdminCheck> then) override;
  void retry_server(std::string domain, AdminAnswer<AdminRetry> then) override;
  void block_server(std::string domain, bool block, AdminAnswer<AdminDone> then) override;
  void list_rooms(AdminAnswer<std::vector<AdminRoom>> then) override;
  void room(xmpp::BareJid jid, module::RoomAdministration::Wish wish, std::string object, std::string value,
            AdminAnswer<AdminRoomLines> then) override;
  void list_uploads(std::optional<xmpp::BareJid> account, AdminAnswer<AdminUploads> then) override;
  void remove_upload(std::string id, AdminAnswer<AdminDone> then) override;
  void reload(AdminAnswer<AdminReload> then) override;

 private:
  ShardUnit& owner(const xmpp::BareJid& jid);
  ShardUnit& owner_of_server(std::string_view domain);
  /// What is at these nodes is added to `items`; `then` gets no account if it cannot be read.
  using KeysRead = std::move_only_function<void(module::Account*, const module::KeyItems&)>;
  void read_keys(ShardUnit& unit, const xmpp::BareJid& account, std::vector<std::string> nodes, module::KeyItems items,
                 KeysRead then);
  /// Opens what is closed, and answers when that is committed.
  static void mend_keys(ShardUnit& unit, module::Account& account, AdminKeys keys, AdminAnswer<AdminKeys> then);
  bool has_domain(std::string_view domain) const;
  /// Why nothing can be done about this server, if so.
  std::optional<AdminError> not_a_peer(std::string_view domain) const;
  void derive(ShardUnit& unit, Secret password,
              std::move_only_function<void(std::expected<xmpp::Credentials, AdminError>)> then);

  Deps deps_;
};

}  // namespace kith::server
