#include "sasl/credentials.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace kith::sasl {
namespace {

std::string prepared(std::string_view password) {
  const std::optional<Secret> secret = prepare_password(password);
  return secret ? std::string(secret->reveal()) : "(refused)";
}

TEST(PreparePassword, ascii_stays_as_it_is) { EXPECT_EQ(prepared("pen cil,=~\"<&"), "pen cil,=~\"<&"); }

TEST(PreparePassword, other_spaces_become_a_space) { EXPECT_EQ(prepared("a\u00A0b\u3000c\u1680d"), "a b c d"); }

TEST(PreparePassword, composed_and_decomposed_letters_are_the_same) {
  EXPECT_EQ(prepared("caf\u0065\u0301"), "caf\u00E9");
  EXPECT_EQ(prepared("caf\u00E9"), "caf\u00E9");
}

// The examples of RFC 4013 §3.
TEST(PreparePassword, rfc4013_examples) {
  EXPECT_EQ(prepared("I\u00ADX"), "IX");
  EXPECT_EQ(prepared("user"), "user");
  EXPECT_EQ(prepared("USER"), "USER");
  EXPECT_EQ(prepared("\u00AA"), "a");
  EXPECT_EQ(prepared("\u2168"), "IX");
  EXPECT_EQ(prepared("\x07"), "(refused)");
}

TEST(PreparePassword, letters_newer_than_stringprep_are_welcome) {
  EXPECT_EQ(prepared("\U0001F511 key"), "\U0001F511 key");
  EXPECT_EQ(prepared("\u0627\u0031"), "\u0627\u0031");  // SASLprep would refuse this mix of directions
}

TEST(PreparePassword, refuses_what_is_empty_or_becomes_so) {
  EXPECT_FALSE(prepare_password(""));
  EXPECT_FALSE(prepare_password("\u00AD\u200D"));
}

TEST(PreparePassword, refuses_control_and_private_characters) {
  EXPECT_FALSE(prepare_password("tab\there"));
  EXPECT_FALSE(prepare_password("del\x7f"));
  EXPECT_FALSE(prepare_password("next\u0085line"));
  EXPECT_FALSE(prepare_password("\uE000"));
  EXPECT_FALSE(prepare_password("\uFFFE"));
  EXPECT_FALSE(prepare_password("\uFFFD"));
  EXPECT_FALSE(prepare_password("\u200Ertl"));
  EXPECT_FALSE(prepare_password("\U000E0041"));
}

TEST(PreparePassword, refuses_bytes_that_are_not_utf8) {
  EXPECT_FALSE(prepare_password("\xff\xfe"));
  EXPECT_FALSE(prepare_password("caf\xe9"));
  EXPECT_FALSE(prepare_password("\xc0\xaf"));
}

TEST(PreparePassword, refuses_more_than_1023_bytes) {
  EXPECT_TRUE(prepare_password(std::string(1023, 'x')));
  EXPECT_FALSE(prepare_password(std::string(1024, 'x')));
}

TEST(PreparePassword, is_stable) {
  for (const std::string_view text : {"\u2168\u00AD\uFF21", "e\u0301\u00A0", "\uFB01sh \u00BD"}) {
    const std::string once = prepared(text);
    EXPECT_EQ(prepared(once), once);
  }
}

TEST(Derive, all_hashes_get_keys_of_their_size_and_salts_of_their_own) {
  SeededRandom random(1);
  const Credentials credentials = derive_all(Secret("pencil"), random, 16);
  EXPECT_EQ(credentials.sha1->stored_key.reveal().size(), 20U);
  EXPECT_EQ(credentials.sha256->stored_key.reveal().size(), 32U);
  EXPECT_EQ(credentials.sha512->stored_key.reveal().size(), 64U);
  EXPECT_EQ(credentials.sha1->salt.size(), 16U);
  EXPECT_NE(credentials.sha1->salt, credentials.sha256->salt);
  EXPECT_NE(credentials.sha256->salt, credentials.sha512->salt);
  EXPECT_EQ(credentials.sha512->iterations, 16U);
}

// Made of the exchange in RFC 5802 §5: the proof there verifies against these keys in mechanism_test.cpp; here the key
// itself.
TEST(Derive, sha1_keys_are_those_of_an_independent_implementation) {
  const ScramKeys keys = derive(Hash::sha1, Secret("pencil"), *base64_decode("QSXCR+Q6sek8bf92"), 4096);
  EXPECT_EQ(hex_encode(keys.stored_key.reveal()), "e9d94660c39d65c38fbad91c358f14da0eef2bd6");
  EXPECT_EQ(hex_encode(keys.server_key.reveal()), "0fe09258b3ac852ba502cc62ba903eaacdbf7d31");
}

TEST(Verify, accepts_the_password_and_no_other) {
  SeededRandom random(2);
  const Credentials credentials = derive_all(Secret("pencil"), random, 16);
  EXPECT_TRUE(verify(credentials, Secret("pencil")));
  EXPECT_FALSE(verify(credentials, Secret("pencil ")));
  EXPECT_FALSE(verify(credentials, Secret("")));
}

TEST(Verify, is_content_with_the_keys_that_an_imported_account_has) {
  SeededRandom random(3);
  Credentials credentials = derive_all(Secret("pencil"), random, 16);
  credentials.sha256.reset();
  EXPECT_TRUE(verify(credentials, Secret("pencil")));
  credentials.sha512.reset();
  EXPECT_TRUE(verify(credentials, Secret("pencil")));
  EXPECT_FALSE(verify(credentials, Secret("crayon")));
  credentials.sha1.reset();
  EXPECT_FALSE(verify(credentials, Secret("pencil")));
}

TEST(Verify, a_damaged_count_of_iterations_matches_nothing_and_costs_nothing) {
  SeededRandom random(4);
  Credentials credentials = derive_all(Secret("pencil"), random, 16);
  credentials.sha256->iterations = 0;
  EXPECT_FALSE(verify(credentials, Secret("pencil")));
  credentials.sha256->iterations = 4'000'000'000;
  EXPECT_FALSE(verify(credentials, Secret("pencil")));
}

TEST(Decoy, looks_like_an_account_and_stays_the_same) {
  const Credentials one = decoy(Secret("server secret"), "nobody@example.org");
  const Credentials again = decoy(Secret("server secret"), "nobody@example.org");
  for (const Hash hash : {Hash::sha1, Hash::sha256, Hash::sha512}) {
    const auto& keys = keys_of(one, hash);
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->salt.size(), 16U);
    EXPECT_EQ(keys->iterations, default_iterations);
    EXPECT_EQ(keys->salt, keys_of(again, hash)->salt);
  }
  EXPECT_EQ(one.sha1->stored_key.reveal().size(), 20U);
  EXPECT_EQ(one.sha512->stored_key.reveal().size(), 64U);
  EXPECT_NE(one.sha1->salt, one.sha256->salt);
}

TEST(Decoy, differs_by_name_and_by_server) {
  const Credentials one = decoy(Secret("server secret"), "nobody@example.org");
  EXPECT_NE(one.sha256->salt, decoy(Secret("server secret"), "nobody2@example.org").sha256->salt);
  EXPECT_NE(one.sha256->salt, decoy(Secret("another secret"), "nobody@example.org").sha256->salt);
}

}  // namespace
}  // namespace kith::sasl
