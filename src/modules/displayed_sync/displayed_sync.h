// Message displayed synchronization with server assist (XEP-0490 v1.0.1 §6): a client that says in a message what its
// user has seen need not publish that as well. The server takes it out of the message and publishes it for the
// account's own devices (modules/pep). Lives on the account's shard. State and storage: none of its own.
#pragma once

#include <string_view>

#include "module/module.h"

namespace kith::modules {

class DisplayedSync final : public module::Module {
 public:
  static constexpr std::string_view ns_displayed = "urn:xmpp:mds:displayed:0";
  static constexpr std::string_view ns_assist = "urn:xmpp:mds:server-assist:0";
  static constexpr module::Descriptor descriptor{
      .name = "displayed_sync",
      .summary = "Lets each of an account's devices know what was read on another",
      .specs = {{.xep = 490, .version = "1.0.1"}},
      .account_features = {ns_assist},
  };
  explicit DisplayedSync(const module::ModuleDeps& deps) { static_cast<void>(deps); }
  void attach(module::Hooks& hooks) override;

 private:
  module::Outcome take_out(module::MessageFromClient& event);
  const module::Hooks* hooks_ = nullptr;
};

}  // namespace kith::modules
