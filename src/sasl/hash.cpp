#include "sasl/hash.h"

#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace kith::sasl {
namespace {

const EVP_MD* algorithm(Hash hash) {
  switch (hash) {
    case Hash::sha1:
      return EVP_sha1();
    case Hash::sha256:
      return EVP_sha256();
    case Hash::sha512:
      return EVP_sha512();
  }
  return nullptr;
}

const unsigned char* bytes_of(std::string_view text) {
  // OpenSSL reads a null key as "take the key of the last call", so an empty view must still point somewhere.
  return reinterpret_cast<const unsigned char*>(text.empty() ? "" : text.data());
}

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

void require(bool worked) {
  if (!worked) throw std::runtime_error("the cryptographic library refused to hash");
}

}  // namespace

std::size_t size_of(Hash hash) { return static_cast<std::size_t>(EVP_MD_get_size(algorithm(hash))); }

Secret digest(Hash hash, std::string_view bytes) {
  std::string out(size_of(hash), '\0');
  unsigned size = 0;
  require(EVP_Digest(bytes_of(bytes), bytes.size(), bytes_of(out), &size, algorithm(hash), nullptr) == 1);
  return Secret(std::move(out));
}

Secret hmac(Hash hash, std::string_view key, std::string_view text) {
  std::string out(size_of(hash), '\0');
  unsigned size = 0;
  require(HMAC(algorithm(hash), bytes_of(key), static_cast<int>(key.size()), bytes_of(text), text.size(), bytes_of(out),
               &size) != nullptr);
  return Secret(std::move(out));
}

Secret salted_password(Hash hash, std::string_view password, std::string_view salt, std::uint32_t iterations) {
  std::string out(size_of(hash), '\0');
  require(PKCS5_PBKDF2_HMAC(password.empty() ? "" : password.data(), static_cast<int>(password.size()), bytes_of(salt),
                            static_cast<int>(salt.size()), static_cast<int>(iterations), algorithm(hash),
                            static_cast<int>(out.size()), bytes_of(out)) == 1);
  return Secret(std::move(out));
}

}  // namespace kith::sasl
