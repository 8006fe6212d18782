#include "sasl/mechanism.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/encoding.h"
#include "sasl/plain.h"
#include "sasl/scram.h"
#include "sasl/token.h"

namespace kith::sasl {
namespace {

struct ScramName {
  std::string_view name;
  Hash hash;
  bool plus;
};

// In the order of the offer: a binding is worth more than a longer hash, because it shuts out whoever sits between.
constexpr std::array<ScramName, 6> scram_names{{{"SCRAM-SHA-512-PLUS", Hash::sha512, true},
                                                {"SCRAM-SHA-256-PLUS", Hash::sha256, true},
                                                {"SCRAM-SHA-1-PLUS", Hash::sha1, true},
                                                {"SCRAM-SHA-512", Hash::sha512, false},
                                                {"SCRAM-SHA-256", Hash::sha256, false},
                                                {"SCRAM-SHA-1", Hash::sha1, false}}};

struct TokenName {
  std::string_view name;
  std::string_view binding;
};
constexpr std::array<TokenName, 3> token_names{
    {{"HT-SHA-256-EXPR", "tls-exporter"}, {"HT-SHA-256-ENDP", "tls-server-end-point"}, {"HT-SHA-256-NONE", ""}}};

std::string draw_nonce(Random& random) {
  std::string bytes(18, '\0');  // 144 bits, and no padding in base64
  random.fill(std::as_writable_bytes(std::span(bytes)));
  return base64_encode(bytes);
}

}  // namespace

std::string_view wire_word(Failure failure) {
  switch (failure) {
    case Failure::aborted:
      return "aborted";
    case Failure::account_disabled:
      return "account-disabled";
    case Failure::credentials_expired:
      return "credentials-expired";
    case Failure::encryption_required:
      return "encryption-required";
    case Failure::incorrect_encoding:
      return "incorrect-encoding";
    case Failure::invalid_authzid:
      return "invalid-authzid";
    case Failure::invalid_mechanism:
      return "invalid-mechanism";
    case Failure::malformed_request:
      return "malformed-request";
    case Failure::mechanism_too_weak:
      return "mechanism-too-weak";
    case Failure::not_authorized:
      return "not-authorized";
    case Failure::temporary_auth_failure:
      break;
  }
  return "temporary-auth-failure";
}

// A mechanism that never asks is not answered; if it is all the same, the caller mixed two exchanges up.
Step Mechanism::credentials(const Credentials&, bool) { return Failed{Failure::temporary_auth_failure, std::nullopt}; }
Step Mechanism::password_checked(bool) { return Failed{Failure::temporary_auth_failure, std::nullopt}; }

Step Mechanism::tokens(const std::vector<Token>&) { return Failed{Failure::temporary_auth_failure, std::nullopt}; }

std::vector<std::string> offered_token_mechanisms(const ChannelBindings& bindings) {
  std::vector<std::string> names;
  for (const TokenName& token : token_names) {
    if (token.binding.empty() || bindings.contains(token.binding)) names.emplace_back(token.name);
  }
  return names;
}

std::unique_ptr<Mechanism> make_token_mechanism(std::string_view name, MechanismContext context) {
  const auto* const token = std::ranges::find(token_names, name, &TokenName::name);
  if (token == token_names.end() || !context.tls) return nullptr;
  std::string data;
  if (!token->binding.empty()) {
    const auto binding = context.bindings.find(token->binding);
    if (binding == context.bindings.end()) return nullptr;
    data = binding->second;
  }
  return std::make_unique<HashedToken>(std::string(name), std::move(data), std::move(context));
}

std::vector<std::string> offered_mechanisms(bool tls, const ChannelBindings& bindings) {
  std::vector<std::string> names;
  for (const ScramName& scram : scram_names) {
    if (!scram.plus || (tls && !bindings.empty())) names.emplace_back(scram.name);
  }
  if (tls) names.emplace_back("PLAIN");
  return names;
}

std::unique_ptr<Mechanism> make_mechanism(std::string_view name, MechanismContext context, Random& random) {
  if (std::ranges::find(context.offered, name) == context.offered.end()) return nullptr;
  if (name == "PLAIN") return std::make_unique<Plain>(std::move(context));
  const auto* const scram = std::ranges::find(scram_names, name, &ScramName::name);
  if (scram == scram_names.end()) return nullptr;
  return std::make_unique<Scram>(scram->hash, scram->plus, std::move(context), draw_nonce(random));
}

}  // namespace kith::sasl
