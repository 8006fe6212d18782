// Making and checking the keys that are kept of a password. Any thread; derive(), derive_all() and verify() take
// milliseconds and belong on a worker.
#include "sasl/credentials.h"

#include <array>
#include <span>

#include "sasl/hash.h"

namespace kith::sasl {
namespace {

constexpr std::size_t salt_bytes = 16;

std::string_view word(Hash hash) {
  switch (hash) {
    case Hash::sha1:
      return "SHA-1";
    case Hash::sha256:
      return "SHA-256";
    case Hash::sha512:
      return "SHA-512";
  }
  return {};
}

ScramKeys decoy_keys(Hash hash, const Secret& secret, std::string_view bare_jid, std::uint32_t iterations) {
  const auto pseudo_random = [&](Hash with, std::string_view purpose) {
    // The parts are set apart by NUL, which none of them can hold, so that no two inputs run together.
    std::string text(purpose);
    text.append(1, '\0').append(word(hash)).append(1, '\0').append(bare_jid);
    return hmac(with, secret.reveal(), text);
  };
  ScramKeys keys;
  keys.salt = pseudo_random(Hash::sha256, "salt").reveal().substr(0, salt_bytes);
  keys.iterations = iterations;
  keys.stored_key = pseudo_random(hash, "stored key");
  keys.server_key = pseudo_random(hash, "server key");
  return keys;
}

}  // namespace

const std::optional<ScramKeys>& keys_of(const Credentials& credentials, Hash hash) {
  switch (hash) {
    case Hash::sha1:
      return credentials.sha1;
    case Hash::sha256:
      return credentials.sha256;
    case Hash::sha512:
      break;
  }
  return credentials.sha512;
}

std::string fresh_salt(Random& random) {
  std::string salt(salt_bytes, '\0');
  random.fill(std::as_writable_bytes(std::span(salt)));
  return salt;
}

ScramKeys derive(Hash hash, const Secret& password, std::string salt, std::uint32_t iterations) {
  // RFC 5802 §3: SaltedPassword, ClientKey, StoredKey, ServerKey.
  const Secret salted = salted_password(hash, password.reveal(), salt, iterations);
  return *keys_of_salted(hash, salted, std::move(salt), iterations);
}

std::optional<ScramKeys> keys_of_salted(Hash hash, const Secret& salted, std::string salt, std::uint32_t iterations) {
  if (salted.reveal().size() != size_of(hash)) return std::nullopt;
  const Secret client_key = hmac(hash, salted.reveal(), "Client Key");
  return ScramKeys{.salt = std::move(salt),
                   .iterations = iterations,
                   .stored_key = digest(hash, client_key.reveal()),
                   .server_key = hmac(hash, salted.reveal(), "Server Key")};
}

Credentials derive_all(const Secret& password, Random& random, std::uint32_t iterations) {
  Credentials credentials;
  credentials.sha1 = derive(Hash::sha1, password, fresh_salt(random), iterations);
  credentials.sha256 = derive(Hash::sha256, password, fresh_salt(random), iterations);
  credentials.sha512 = derive(Hash::sha512, password, fresh_salt(random), iterations);
  return credentials;
}

bool verify(const Credentials& credentials, const Secret& password) {
  // One hash is enough, as all keys of an account are of the same password. SHA-256 comes first because every account
  // made by Kith and every decoy has it: a check takes the same time for both.
  for (const Hash hash : {Hash::sha256, Hash::sha512, Hash::sha1}) {
    const std::optional<ScramKeys>& keys = keys_of(credentials, hash);
    if (!keys) continue;
    if (!usable(*keys)) return false;
    const ScramKeys tried = derive(hash, password, keys->salt, keys->iterations);
    return tried.stored_key == keys->stored_key;  // Secret compares in constant time
  }
  return false;
}

bool usable(const ScramKeys& keys) { return keys.iterations > 0 && keys.iterations <= most_iterations; }

Credentials decoy(const Secret& server_secret, std::string_view bare_jid, std::uint32_t iterations) {
  Credentials credentials;
  credentials.sha1 = decoy_keys(Hash::sha1, server_secret, bare_jid, iterations);
  credentials.sha256 = decoy_keys(Hash::sha256, server_secret, bare_jid, iterations);
  credentials.sha512 = decoy_keys(Hash::sha512, server_secret, bare_jid, iterations);
  return credentials;
}

}  // namespace kith::sasl
