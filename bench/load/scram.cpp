#include "scram.h"

#include <algorithm>
#include <charconv>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/encoding.h"

namespace kith::bench {

namespace {

constexpr std::size_t sha1_bytes = 20;
constexpr std::size_t nonce_bytes = 18;
constexpr unsigned most_iterations = 1'000'000;  // a server that asks for more would hold up the load, not be measured

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string hmac_sha1(std::string_view key, std::string_view data) {
  std::string out(sha1_bytes, '\0');
  unsigned size = sha1_bytes;
  HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), bytes_of(data), data.size(), bytes_of(out), &size);
  return out;
}

std::string sha1(std::string_view data) {
  std::string out(sha1_bytes, '\0');
  EVP_Digest(data.data(), data.size(), bytes_of(out), nullptr, EVP_sha1(), nullptr);
  return out;
}

struct Challenge {
  std::string nonce;
  std::string salt;
  unsigned iterations = 0;
};

Challenge parse(std::string_view text) {
  Challenge challenge;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (part.size() < 2 || part[1] != '=') continue;
    const std::string_view value = part.substr(2);
    if (part[0] == 'r') challenge.nonce = value;
    if (part[0] == 's') challenge.salt = base64_decode(value).value_or("");
    if (part[0] == 'i') std::from_chars(value.data(), value.data() + value.size(), challenge.iterations);
  }
  return challenge;
}

}  // namespace

const std::string& SaltedPasswords::of(const std::string& password, const std::string& salt, unsigned iterations) {
  std::string& key = cache_[{salt, iterations}];
  if (key.empty()) {
    key.resize(sha1_bytes);
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(std::string_view(salt)),
                      static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha1(), sha1_bytes,
                      bytes_of(key));
  }
  return key;
}

ScramClient::ScramClient(std::string_view user) {
  std::string random(nonce_bytes, '\0');
  RAND_bytes(bytes_of(random), static_cast<int>(random.size()));
  nonce_ = base64_encode(random);
  first_bare_ = "n=" + std::string(user) + ",r=" + nonce_;
}

std::string ScramClient::first() const { return base64_encode("n,," + first_bare_); }

std::optional<std::string> ScramClient::final(std::string_view challenge, const std::string& password,
                                              SaltedPasswords& passwords) {
  const std::string server_first = base64_decode(challenge).value_or("");
  const Challenge asked = parse(server_first);
  if (!asked.nonce.starts_with(nonce_) || asked.salt.empty() || asked.iterations == 0 ||
      asked.iterations > most_iterations)
    return std::nullopt;
  const std::string client_key = hmac_sha1(passwords.of(password, asked.salt, asked.iterations), "Client Key");
  const std::string without_proof = "c=biws,r=" + asked.nonce;
  const std::string signature = hmac_sha1(sha1(client_key), first_bare_ + "," + server_first + "," + without_proof);
  std::string proof = client_key;
  for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
  return base64_encode(without_proof + ",p=" + base64_encode(proof));
}

}  // namespace kith::bench
