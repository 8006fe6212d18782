// What bytes and characters may stand where in XML 1.0: tables for ASCII, and UTF-8 checked byte by byte, so that a
// character may be cut anywhere. Values only.
// The characters of names are those of the fourth edition, all of which are in the fifth too: half of the programs that
// will read what is sent on (everything built on expat) know no others, and one such name would end their stream.
// SECURITY: overlong forms, surrogates, what is above U+10FFFF, U+FFFE and U+FFFF are refused at the first byte that
// tells (CVE-2022-25235).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::xml {

/// What an ASCII byte may be, as bits of `byte_classes`. Bytes above 0x7f have none.
enum ByteClass : std::uint8_t {
  plain_text = 1,   ///< stands for itself in text, and ends nothing
  plain_cdata = 2,  ///< the same in a CDATA section
  plain_value = 4,  ///< the same in an attribute's value
  name_start = 8,
  name_part = 16,
  white_space = 32,
};

constexpr std::array<std::uint8_t, 256> classify_bytes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0x20; c < 0x80; ++c) classes.at(c) = plain_text | plain_cdata | plain_value;
  const auto each = [&classes](std::string_view bytes, auto change) {
    for (const char c : bytes) change(classes.at(static_cast<unsigned char>(c)));
  };
  each("\t\n", [](std::uint8_t& what) { what = plain_text | plain_cdata | white_space; });
  each(" \r", [](std::uint8_t& what) { what |= white_space; });
  each("<&", [](std::uint8_t& what) { what = plain_cdata; });
  each("]", [](std::uint8_t& what) { what = plain_value; });
  each("\"'", [](std::uint8_t& what) { what = plain_text | plain_cdata; });
  each("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_",
       [](std::uint8_t& what) { what |= name_start | name_part; });
  each("0123456789-.", [](std::uint8_t& what) { what |= name_part; });
  return classes;
}

inline constexpr std::array<std::uint8_t, 256> byte_classes = classify_bytes();

inline bool is_a(char c, ByteClass what) { return (byte_classes[static_cast<unsigned char>(c)] & what) != 0; }
inline bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

/// May `point`, which is not ASCII, begin a name / stand in one?
bool is_name_start(char32_t point);
bool is_name_part(char32_t point);
/// XML 1.0 §2.2, Char.
constexpr bool is_character(char32_t point) {
  if (point < 0x20) return point == '\t' || point == '\n' || point == '\r';
  return point <= 0xd7ff || (point >= 0xe000 && point <= 0xfffd) || (point >= 0x10000 && point <= 0x10ffff);
}
/// Writes `point` as UTF-8 and returns the number of bytes.
std::size_t to_utf8(char32_t point, std::array<char, 4>& bytes);

/// A character that is not ASCII, taken byte by byte.
class PartialCharacter {
 public:
  /// False if no character of XML goes on (or, when none is begun, begins) with `c`.
  bool take(char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (more_ == 0) return begin(byte);
    if (byte < low_ || byte > high_) return false;
    // EF BF has U+FFFE and U+FFFF at its end, which are no characters.
    high_ = more_ == 2 && point_ == 0xf && byte == 0xbf ? 0xbd : 0xbf;
    low_ = 0x80;
    point_ = point_ << 6U | (byte & 0x3fU);
    --more_;
    return true;
  }
  bool unfinished() const { return more_ != 0; }
  /// The character, when it is not unfinished.
  char32_t point() const { return point_; }

 private:
  bool begin(unsigned char byte);

  char32_t point_ = 0;
  std::uint8_t more_ = 0;  // bytes that are still to come
  std::uint8_t low_ = 0;   // between what the next one has to be
  std::uint8_t high_ = 0;
};

/// The size of the character that is not ASCII and lies whole at `at`; 0 if it is cut or none.
std::size_t whole_character(const char* at, const char* end);

}  // namespace kith::xml
