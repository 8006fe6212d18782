// Passwords and the keys that are kept of them (RFC 5802 §3): preparing, deriving, checking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/secret.h"
#include "xmpp/credentials.h"

namespace kith::sasl {

enum class Hash : std::uint8_t { sha1, sha256, sha512 };

using xmpp::Credentials;
using xmpp::ScramKeys;

/// The keys of that hash, or nothing.
const std::optional<ScramKeys>& keys_of(const Credentials& credentials, Hash hash);

inline constexpr std::uint32_t default_iterations = 10'000;
/// More than anyone uses. SECURITY: a damaged or imported row must not hold a worker for hours.
inline constexpr std::uint32_t most_iterations = 10'000'000;
/// False if the count of iterations cannot be of a real account.
bool usable(const ScramKeys& keys);

/// SASLprep (RFC 4013) over today's Unicode; password.cpp says why not OpaqueString (RFC 8265 §4.2). Nothing if it is
/// empty, over 1023 bytes, not UTF-8 or has forbidden characters.
std::optional<Secret> prepare_password(std::string_view password);
/// Derives keys of `password`, which is prepared already. CPU: a few milliseconds each; never on a shard.
ScramKeys derive(Hash hash, const Secret& password, std::string salt, std::uint32_t iterations);
/// Keys of what PBKDF2 has made of a password (RFC 5802 §3, SaltedPassword); nothing if it is not as long as the hash.
std::optional<ScramKeys> keys_of_salted(Hash hash, const Secret& salted, std::string salt, std::uint32_t iterations);
/// 16 random bytes.
std::string fresh_salt(Random& random);
/// Keys for all three hashes with fresh salts of 16 bytes.
Credentials derive_all(const Secret& password, Random& random, std::uint32_t iterations = default_iterations);
/// True if `password` gives these keys. Constant time in the comparison.
bool verify(const Credentials& credentials, const Secret& password);
/// Keys for a user that does not exist: the salt is HMAC(server_secret, name), so that asking twice gives the same
/// answer; no proof can match (RFC 5802 user enumeration).
Credentials decoy(const Secret& server_secret, std::string_view bare_jid,
                  std::uint32_t iterations = default_iterations);

}  // namespace kith::sasl
