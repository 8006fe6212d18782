// Presence (RFC 6121 §4): broadcast, probes, directed presence, and the delivery of what comes in.
// Lives on the account's shard. State: module::Session's presence, priority and directed addresses. Storage: when the
// account was last seen, written when its last available session goes. Limits: directed_presences of each session. It
// does not keep the presence of contacts: each initial presence probes them anew, in the name of that resource only.
#pragma once

#include <string>

#include "module/module.h"

namespace kith::modules {

class PresenceFeature final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "presence",
      .summary = "Tells contacts who is there, and remembers who was told more.",
      .specs = {{0, "RFC 6121", "§4"}}};

  explicit PresenceFeature(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  module::Outcome check(module::PresenceFromClient& event);
  module::Outcome from_client(module::PresenceFromClient& event);
  module::Outcome to_account(module::PresenceToAccount& event);
  void session_ended(module::SessionEnded& event);

  void become_available(module::Session& session, const xmpp::Stanza& stanza);
  void become_unavailable(module::Session& session, const xmpp::Stanza& stanza);
  module::Outcome directed(module::Session& session, const xmpp::Stanza& stanza);
  /// To contacts who may see it and to the account's available sessions.
  void broadcast(const module::Account& account, xmpp::Stanza stanza);
  void take_back_directed(module::Session& session, const xmpp::Stanza& stanza);
  void remember_last_seen(const module::Account& account, std::string status);
  void answer_probe(const module::Account& account, const xmpp::Stanza& probe, storage::Ticket gate);

  const Clock& clock_;
  Events& events_;
  module::Delivery& delivery_;
  storage::AccountStore& accounts_;
  const Limits& limits_;
  const module::Hooks* hooks_ = nullptr;
};

}  // namespace kith::modules
