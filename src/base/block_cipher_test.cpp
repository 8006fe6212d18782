#include "base/block_cipher.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace kith {
namespace {

BlockCipher::Block block(const std::string& hex) {
  const std::string bytes = hex_decode(hex).value();
  BlockCipher::Block made{};
  std::ranges::copy(bytes, made.begin());
  return made;
}

// FIPS 197, appendix C.1.
TEST(BlockCipher, does_what_the_standard_s_example_does_and_undoes_it) {
  const BlockCipher cipher(Secret(hex_decode("000102030405060708090a0b0c0d0e0f").value()));
  const BlockCipher::Block clear = block("00112233445566778899aabbccddeeff");
  const BlockCipher::Block hidden = block("69c4e0d86a7b0430d8cdb78070b4c55a");
  for (int again = 0; again < 3; ++again) {
    EXPECT_EQ(cipher.encrypt(clear), hidden);
    EXPECT_EQ(cipher.decrypt(hidden), clear);
  }
}

TEST(BlockCipher, refuses_keys_of_other_lengths) {
  EXPECT_THROW(BlockCipher{Secret("short")}, std::runtime_error);
  EXPECT_THROW(BlockCipher{Secret(std::string(32, 'k'))}, std::runtime_error);
}

}  // namespace
}  // namespace kith
