// The client's side of SCRAM-SHA-1 (RFC 5802) without channel binding: what every server offers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kith::bench {

/// PBKDF2 is the dearest part of a login; logins of one account share its result, as real clients do that keep it.
class SaltedPasswords {
 public:
  const std::string& of(const std::string& password, const std::string& salt, unsigned iterations);

 private:
  std::map<std::pair<std::string, unsigned>, std::string> cache_;
};

class ScramClient {
 public:
  explicit ScramClient(std::string_view user);

  /// client-first-message, in base64.
  std::string first() const;
  /// client-final-message in base64, for a challenge in base64; nothing if the challenge is not one. The server's own
  /// proof is not checked: a load has no secret to protect.
  std::optional<std::string> final(std::string_view challenge, const std::string& password, SaltedPasswords& passwords);

 private:
  std::string nonce_;
  std::string first_bare_;
};

}  // namespace kith::bench
