// Message Carbons (XEP-0280 v1.0.1): an account's other clients get copies of what one of them sends and receives.
// Lives on the account's shard. State: whether a session wants copies, on the session; on the account, the last
// 64 conversations' messages that were copied, so that errors in answer to them are copied, too. No storage.
// Copies go straight to the sessions, never through the router: they can't bounce, and what looks like one from
// elsewhere is forged (feature `forgery`). A message of an account to itself is copied once, as received, and not to
// the client that sent it.
#pragma once

#include <string_view>

#include "module/module.h"

namespace kith::modules {

class Carbons final : public module::Module {
 public:
  static constexpr std::string_view ns_carbons = "urn:xmpp:carbons:2";
  static constexpr std::string_view ns_rules = "urn:xmpp:carbons:rules:0";
  static constexpr module::Descriptor descriptor{
      .name = "carbons",
      .summary = "Shows conversations on all clients of an account that ask for it",
      .specs = {{.xep = 280, .version = "1.0.1"}},
      .server_features = {ns_carbons, ns_rules},
      .account_features = {ns_carbons, ns_rules},
  };
  explicit Carbons(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  void enable(module::IqRequest request);
  void disable(module::IqRequest request);
  module::Outcome from_client(module::MessageFromClient& event);
  module::Outcome to_account(module::MessageToAccount& event);
  void offer_inline(module::BindInlineFeatures& event);
  void enable_inline(module::BindInline& event);
  void save(module::SessionSaved& event);
  void restore(module::SessionRestored& event);

  Counter& copies_;
};

}  // namespace kith::modules
