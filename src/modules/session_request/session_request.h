// The session request of RFC 3921 §3, which RFC 6121 has done away with: clients of 2004 to 2011 send it after binding
// and wait for the answer. It is answered and has no effect; the stream features say that it is optional.
// COMPAT(libpurple and other clients of RFC 3921, 2004, drop when none asks). State: none. Storage: none.
#pragma once

#include "module/module.h"

namespace kith::modules {

class SessionRequest final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "session_request",
      .summary = "Answers the session request that clients made before RFC 6121.",
      .specs = {{0, "RFC 3921", "the session request of §3 only"}},
  };
  explicit SessionRequest(const module::ModuleDeps&) {}
  void attach(module::Hooks& hooks) override;

 private:
  void answer(module::IqRequest request);
};

}  // namespace kith::modules
