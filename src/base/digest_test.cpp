#include "base/digest.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace kith {
namespace {

// FIPS 180-4's examples.
TEST(Digest, sha1_of_abc) { EXPECT_EQ(hex_encode(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d"); }
TEST(Digest, sha256_of_abc) {
  EXPECT_EQ(hex_encode(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
TEST(Digest, of_nothing_is_defined) { EXPECT_EQ(hex_encode(sha1("")), "da39a3ee5e6b4b0d3255bfef95601890afd80709"); }

// RFC 2202 §3, test case 2.
TEST(Digest, hmac_sha1_of_a_question) {
  EXPECT_EQ(hex_encode(hmac_sha1("Jefe", "what do ya want for nothing?")), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

}  // namespace
}  // namespace kith
