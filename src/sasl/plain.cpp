#include "sasl/plain.h"

#include <algorithm>

#include "base/encoding.h"
#include "sasl/identity.h"

namespace kith::sasl {

Step Plain::fail(Failure failure) {
  state_ = State::over;
  return Failed{failure, account_};
}

Step Plain::respond(std::optional<std::string_view> message) {
  if (state_ != State::fresh && state_ != State::asked) return fail(Failure::malformed_request);
  // SECURITY: make_mechanism() does not give PLAIN without TLS; this holds even if somebody offers it by mistake.
  if (!context_.tls) return fail(Failure::encryption_required);
  if (!message) {
    if (state_ == State::asked) return fail(Failure::malformed_request);
    state_ = State::asked;
    return Challenge{};
  }

  // RFC 4616 §2: authzid NUL authcid NUL passwd. SECURITY: exactly three fields; a further NUL would be read
  // differently by different readers.
  if (std::ranges::count(*message, '\0') != 2 || !is_utf8(*message)) return fail(Failure::malformed_request);
  const std::size_t first = message->find('\0');
  const std::size_t second = message->find('\0', first + 1);
  const std::string_view authzid = message->substr(0, first);
  const std::string_view authcid = message->substr(first + 1, second - first - 1);
  const std::string_view password = message->substr(second + 1);
  if (authcid.empty() || password.empty()) return fail(Failure::malformed_request);

  account_ = account_of(authcid, context_.domain);
  if (!account_) return fail(Failure::not_authorized);
  if (!authzid_allowed(authzid, *account_)) return fail(Failure::invalid_authzid);
  // A password that cannot be prepared is nobody's, whether the account exists or not.
  std::optional<Secret> prepared = prepare_password(password);
  if (!prepared) return fail(Failure::not_authorized);
  state_ = State::checking;
  return NeedPasswordCheck{*account_, *std::move(prepared)};
}

Step Plain::password_checked(bool right) {
  if (state_ != State::checking) return fail(Failure::malformed_request);
  if (!right) return fail(Failure::not_authorized);
  state_ = State::over;
  return Success{*account_, {}};
}

}  // namespace kith::sasl
