// PLAIN (RFC 4616), the server's side. Offered under TLS only. One exchange per object; any thread, one at a time.
// Limits: none of its own, the stream's limit on an element bounds the message.
#pragma once

#include "sasl/mechanism.h"

namespace kith::sasl {

class Plain final : public Mechanism {
 public:
  explicit Plain(MechanismContext context) : context_(std::move(context)) {}
  Step respond(std::optional<std::string_view> message) override;
  Step password_checked(bool right) override;

 private:
  enum class State : std::uint8_t { fresh, asked, checking, over };
  Step fail(Failure failure);

  MechanismContext context_;
  State state_ = State::fresh;
  std::optional<xmpp::BareJid> account_;
};

}  // namespace kith::sasl
