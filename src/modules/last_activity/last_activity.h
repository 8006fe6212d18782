// Last Activity (XEP-0012 v2.0): the server's uptime, how long an account has been away and with which last words, and
// the guard before a client that is asked for its idle time. Lives on the account's shard. Storage:
// AccountStore::last_seen, written when an account's last available session goes. Only who may see an account's
// presence is told; everybody else gets forbidden, for an address that is no account, too.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "module/module.h"

namespace kith::modules {

class LastActivity final : public module::Module {
 public:
  static constexpr std::string_view ns_last = "jabber:iq:last";
  static constexpr std::size_t status_bytes = 1023;
  static constexpr module::Descriptor descriptor{
      .name = "last_activity",
      .summary = "Tells contacts how long somebody has been away, and anybody how long the server has been running",
      .specs = {{.xep = 12, .version = "2.0"}},
      .server_features = {ns_last},
      .account_features = {ns_last},
  };
  explicit LastActivity(const module::ModuleDeps& deps)
      : clock_(deps.clock), accounts_(deps.stores.accounts), started_(deps.started) {}
  void attach(module::Hooks& hooks) override;

 private:
  void uptime(module::IqRequest request);
  void last_seen(module::IqRequest request);
  module::Outcome guard_session(module::IqToSession& event);

  const Clock& clock_;
  storage::AccountStore& accounts_;
  MonotonicTime started_;
};

}  // namespace kith::modules
