// Entity Time (XEP-0202 v2.0): the server's clock, for the server and for one's own account. Stateless; lives on each
// shard. The offset from UTC is always zero: where the server stands is nobody's business.
#pragma once

#include <string_view>

#include "module/module.h"

namespace kith::modules {

class Time final : public module::Module {
 public:
  static constexpr std::string_view ns_time = "urn:xmpp:time";
  static constexpr module::Descriptor descriptor{
      .name = "time",
      .summary = "Tells the server's time",
      .specs = {{.xep = 202, .version = "2.0", .note = "always in UTC"}},
      .server_features = {ns_time},
  };
  explicit Time(const module::ModuleDeps& deps) : clock_(deps.clock) {}
  void attach(module::Hooks& hooks) override;

 private:
  void answer(module::IqRequest request);

  const Clock& clock_;
};

}  // namespace kith::modules
