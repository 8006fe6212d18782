#include "base/digest.h"

#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace kith {

namespace {

std::string digest(const EVP_MD* algorithm, std::string_view bytes) {
  std::string out(static_cast<std::size_t>(EVP_MD_get_size(algorithm)), '\0');
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, algorithm,
                 nullptr) != 1) {
    throw std::runtime_error("the cryptographic library refuses a hash");  // only with a broken configuration of it
  }
  return out;
}

}  // namespace

std::string sha1(std::string_view bytes) { return digest(EVP_sha1(), bytes); }
std::string sha256(std::string_view bytes) { return digest(EVP_sha256(), bytes); }

namespace {

std::string hmac(const EVP_MD* algorithm, std::string_view key, std::string_view text) {
  std::string out(static_cast<std::size_t>(EVP_MD_get_size(algorithm)), '\0');
  if (HMAC(algorithm, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr) == nullptr) {
    throw std::runtime_error("the cryptographic library refuses a hash");
  }
  return out;
}

}  // namespace

std::string hmac_sha1(std::string_view key, std::string_view text) { return hmac(EVP_sha1(), key, text); }
std::string hmac_sha256(std::string_view key, std::string_view text) { return hmac(EVP_sha256(), key, text); }
Secret derive_key(const Secret& secret, std::string_view use) { return Secret(hmac_sha256(secret.reveal(), use)); }

}  // namespace kith
