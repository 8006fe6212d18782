#include "sasl/token.h"

#include <algorithm>

#include "base/encoding.h"
#include "sasl/hash.h"
#include "sasl/identity.h"

namespace kith::sasl {

Secret derive_token(const Secret& server_secret, std::string_view account, std::string_view client,
                    std::string_view seed) {
  std::string text = "fast\n";
  text.append(account).append("\n").append(client).append("\n").append(seed);
  return Secret(base64url_encode(hmac(Hash::sha256, server_secret.reveal(), text).reveal()));
}

Step HashedToken::fail(Failure failure) {
  state_ = State::over;
  return Failed{failure, account_};
}

Step HashedToken::respond(std::optional<std::string_view> message) {
  if (state_ != State::fresh || !message) return fail(Failure::malformed_request);
  const std::size_t zero = message->find('\0');
  if (zero == std::string_view::npos || zero == 0 || !is_utf8(message->substr(0, zero)))
    return fail(Failure::malformed_request);
  account_ = account_of(message->substr(0, zero), context_.domain);
  if (!account_) return fail(Failure::not_authorized);
  proof_ = Secret(std::string(message->substr(zero + 1)));
  state_ = State::wants_tokens;
  return NeedTokens{*account_};
}

Step HashedToken::tokens(const std::vector<Token>& tokens) {
  if (state_ != State::wants_tokens) return fail(Failure::malformed_request);
  const Token* match = nullptr;
  for (const Token& token : tokens) {
    const Secret expected = hmac(Hash::sha256, token.text.reveal(), "Initiator" + binding_);
    const bool same = equal_in_constant_time(expected.reveal(), proof_.reveal());
    // SECURITY: a token is good for the mechanism that it was given for, and no weaker one (XEP-0484 §3.4).
    if (same && token.mechanism == name_) match = &token;
  }
  if (match == nullptr) return fail(Failure::not_authorized);
  if (match->expired) return fail(Failure::credentials_expired);
  state_ = State::over;
  const Secret answer = hmac(Hash::sha256, match->text.reveal(), "Responder" + binding_);
  return Success{.bare = *account_,
                 .bytes = std::string(answer.reveal()),
                 .token_fresh = match->fresh,
                 .token_due = match->due,
                 .token_noted = match->noted};
}

}  // namespace kith::sasl
