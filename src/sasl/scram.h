// SCRAM-SHA-1, -256, -512, each also -PLUS (RFC 5802, RFC 7677), the server's side.
// One exchange per object; any thread, one at a time. Limits: none of its own, the stream's limit on an element bounds
// each message. Not done: mandatory extensions (there are none), the `e=` error texts (XMPP has its own failures).
#pragma once

#include "sasl/mechanism.h"

namespace kith::sasl {

class Scram final : public Mechanism {
 public:
  /// `server_nonce` is printable and has no comma; whoever makes the machine draws it.
  Scram(Hash hash, bool plus, MechanismContext context, std::string server_nonce)
      : hash_(hash), plus_(plus), context_(std::move(context)), server_nonce_(std::move(server_nonce)) {}
  Step respond(std::optional<std::string_view> message) override;
  Step credentials(const Credentials& credentials, bool known) override;

 private:
  enum class State : std::uint8_t { fresh, asked, wants_keys, challenged, over };
  Step fail(Failure failure);
  Step client_first(std::string_view message);
  Step client_final(std::string_view message);
  std::optional<Failure> read_binding_flag(std::string_view flag);

  Hash hash_;
  bool plus_;
  MechanismContext context_;
  std::string server_nonce_;
  State state_ = State::fresh;
  std::optional<xmpp::BareJid> account_;
  std::string expected_binding_;  ///< what `c=` must hold: the GS2 header, and with -PLUS the binding's data
  std::string client_first_bare_;
  std::string nonce_;  ///< the client's part and ours
  std::string server_first_;
  ScramKeys keys_;
  bool known_ = false;
};

}  // namespace kith::sasl
