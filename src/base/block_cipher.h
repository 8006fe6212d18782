// AES-128 on single blocks (FIPS 197): a permutation of 16 bytes that only who has the key can follow in either
// direction. Not a way to encrypt messages. One thread at a time.
#pragma once

#include <array>
#include <memory>

#include "base/secret.h"

namespace kith {

class BlockCipher {
 public:
  using Block = std::array<unsigned char, 16>;
  /// `key`: 16 bytes. Throws std::runtime_error if OpenSSL has no AES.
  explicit BlockCipher(const Secret& key);
  BlockCipher(BlockCipher&&) noexcept;
  BlockCipher& operator=(BlockCipher&&) noexcept;
  ~BlockCipher();

  Block encrypt(const Block& clear) const;
  Block decrypt(const Block& hidden) const;

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace kith
