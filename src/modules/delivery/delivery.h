// To which of an account's sessions a message goes (RFC 6121 §8.5). Of the choices that the RFC leaves (its Table 1): a
// message to the bare JID goes to all available sessions of non-negative priority; chat for a session that is gone goes
// there, too; what else is for one that is gone comes back (normal, groupchat) or is dropped (headline, error). Lives
// on the account's shard. What it delivers to nobody goes on to the phase `offline`.
//
// A message that several sessions had, and that more than one of them ended without acknowledging (XEP-0198), looks for
// another way once: the account remembers the last 1,000 that did.
#pragma once

#include "module/module.h"

namespace kith::modules {

class DeliveryFeature final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{.name = "delivery",
                                                 .summary = "Brings messages to the sessions they are for.",
                                                 .specs = {{0, "RFC 6121", "§8.5"}}};

  explicit DeliveryFeature(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  module::Outcome drop_sibling(module::MessageToAccount& event);
  void remember(const module::MessageToAccount& event);
  module::Outcome stop_without_session(module::MessageToAccount& event);
  module::Outcome deliver(module::MessageToAccount& event);
  module::Outcome refuse_undelivered(module::MessageToAccount& event);

  const Clock& clock_;
};

}  // namespace kith::modules
