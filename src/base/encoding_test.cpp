#include "base/encoding.h"

#include <cstdint>

#include <gtest/gtest.h>

#include "base/random.h"

namespace kith {
namespace {

using namespace std::string_view_literals;

TEST(Encoding, base64_follows_the_vectors_of_rfc_4648) {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff\xfe", "+//+"},
  };
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
}

TEST(Encoding, base64url_has_its_own_alphabet_and_no_padding) {
  EXPECT_EQ(base64url_encode("\xfb\xff\xfe"), "-__-");
  EXPECT_EQ(base64url_encode("f"), "Zg");
  EXPECT_EQ(base64url_encode("fo"), "Zm8");
}

TEST(Encoding, base64_decoder_refuses_everything_but_the_canonical_text) {
  for (const std::string_view text :
       {"Z"sv, "Zg"sv, "Zg="sv, "Zg==="sv, "Zg== "sv, " Zg=="sv, "Zm9v\n"sv, "Zh=="sv, "Zm9="sv, "=Zg="sv, "Z=g="sv,
        "===="sv, "Zg==Zg=="sv, "-__-"sv, "Zm9\0"sv, "\xff\xff\xff\xff"sv, "="sv, "=="sv}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
  }
}

TEST(Encoding, base64_and_hex_give_back_random_bytes_of_every_length) {
  SeededRandom random(1);
  for (std::size_t length = 0; length < 100; ++length) {
    std::string bytes(length, '\0');
    random.fill(std::as_writable_bytes(std::span(bytes)));
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    EXPECT_EQ(hex_decode(hex_encode(bytes)), bytes);
  }
}

TEST(Encoding, hex_is_written_in_lower_case_and_read_in_both) {
  EXPECT_EQ(hex_encode("\x00\x0f\xa0\xff"sv), "000fa0ff");
  EXPECT_EQ(hex_decode("000FA0ff"), "\x00\x0f\xa0\xff"sv);
}

TEST(Encoding, hex_decoder_refuses_odd_lengths_and_strays) {
  for (const std::string_view text :
       {"0"sv, "000"sv, "0g"sv, " 00"sv, "0x"sv, "00 "sv, "0:"sv, "0/"sv, "0@"sv, "0`"sv}) {
    EXPECT_EQ(hex_decode(text), std::nullopt) << text;
  }
}

TEST(Encoding, utf8_accepts_the_first_and_last_of_each_length) {
  for (const std::string_view text :
       {""sv, "\0"sv, "\x7f"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv, "\xee\x80\x80"sv,
        "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_TRUE(is_utf8(text)) << hex_encode(text);
  }
}

TEST(Encoding, utf8_refuses_overlong_surrogate_too_high_and_cut_off_sequences) {
  for (const std::string_view text :
       {"\x80"sv, "\xbf"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc2"sv, "\xc2\x7f"sv, "\xc2\xc0"sv, "\xe0\x9f\xbf"sv,
        "\xe0\xa0"sv, "\xe2\x82"sv, "\xed\xa0\x80"sv, "\xed\xbf\xbf"sv, "\xf0\x8f\xbf\xbf"sv, "\xf0\x90\x80"sv,
        "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xf8\x88\x80\x80\x80"sv, "\xfe"sv, "\xff"sv}) {
    EXPECT_FALSE(is_utf8(text)) << hex_encode(text);
  }
}

TEST(Encoding, utf8_finds_a_bad_byte_at_every_place_of_a_long_text) {
  const std::string good =
      "0123456789abcdef\xc3\xa4"
      "0123456789abcdef";
  EXPECT_TRUE(is_utf8(good));
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = '\xff';
    EXPECT_FALSE(is_utf8(bad)) << at;
  }
}

TEST(Encoding, a_number_is_all_of_its_text_and_fits) {
  EXPECT_EQ(parse_number<std::uint16_t>("65535"), 65535);
  EXPECT_EQ(parse_number<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_number<int>("-7"), -7);
  for (const std::string_view text : {"", " 1", "1 ", "+1", "0x1", "1.0", "-1", "65536", "1\n"}) {
    EXPECT_FALSE(parse_number<std::uint16_t>(text)) << text;
  }
}

}  // namespace
}  // namespace kith
