// Client Access Management (XEP-0494 v0.1.0): an account's own clients see which clients have access, and take it from
// them. Lives on the account's shard. Listed are clients that are connected or have a token; what is kept of them is in
// the tokens' rows and goes when these expire. A client that knows the password comes back with it, so its access is
// taken only by a new password, as the error says.
#pragma once

#include "module/module.h"

namespace kith::modules {

class ClientAccess final : public module::Module {
 public:
  static constexpr std::string_view ns_access = "urn:xmpp:cam:0";
  static constexpr module::Descriptor descriptor{
      .name = "client_access",
      .summary = "Shows people which of their clients have access, and lets them take it away.",
      .specs = {{494, "0.1.0"}},
      .account_features = {ns_access},
  };
  explicit ClientAccess(const module::ModuleDeps& deps)
      : clock_(deps.clock), accounts_(deps.accounts), store_(deps.stores.tokens) {}
  void attach(module::Hooks& hooks) override;

 private:
  void list(module::IqRequest request);
  void revoke(module::IqRequest request);

  const Clock& clock_;
  module::Accounts& accounts_;
  storage::TokenStore& store_;
};

}  // namespace kith::modules
