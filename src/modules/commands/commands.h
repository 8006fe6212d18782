// Ad-hoc commands (XEP-0050 v1.3.0): what features let the server's people do from the menu of any client. Lives on the
// shard of the session that asks. Keeps nothing: every command is done in one step, so no session of commands is open.
//
// SECURITY: only a bound client of this server is listened to; what the addresses of a stanza say is not enough, and
// others see no command.
#pragma once

#include "module/module.h"

namespace kith::modules {

class Commands final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "commands",
      .summary = "Lets people ask the server for things from the menu of their client",
      .specs = {{.xep = 50, .version = "1.3.0", .note = "commands of one step"}},
      .server_features = {"http://jabber.org/protocol/commands"},
  };
  explicit Commands(const module::ModuleDeps& deps) : random_(deps.random), hosts_(deps.hosts) {}
  void attach(module::Hooks& hooks) override;

 private:
  void execute(module::IqRequest request);
  module::Outcome list(module::DiscoItems& event);
  module::Outcome describe(module::DiscoInfo& event);
  const module::Command* find(std::string_view node) const;

  Random& random_;
  const module::Hosts& hosts_;
  const module::Hooks* hooks_ = nullptr;
};

}  // namespace kith::modules
