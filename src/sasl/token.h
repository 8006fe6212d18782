// HT-SHA-256-ENDP, -EXPR and -NONE (draft-schmaus-kitten-sasl-ht-09), the server's side: one message each way, proven
// with a token that the server gave the client (XEP-0484). One exchange per object; any thread, one at a time.
#pragma once

#include "sasl/mechanism.h"

namespace kith::sasl {

/// Two slots for each client (XEP-0484 §5.1); as many are always tried, so that time does not tell how many there are.
inline constexpr std::size_t most_tokens = 2;

/// The text of the token that `seed` stands for. SECURITY: it is not stored: who steals the database, but not the
/// server's secret, can log in with none.
Secret derive_token(const Secret& server_secret, std::string_view account, std::string_view client,
                    std::string_view seed);

class HashedToken final : public Mechanism {
 public:
  /// `binding`: the data of the channel binding, or empty for -NONE.
  HashedToken(std::string name, std::string binding, MechanismContext context)
      : name_(std::move(name)), binding_(std::move(binding)), context_(std::move(context)) {}
  Step respond(std::optional<std::string_view> message) override;
  Step tokens(const std::vector<Token>& tokens) override;

 private:
  enum class State : std::uint8_t { fresh, wants_tokens, over };
  Step fail(Failure failure);

  std::string name_;
  std::string binding_;
  MechanismContext context_;
  State state_ = State::fresh;
  std::optional<xmpp::BareJid> account_;
  Secret proof_;
};

}  // namespace kith::sasl
