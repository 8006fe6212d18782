#include "base/random.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace kith {
namespace {

TEST(Random, the_same_seed_gives_the_same_sequence) {
  SeededRandom first(7);
  SeededRandom second(7);
  SeededRandom other(8);
  const std::string token = first.token();
  EXPECT_EQ(second.token(), token);
  EXPECT_NE(other.token(), token);
  EXPECT_NE(first.token(), token);
}

TEST(Random, a_token_holds_128_bits_unless_told_otherwise) {
  SystemRandom random;
  EXPECT_EQ(random.token().size(), 22U);  // 16 bytes in base64url
  EXPECT_EQ(random.token(32).size(), 43U);
  EXPECT_EQ(random.token(0), "");
}

TEST(Random, tokens_of_the_system_do_not_repeat) {
  SystemRandom random;
  std::set<std::string> tokens;
  for (int i = 0; i < 1000; ++i) tokens.insert(random.token());
  EXPECT_EQ(tokens.size(), 1000U);
}

TEST(Random, fills_all_bytes_of_a_span) {
  SystemRandom random;
  std::array<std::byte, 13> ever{};
  for (int i = 0; i < 64; ++i) {
    std::array<std::byte, 13> bytes{};
    random.fill(bytes);
    for (std::size_t at = 0; at < bytes.size(); ++at) ever.at(at) |= bytes.at(at);
  }
  for (const std::byte byte : ever) EXPECT_NE(byte, std::byte{0});
}

}  // namespace
}  // namespace kith
