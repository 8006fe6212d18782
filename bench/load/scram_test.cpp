#include "scram.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace kith::bench {
namespace {

// RFC 5802 §5 with the salt and password of its example; the nonce is ours, so the proof is checked by its length and
// its parts here, and by every server that a load logs in to.
TEST(Scram, a_challenge_for_our_nonce_is_answered) {
  ScramClient client("user");
  const std::string first = base64_decode(client.first()).value_or("");
  ASSERT_TRUE(first.starts_with("n,,n=user,r="));
  const std::string nonce = first.substr(std::string("n,,n=user,r=").size()) + "3rfcNHYJY1ZVvWVs7j";
  SaltedPasswords passwords;
  const auto answer = client.final(base64_encode("r=" + nonce + ",s=QSXCR+Q6sek8bf92,i=4096"), "pencil", passwords);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(base64_decode(*answer).value_or("").starts_with("c=biws,r=" + nonce + ",p="));
}

TEST(Scram, the_salted_password_is_the_one_of_the_rfc) {
  SaltedPasswords passwords;
  const std::string salt = base64_decode("QSXCR+Q6sek8bf92").value_or("");
  EXPECT_EQ(hex_encode(passwords.of("pencil", salt, 4096)), "1d96ee3a529b5a5f9e47c01f229a2cb8a6e15f7d");
}

TEST(Scram, odd_challenges_are_refused) {
  SaltedPasswords passwords;
  for (const char* challenge : {"", "r=other,s=QSXCR+Q6sek8bf92,i=4096", "s=QSXCR+Q6sek8bf92,i=4096", "r=,s=,i="}) {
    ScramClient client("user");
    EXPECT_FALSE(client.final(base64_encode(challenge), "pencil", passwords)) << challenge;
  }
  ScramClient client("user");
  const std::string nonce = base64_decode(client.first()).value_or("").substr(std::string("n,,n=user,r=").size());
  EXPECT_FALSE(client.final(base64_encode("r=" + nonce + ",s=QSXCR+Q6sek8bf92,i=4294967295"), "pencil", passwords));
}

}  // namespace
}  // namespace kith::bench
