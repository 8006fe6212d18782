// Client State Indication (XEP-0352 v1.0.0): while a client says that nobody looks at it, what can wait is held back,
// so that a phone may sleep. What counts as urgent is in urgency.h. Lives on the account's shard. State: on the
// session. No storage: what is held is of no use to a client that is gone. Limits: held_stanzas and held_bytes for each
// session; when there are more, all of them leave.
#pragma once

#include <string_view>

#include "module/module.h"

namespace kith::modules {

class ClientState final : public module::Module {
 public:
  static constexpr std::string_view ns_csi = "urn:xmpp:csi:0";
  static constexpr module::Descriptor descriptor{
      .name = "client_state",
      .summary = "Holds back what can wait from clients that nobody looks at",
      .specs = {{.xep = 352, .version = "1.0.0"}},
  };
  explicit ClientState(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  void offer(module::StreamFeatures& event);
  module::Outcome change(module::NonzaFromClient& event);
  void offer_inline(module::BindInlineFeatures& event);
  void begin(module::BindInline& event);
  void save(module::SessionSaved& event);
  void restore(module::SessionRestored& event);
  void resumed(module::SessionResumed& event);
  void ending(module::SessionEnding& event);
  static void set_active(module::Session& session);
  void set_inactive(module::Session& session);

  Events& events_;
  const Limits& limits_;
};

}  // namespace kith::modules
