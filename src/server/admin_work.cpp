#include "server/admin_work.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/version.h"

namespace kith::server {

namespace {

/// What is read of one node of keys.
constexpr std::size_t most_bundles = 1000;
constexpr std::size_t most_bundle_bytes = 4 * 1024 * 1024;

AdminError no_such_user(const xmpp::BareJid& jid) {
  return {404, "no-such-user",
          "There is no account " + jid.text() + "; 'kithctl user list' shows those that there are."};
}

AdminError no_such_domain(std::string_view domain) {
  return {404, "no-such-domain",
          std::string(domain) + " is not a domain of this server; add it to kith.toml and run 'kithctl reload'."};
}

AdminError room_error(const xmpp::BareJid& jid, const xmpp::StanzaError& error) {
  switch (error.condition) {
    case xmpp::Condition::item_not_found:
      return {404, "no-such-room",
              "There is no room " + jid.text() + "; 'kithctl room list' shows those that there are."};
    case xmpp::Condition::conflict:
      return {409, "conflict", error.text};
    case xmpp::Condition::internal_server_error:
      return {503, "storage-failed", "The storage failed (full disk or locked database?); try again when it works."};
    default:
      return {400, "bad-request", error.text.empty() ? "A room does not take that." : error.text};
  }
}

AdminError storage_failed() {
  return {
      503, "storage-failed",
      "The storage refused the write (full disk or locked database?); nothing was changed, try again when it works."};
}

}  // namespace

ShardUnit& AdminWork::owner(const xmpp::BareJid& jid) {
  return *deps_.units[router::owner_of(jid, static_cast<unsigned>(deps_.units.size()))];
}

bool AdminWork::has_domain(std::string_view domain) const {
  const std::vector<std::string> domains = deps_.domains();
  return std::ranges::find(domains, domain) != domains.end();
}

void AdminWork::status(AdminAnswer<AdminStatus> then) {
  auto status = std::make_shared<AdminStatus>();
  status->version = version;
  status->started = deps_.started;
  status->domains = deps_.domains();
  status->listeners = deps_.listeners();
  status->shards = deps_.units.size();
  // Each shard adds what it has; the last one answers.
  struct Gathering {
    std::mutex mutex;
    std::size_t left;
    AdminAnswer<AdminStatus> then;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->left = deps_.units.size();
  gathering->then = std::move(then);
  for (const auto& unit : deps_.units) {
    unit->shard.post([&unit = *unit, status, gathering] {
      const std::lock_guard lock(gathering->mutex);
      status->connections += unit.runtime->c2s().size();
      status->accounts_in_memory += unit.runtime->router().accounts().size();
      unit.runtime->router().accounts().for_each(
          [&](module::Account& account) { status->sessions += account.sessions().size(); });
      if (--gathering->left == 0) gathering->then(std::move(*status));
    });
  }
}

void AdminWork::list_users(std::string domain, AdminAnswer<std::vector<AdminUser>> then) {
  if (!domain.empty() && !has_domain(domain)) return then(std::unexpected(no_such_domain(domain)));
  ShardUnit& unit = *deps_.units.front();
  unit.shard.post([&unit, domain = std::move(domain), then = std::move(then)]() mutable {
    unit.store_refs->accounts.list(domain,
                                   [then = std::move(then)](storage::Result<std::vector<xmpp::BareJid>> list) mutable {
                                     if (!list) return then(std::unexpected(storage_failed()));
                                     std::vector<AdminUser> users;
                                     users.reserve(list->size());
                                     for (xmpp::BareJid& jid : *list) users.push_back({.jid = std::move(jid)});
                                     then(std::move(users));
                                   });
  });
}

void AdminWork::derive(ShardUnit& unit, Secret password,
                       std::move_only_function<void(std::expected<xmpp::Credentials, AdminError>)> then) {
  unit.runtime->passwords().derive(
      std::move(password),
      [then = std::move(then)](std::expected<xmpp::Credentials, module::Passwords::Trouble> keys) mutable {
        if (keys) return then(std::move(*keys));
        if (keys.error() == module::Passwords::Trouble::busy) {
          return then(std::unexpected(
              AdminError{503, "busy", "Too many passwords are being worked on; try again in a moment."}));
        }
        then(std::unexpected(
            AdminError{400, "unacceptable-password",
                       "The password is empty or has characters that no client could send; choose another."}));
      });
}

void AdminWork::add_user(xmpp::BareJid jid, Secret password, AdminAnswer<AdminDone> then) {
  if (!has_domain(jid.domainpart())) return then(std::unexpected(no_such_domain(jid.domainpart())));
  ShardUnit& unit = owner(jid);
  unit.shard.post([this, &unit, jid, password = std::move(password), then = std::move(then)]() mutable {
    derive(unit, std::move(password),
           [this, &unit, jid, then = std::move(then)](std::expected<xmpp::Credentials, AdminError> keys) mutable {
             if (!keys) return then(std::unexpected(keys.error()));
             storage::AccountRecord record{.jid = jid, .credentials = std::move(*keys), .created = deps_.clock.wall()};
             unit.store_refs->accounts.add(
                 record, [this, jid, then = std::move(then)](storage::Result<bool> added) mutable {
                   if (!added) return then(std::unexpected(storage_failed()));
                   if (!*added) {
                     return then(std::unexpected(AdminError{409, "user-exists",
                                                            jid.text() + " exists already; 'kithctl user password " +
                                                                jid.text() + "' sets a new password."}));
                   }
                   deps_.events.record(LogLevel::info, "user_added");
                   then(AdminDone{});
                 });
           });
  });
}

void AdminWork::set_password(xmpp::BareJid jid, Secret password, AdminAnswer<AdminDone> then) {
  ShardUnit& unit = owner(jid);
  unit.shard.post([this, &unit, jid, password = std::move(password), then = std::move(then)]() mutable {
    derive(unit, std::move(password),
           [&unit, jid, then = std::move(then)](std::expected<xmpp::Credentials, AdminError> keys) mutable {
             if (!keys) return then(std::unexpected(keys.error()));
             unit.store_refs->accounts.set_credentials(
                 jid, *keys, [&unit, jid, then = std::move(then)](storage::Result<bool> set) mutable {
                   if (!set) return then(std::unexpected(storage_failed()));
                   if (!*set) return then(std::unexpected(no_such_user(jid)));
                   // SECURITY: as when the owner changes it: whoever got in by the old one goes, a lost phone, say.
                   unit.runtime->router().close_sessions(
                       jid, {xmpp::StreamCondition::not_authorized, "The administrator has set a new password."});
                   then(AdminDone{});
                 });
           });
  });
}

void AdminWork::remove_user(xmpp::BareJid jid, AdminAnswer<AdminDone> then) {
  ShardUnit& unit = owner(jid);
  unit.shard.post([this, &unit, jid, then = std::move(then)]() mutable {
    unit.runtime->router().remove(jid, [this, jid, then = std::move(then)](storage::Result<bool> removed) mutable {
      if (!removed) return then(std::unexpected(storage_failed()));
      if (!*removed) return then(std::unexpected(no_such_user(jid)));
      deps_.events.record(LogLevel::info, "user_removed");
      then(AdminDone{});
    });
  });
}

void AdminWork::list_clients(xmpp::BareJid account, AdminAnswer<std::vector<module::ClientInfo>> then) {
  ShardUnit& unit = owner(account);
  unit.shard.post([this, &unit, account, then = std::move(then)]() mutable {
    unit.store_refs->accounts.find(account, [this, &unit, account, then = std::move(then)](const auto& record) mutable {
      if (!record) return then(std::unexpected(storage_failed()));
      if (!*record) return then(std::unexpected(no_such_user(account)));
      unit.store_refs->tokens.list(account, [this, &unit, account, then = std::move(then)](const auto& tokens) mutable {
        if (!tokens) return then(std::unexpected(storage_failed()));
        then(module::clients_of(unit.runtime->router().loaded(account), *tokens, deps_.clock.wall()));
      });
    });
  });
}

void AdminWork::end_client(xmpp::BareJid account, std::string id, AdminAnswer<AdminDone> then) {
  list_clients(account, [this, account, id = std::move(id), then = std::move(then)](auto clients) mutable {
    if (!clients) return then(std::unexpected(clients.error()));
    if (std::ranges::find(*clients, id, &module::ClientInfo::id) == clients->end()) {
      return then(std::unexpected(AdminError{404, "no-such-client",
                                             account.text() + " has no client " + id + "; 'kithctl clients " +
                                                 account.text() + "' shows which there are."}));
    }
    // list_clients() answers on the account's shard.
    ShardUnit& unit = owner(account);
    unit.store_refs->tokens.remove_client(
        account, id, [&unit, account, id, then = std::move(then)](const auto& removed) mutable {
          if (!removed) return then(std::unexpected(storage_failed()));
          unit.runtime->router().close_client(
              account, id, {xmpp::StreamCondition::not_authorized, "The access of this client was taken away."});
          then(AdminDone{});
        });
  });
}

void AdminWork::list_pushes(xmpp::BareJid account, AdminAnswer<std::vector<storage::PushRecord>> then) {
  ShardUnit& unit = owner(account);
  unit.shard.post([&unit, account, then = std::move(then)]() mutable {
    unit.store_refs->accounts.find(account, [&unit, account, then = std::move(then)](const auto& record) mutable {
      if (!record) return then(std::unexpected(storage_failed()));
      if (!*record) return then(std::unexpected(no_such_user(account)));
      unit.store_refs->push_log.list(account, [then = std::move(then)](auto records) mutable {
        if (!records) return then(std::unexpected(storage_failed()));
        then(*std::move(records));
      });
    });
  });
}

void AdminWork::check_keys(xmpp::BareJid account, bool mend, AdminAnswer<AdminKeys> then) {
  ShardUnit& unit = owner(account);
  unit.shard.post([this, &unit, account, mend, then = std::move(then)]() mutable {
    router::Router& router = unit.runtime->router();
    router.accounts().with(account, [this, &unit, account, mend, then = std::move(then)](auto found) mutable {
      if (!found) {
        const bool absent = found.error() == router::Absence::no_such_account;
        return then(std::unexpected(absent ? no_such_user(account) : storage_failed()));
      }
      read_keys(
          unit, account, module::key_nodes((*found)->nodes()), {},
          [this, &unit, mend, then = std::move(then)](module::Account* there, const module::KeyItems& items) mutable {
            if (there == nullptr) return then(std::unexpected(storage_failed()));
            AdminKeys keys{.findings = module::check_keys(there->nodes(), items, deps_.clock.wall()),
                           .devices = module::usable_devices(there->nodes(), items)};
            if (mend) return mend_keys(unit, *there, std::move(keys), std::move(then));
            then(std::move(keys));
          });
    });
  });
}

void AdminWork::read_keys(ShardUnit& unit, const xmpp::BareJid& account, std::vector<std::string> nodes,
                          module::KeyItems items, KeysRead then) {
  if (nodes.empty()) return then(unit.runtime->router().loaded(account), items);
  std::string node = std::move(nodes.back());
  nodes.pop_back();
  const storage::PubsubQuery query{.most = most_bundles, .most_bytes = most_bundle_bytes};
  unit.store_refs->pubsub.items(account, node, query,
                                [this, &unit, account, node, nodes = std::move(nodes), items = std::move(items),
                                 then = std::move(then)](storage::Result<storage::PubsubPage> page) mutable {
                                  if (!page) return then(nullptr, items);
                                  items.emplace(node, std::move(page->items));
                                  read_keys(unit, account, std::move(nodes), std::move(items), std::move(then));
                                });
}

void AdminWork::mend_keys(ShardUnit& unit, module::Account& account, AdminKeys keys, AdminAnswer<AdminKeys> then) {
  storage::Ticket last;
  for (module::KeyFinding& finding : keys.findings) {
    const module::Node* node = account.nodes().find(finding.node);
    if (finding.problem != module::KeyFinding::Problem::closed || node == nullptr) continue;
    module::ConfigureNode event{account, finding.node, node->config};
    event.config.access_model = xmpp::AccessModel::open;
    unit.runtime->router().hooks().run(event);
    finding.mended = event.ticket.number != 0;
    last = storage::later(last, event.ticket);
  }
  unit.runtime->router().when_decided(last, [keys = std::move(keys), then = std::move(then)](bool committed) mutable {
    if (!committed) return then(std::unexpected(storage_failed()));
    then(std::move(keys));
  });
}

void AdminWork::list_sessions(std::optional<xmpp::BareJid> account, AdminAnswer<std::vector<AdminSession>> then) {
  struct Gathering {
    std::mutex mutex;
    std::size_t left;
    std::vector<AdminSession> sessions;
    AdminAnswer<std::vector<AdminSession>> then;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->left = deps_.units.size();
  gathering->then = std::move(then);
  for (const auto& unit : deps_.units) {
    unit->shard.post([&unit = *unit, account, gathering] {
      const std::lock_guard lock(gathering->mutex);
      unit.runtime->router().accounts().for_each([&](module::Account& one) {
        if (account && one.jid() != *account) return;
        for (const auto& session : one.sessions()) {
          gathering->sessions.push_back({.jid = session->jid(),
                                         .address = session->facts().address,
                                         .tls = session->facts().tls,
                                         .mechanism = session->facts().mechanism,
                                         .since = session->facts().since,
                                         .available = session->available(),
                                         .priority = session->priority(),
                                         .hibernating = session->hibernating()});
        }
      });
      if (--gathering->left > 0) return;
      std::ranges::sort(gathering->sessions, {}, [](const AdminSession& one) { return one.jid.text(); });
      gathering->then(std::move(gathering->sessions));
    });
  }
}

void AdminWork::end_session(xmpp::FullJid jid, AdminAnswer<AdminDone> then) {
  ShardUnit& unit = owner(jid.bare());
  unit.shard.post([&unit, jid, then = std::move(then)]() mutable {
    module::Account* account = unit.runtime->router().loaded(jid.bare());
    module::Session* session = account == nullptr ? nullptr : account->session(jid.resourcepart());
    if (session == nullptr) {
      return then(std::unexpected(
          AdminError{404, "no-such-session", jid.text() + " is not connected; 'kithctl sessions' shows who is."}));
    }
    session->close({xmpp::StreamCondition::policy_violation, "The administrator has ended this session."});
    then(AdminDone{});
  });
}

void AdminWork::list_rooms(AdminAnswer<std::vector<AdminRoom>> then) {
  constexpr std::size_t most = 10'000;
  ShardUnit& unit = *deps_.units.front();
  unit.shard.post([&unit, then = std::move(then)]() mutable {
    unit.store_refs->rooms.list_all(
        "", most, [then = std::move(then)](storage::Result<std::vector<storage::ListedRoom>> list) mutable {
          if (!list) return then(std::unexpected(storage_failed()));
          std::vector<AdminRoom> rooms;
          rooms.reserve(list->size());
          for (storage::ListedRoom& room : *list)
            rooms.push_back({.jid = std::move(room.jid), .name = std::move(room.name)});
          then(std::move(rooms));
        });
  });
}

void AdminWork::list_uploads(std::optional<xmpp::BareJid> account, AdminAnswer<AdminUploads> then) {
  ShardUnit& unit = *deps_.units.front();
  unit.shard.post([&unit, whose = account ? account->text() : std::string(), then = std::move(then)]() mutable {
    storage::UploadStore& uploads = unit.store_refs->uploads;
    uploads.usage(whose, [&uploads, whose, then = std::move(then)](const auto& usage) mutable {
      if (!usage) return then(std::unexpected(storage_failed()));
      uploads.list(whose, "", AdminUploads::most, [usage = *usage, then = std::move(then)](auto files) mutable {
        if (!files) return then(std::unexpected(storage_failed()));
        then(AdminUploads{.files = *std::move(files), .usage = usage});
      });
    });
  });
}

void AdminWork::remove_upload(std::string id, AdminAnswer<AdminDone> then) {
  ShardUnit& unit = *deps_.units.front();
  unit.shard.post([this, &unit, id = std::move(id), then = std::move(then)]() mutable {
    unit.store_refs->uploads.find(id, [this, &unit, id, then = std::move(then)](const auto& found) mutable {
      if (!found) return then(std::unexpected(storage_failed()));
      if (!*found || !(*found)->stored) {
        return then(std::unexpected(
            AdminError{404, "no-such-file",
                       "There is no uploaded file " + id + "; 'kithctl upload list' shows which there are."}));
      }
      // First the file, then its row: what is not finished can be asked for again.
      unit.runtime->files().remove(id, [this, &unit, id, then = std::move(then)](const auto& removed) mutable {
        if (!removed) return then(std::unexpected(storage_failed()));
        unit.store_refs->uploads.remove(id, [this, then = std::move(then)](const auto& forgotten) mutable {
          if (!forgotten) return then(std::unexpected(storage_failed()));
          deps_.events.record(LogLevel::info, "upload_removed");
          then(AdminDone{});
        });
      });
    });
  });
}

void AdminWork::room(xmpp::BareJid jid, module::RoomAdministration::Wish wish, std::string object, std::string value,
                     AdminAnswer<AdminRoomLines> then) {
  ShardUnit& unit = owner(jid);
  unit.shard.post(
      [this, &unit, jid, wish, object = std::move(object), value = std::move(value), then = std::move(then)]() mutable {
        using Wish = module::RoomAdministration::Wish;
        std::move_only_function<void(std::expected<AdminRoomLines, xmpp::StanzaError>)> answer =
            [this, jid, wish, then = std::move(then)](std::expected<AdminRoomLines, xmpp::StanzaError> lines) mutable {
              if (!lines) return then(std::unexpected(room_error(jid, lines.error())));
              if (wish != Wish::show) deps_.events.record(LogLevel::info, "room_administered");
              then(*std::move(lines));
            };
        module::RoomAdministration event{
            .room = jid, .wish = wish, .object = std::move(object), .value = std::move(value), .answer = answer};
        const module::Outcome outcome = unit.runtime->router().hooks().run(event);
        if (!std::holds_alternative<module::Done>(outcome) && answer)
          answer(std::unexpected(xmpp::StanzaError::of(xmpp::Condition::item_not_found)));
      });
}

void AdminWork::reload(AdminAnswer<AdminReload> then) {
  std::expected<std::vector<std::string>, std::string> notes = deps_.reload();
  if (!notes) return then(std::unexpected(AdminError{409, "configuration-refused", notes.error()}));
  then(AdminReload{.notes = std::move(*notes)});
}

}  // namespace kith::server
