// Personal eventing (XEP-0163 v1.2.2): each account has nodes (XEP-0060, by the engine of module/pubsub.h), whose
// events go to the account's own clients, to contacts that may see its presence, and to those who have subscribed; to
// clients that want them by their capabilities (modules/pep/interests.h), the newest item as soon as they come online.
// Keeps what clients store in public (XEP-0222) and in private (XEP-0223). Lives on the account's shard. State: for
// each account which of its contacts' clients want what. Storage: PubsubStore.
//
// Limits: those of the engine; pep_watchers clients of contacts for each account. Names no publisher in its events
// (XEP-0033 replyto).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "module/module.h"
#include "module/pubsub.h"
#include "modules/pep/interests.h"

namespace kith::modules {

class Pep final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "pep",
      .summary =
          "Keeps what people tell of themselves (avatars, keys for encryption, bookmarks) and sends it to who may "
          "know",
      .specs = {{.xep = 163, .version = "1.2.2", .note = "no replyto"},
                {.xep = 60,
                 .version = "1.30.0",
                 .note = "nodes of accounts; no collections, subscription options or leases"},
                {.xep = 222, .version = "1.0.1"},
                {.xep = 223, .version = "1.1.1"},
                {.xep = 292, .version = "0.12.0", .note = "the node; vcard-temp and vCard4 do not become one another"},
                {.xep = 390, .version = "0.3.2", .note = "read, not sent"}},
  };
  explicit Pep(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  class Owner;

  void request(module::IqRequest request);
  void own_client(module::SessionAvailable& event);
  void own_client_back(module::SessionRestored& event);
  void ask_own_client(module::Session& session);
  void own_client_gone(module::SessionUnavailable& event);
  module::Outcome contacts_client(module::PresenceToAccount& event);
  module::Outcome answered(module::IqAnswerToAccount& event);
  void sight_changed(module::SightChanged& event);
  module::Outcome publish(module::PublishItems& event);
  module::Outcome retract(module::RetractItems& event);
  module::Outcome configure_node(module::ConfigureNode& event);
  module::Outcome owner_answers(module::MessageFromClient& event);
  module::Outcome info(module::DiscoInfo& event);
  module::Outcome items(module::DiscoItems& event);
  void list_items(const xmpp::BareJid& owner, const std::string& node, std::optional<WallTime> since,
                  module::IqRequest request);

  /// It is known now what `client` wants.
  void learned(const xmpp::BareJid& account, const xmpp::FullJid& client, const Wanted& wanted);
  /// Sends the newest item of each of `names` that is there and may be seen.
  void send_newest(module::Account& account, const xmpp::FullJid& client, std::vector<std::string> names);
  xmpp::Stanza message(const xmpp::BareJid& from, const module::Node& about, const xml::Element& event);

  Interests interests_;
  module::Pubsub pubsub_;
  const module::Hooks* hooks_ = nullptr;
  module::ModuleDeps deps_;
};

}  // namespace kith::modules
