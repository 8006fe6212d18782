// What is kept of a password: SCRAM keys (RFC 5802 §3), never the password. Values only; sasl/ makes and checks them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/secret.h"

namespace kith::xmpp {

/// Keys of one hash (SHA-1, SHA-256 or SHA-512), raw bytes.
struct ScramKeys {
  std::string salt;
  std::uint32_t iterations = 0;
  Secret stored_key;
  Secret server_key;
};

/// Keys of an account. An account made by Kith has all three; an imported one may have fewer.
struct Credentials {
  std::optional<ScramKeys> sha1;
  std::optional<ScramKeys> sha256;
  std::optional<ScramKeys> sha512;
};

/// One of the salts, always the same one; empty if there are no keys. Salts are random, so keys that have it were made
/// of the same password in one go.
inline std::string salt_of(const Credentials& credentials) {
  for (const auto* keys : {&credentials.sha256, &credentials.sha1, &credentials.sha512}) {
    if (*keys) return (*keys)->salt;
  }
  return {};
}

}  // namespace kith::xmpp
