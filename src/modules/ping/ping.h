// XMPP Ping (XEP-0199 v2.0.1): the server and accounts answer. Stateless; lives on each shard.
// An account answers itself and who may see its presence: to anybody else it looks like one that does not exist.
// Pinging idle clients is the session's work.
#pragma once

#include "module/module.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

class Ping final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "ping",
      .summary = "Answers pings",
      .specs = {{.xep = 199, .version = "2.0.1"}},
      .server_features = {xmpp::ns::ping},
      .account_features = {xmpp::ns::ping},
  };
  explicit Ping(const module::ModuleDeps&) {}
  void attach(module::Hooks& hooks) override;

 private:
  void pong(module::IqRequest request);
};

}  // namespace kith::modules
