#include "base/secret.h"

#include <openssl/crypto.h>

namespace kith {

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& bytes) {
  // What an earlier, longer value left behind the end is wiped too; growing to the capacity never moves the bytes.
  bytes.resize(bytes.capacity());
  OPENSSL_cleanse(bytes.data(), bytes.size());
  bytes.clear();
}

}  // namespace kith
