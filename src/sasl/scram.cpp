#include "sasl/scram.h"

#include <algorithm>

#include "base/encoding.h"
#include "sasl/hash.h"
#include "sasl/identity.h"

namespace kith::sasl {
namespace {

/// Takes the text up to the next comma off `rest`; nothing if there is no text left.
std::optional<std::string_view> take_field(std::optional<std::string_view>& rest) {
  if (!rest) return std::nullopt;
  const std::size_t comma = rest->find(',');
  const std::string_view field = rest->substr(0, comma);
  if (comma == std::string_view::npos) {
    rest.reset();
  } else {
    rest = rest->substr(comma + 1);
  }
  return field;
}

/// The value of a field `letter=value` with a value that is not empty.
std::optional<std::string_view> value_of(std::optional<std::string_view> field, char letter) {
  if (!field || field->size() < 3 || (*field)[0] != letter || (*field)[1] != '=') return std::nullopt;
  return field->substr(2);
}

/// RFC 5802 §5.1: extensions that are not mandatory are ignored, but must look like attributes.
bool only_optional_extensions(std::optional<std::string_view> rest) {
  while (rest) {
    const std::optional<std::string_view> field = take_field(rest);
    const char letter = field->empty() ? '\0' : field->front();
    const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (!is_letter || letter == 'm' || !value_of(field, letter)) return false;
  }
  return true;
}

/// `saslname` of RFC 5802 §7: `=2C` is a comma, `=3D` an equals sign, and no other `=` may stand.
std::optional<std::string> unescape_name(std::string_view escaped) {
  std::string name;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '=') {
      name += escaped[i];
      continue;
    }
    const std::string_view code = escaped.substr(i + 1, 2);
    if (code == "2C") {
      name += ',';
    } else if (code == "3D") {
      name += '=';
    } else {
      return std::nullopt;
    }
    i += 2;
  }
  return name;
}

/// RFC 5802 §7, `printable`: visible ASCII without the comma.
bool is_nonce(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != ','; });
}

std::string exclusive_or(std::string_view a, std::string_view b) {
  std::string out(a);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<char>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  }
  return out;
}

/// The keys to go on with for an account that lacks those of `hash` (an imported one, logging in by another hash than
/// its keys). It behaves like a decoy and fails at the end: a salt that nobody can guess but that stays the same from
/// one try to the next, made from the keys that there are. Whoever has an account without any keys passes a decoy for
/// it.
ScramKeys stand_in(Hash hash, const Credentials& credentials, const xmpp::BareJid& account) {
  Secret secret;
  for (const Hash other : {Hash::sha256, Hash::sha1, Hash::sha512}) {
    if (const auto& keys = keys_of(credentials, other)) {
      secret = keys->server_key;
      break;
    }
  }
  const Credentials decoys = decoy(secret, account.text());
  return *keys_of(decoys, hash);
}

/// XEP-0474 §5.1
std::string offer_hash(Hash hash, const MechanismContext& context) {
  constexpr char unit = '\x1E';
  constexpr char group = '\x1F';
  std::vector<std::string> names = context.offered;
  std::ranges::sort(names);
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? std::string() : std::string(1, unit)) + name;
  bool first = true;
  for (const auto& [type, data] : context.bindings) {  // in order
    if (!is_announced(type)) continue;
    text += first ? group : unit;
    text += type;
    first = false;
  }
  return base64_encode(digest(hash, text).reveal());
}

}  // namespace

Step Scram::fail(Failure failure) {
  state_ = State::over;
  return Failed{failure, account_};
}

Step Scram::respond(std::optional<std::string_view> message) {
  switch (state_) {
    case State::fresh:
      if (!message) {
        state_ = State::asked;
        return Challenge{};
      }
      return client_first(*message);
    case State::asked:
      if (!message) break;
      return client_first(*message);
    case State::challenged:
      if (!message) break;
      return client_final(*message);
    case State::wants_keys:
    case State::over:
      break;
  }
  return fail(Failure::malformed_request);
}

/// RFC 5802 §6: what the client says of channel binding, against what TLS and the offer say.
std::optional<Failure> Scram::read_binding_flag(std::string_view flag) {
  if (flag == "n" || flag == "y") {
    if (plus_) return Failure::malformed_request;  // the name says "with binding", the message without
    // SECURITY: "y" says that the client can bind and saw no -PLUS. If it was offered, somebody between took it out.
    const bool plus_was_offered =
        std::ranges::any_of(context_.offered, [](const std::string& name) { return name.ends_with("-PLUS"); });
    if (flag == "y" && plus_was_offered) return Failure::not_authorized;
    return std::nullopt;
  }
  const std::optional<std::string_view> type = value_of(flag, 'p');
  if (!type || !plus_) return Failure::malformed_request;
  const auto binding = context_.bindings.find(*type);
  if (binding == context_.bindings.end()) return Failure::not_authorized;
  expected_binding_ = binding->second;
  return std::nullopt;
}

/// RFC 5802 §7: gs2-cbind-flag "," [authzid] "," [reserved-mext ","] username "," nonce ["," extensions]
Step Scram::client_first(std::string_view message) {
  if (!is_utf8(message) || message.contains('\0')) return fail(Failure::malformed_request);
  std::optional<std::string_view> rest = message;
  const std::string_view flag = *take_field(rest);
  const std::optional<std::string_view> authzid_field = take_field(rest);
  if (!authzid_field || !rest) return fail(Failure::malformed_request);
  const std::string_view header = message.substr(0, message.size() - rest->size());
  client_first_bare_ = *rest;

  std::string authzid;
  if (!authzid_field->empty()) {
    const std::optional<std::string_view> escaped = value_of(authzid_field, 'a');
    std::optional<std::string> unescaped = escaped ? unescape_name(*escaped) : std::nullopt;
    if (!unescaped) return fail(Failure::malformed_request);
    authzid = *std::move(unescaped);
  }
  // A mandatory extension (`m=`) would stand before the user name, and is refused as everything else there.
  const std::optional<std::string_view> escaped_name = value_of(take_field(rest), 'n');
  const std::optional<std::string_view> client_nonce = value_of(take_field(rest), 'r');
  if (!escaped_name || !client_nonce || !is_nonce(*client_nonce) || !only_optional_extensions(rest)) {
    return fail(Failure::malformed_request);
  }
  const std::optional<std::string> name = unescape_name(*escaped_name);
  if (!name) return fail(Failure::malformed_request);

  if (const std::optional<Failure> wrong = read_binding_flag(flag)) return fail(*wrong);
  expected_binding_.insert(0, header);
  account_ = account_of(*name, context_.domain);
  // No account can have such a name: that is no secret, so the exchange need not go on as if.
  if (!account_) return fail(Failure::not_authorized);
  if (!authzid_allowed(authzid, *account_)) return fail(Failure::invalid_authzid);

  nonce_ = std::string(*client_nonce) + server_nonce_;
  state_ = State::wants_keys;
  return NeedCredentials{*account_};
}

Step Scram::credentials(const Credentials& credentials, bool known) {
  if (state_ != State::wants_keys) return fail(Failure::malformed_request);
  const std::optional<ScramKeys>& keys = keys_of(credentials, hash_);
  const bool complete = keys && usable(*keys);
  keys_ = complete ? *keys : stand_in(hash_, credentials, *account_);
  known_ = known && complete;
  server_first_ = "r=" + nonce_ + ",s=" + base64_encode(keys_.salt) + ",i=" + std::to_string(keys_.iterations);
  if (!context_.offered.empty()) server_first_ += ",h=" + offer_hash(hash_, context_);
  state_ = State::challenged;
  return Challenge{server_first_};
}

/// RFC 5802 §7: channel-binding "," nonce ["," extensions] "," proof
Step Scram::client_final(std::string_view message) {
  const std::size_t proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos) return fail(Failure::malformed_request);
  const std::string_view without_proof = message.substr(0, proof_at);
  const std::optional<std::string> proof = base64_decode(message.substr(proof_at + 3));
  std::optional<std::string_view> rest = without_proof;
  const std::optional<std::string_view> binding_field = value_of(take_field(rest), 'c');
  const std::optional<std::string_view> nonce = value_of(take_field(rest), 'r');
  const std::optional<std::string> binding = binding_field ? base64_decode(*binding_field) : std::nullopt;
  if (!proof || proof->size() != size_of(hash_) || !binding || !nonce || !only_optional_extensions(rest)) {
    return fail(Failure::malformed_request);
  }
  if (*nonce != nonce_ || !equal_in_constant_time(*binding, expected_binding_)) return fail(Failure::not_authorized);

  // RFC 5802 §3. SECURITY: a decoy goes through the same sums and fails at the same comparison; `known_` is asked last.
  const std::string auth_message = client_first_bare_ + ',' + server_first_ + ',' + std::string(without_proof);
  const Secret client_signature = hmac(hash_, keys_.stored_key.reveal(), auth_message);
  const Secret client_key(exclusive_or(*proof, client_signature.reveal()));
  const Secret server_signature = hmac(hash_, keys_.server_key.reveal(), auth_message);
  const bool proved = digest(hash_, client_key.reveal()) == keys_.stored_key;  // constant time, see Secret
  if (!proved || !known_) return fail(Failure::not_authorized);
  state_ = State::over;
  return Success{*account_, "v=" + base64_encode(server_signature.reveal())};
}

}  // namespace kith::sasl
