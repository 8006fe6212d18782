#include "xml/characters.h"

#include <algorithm>
#include <iterator>

namespace kith::xml {
namespace {

struct Range {
  std::uint16_t first;
  std::uint16_t last;
};

#define KITH_RANGE(first, last) {first, last},
constexpr Range parts[] = {
#include "xml/name_characters.inc"
};
#define KITH_NAME_STARTS
constexpr Range starts[] = {
#include "xml/name_characters.inc"
};
#undef KITH_NAME_STARTS
#undef KITH_RANGE

template <std::size_t size>
bool is_in(const Range (&ranges)[size], char32_t point) {
  const auto* const after = std::ranges::upper_bound(ranges, point, {}, [](const Range& range) -> char32_t {  //
    return range.first;
  });
  return after != std::begin(ranges) && point <= std::prev(after)->last;
}

}  // namespace

bool is_name_start(char32_t point) { return is_in(starts, point); }
bool is_name_part(char32_t point) { return is_in(parts, point); }

std::size_t to_utf8(char32_t point, std::array<char, 4>& bytes) {
  const auto tail = [point](unsigned shift) { return static_cast<char>(0x80U | ((point >> shift) & 0x3fU)); };
  if (point < 0x80) {
    bytes = {static_cast<char>(point)};
    return 1;
  }
  if (point < 0x800) {
    bytes = {static_cast<char>(0xc0U | (point >> 6U)), tail(0)};
    return 2;
  }
  if (point < 0x10000) {
    bytes = {static_cast<char>(0xe0U | (point >> 12U)), tail(6), tail(0)};
    return 3;
  }
  bytes = {static_cast<char>(0xf0U | (point >> 18U)), tail(12), tail(6), tail(0)};
  return 4;
}

bool PartialCharacter::begin(unsigned char byte) {
  if (byte < 0xc2 || byte > 0xf4) return false;
  low_ = 0x80;
  high_ = 0xbf;
  if (byte < 0xe0) {
    more_ = 1;
    point_ = byte & 0x1fU;
  } else if (byte < 0xf0) {
    more_ = 2;
    point_ = byte & 0xfU;
    if (byte == 0xe0) low_ = 0xa0;   // shorter forms exist
    if (byte == 0xed) high_ = 0x9f;  // surrogates
  } else {
    more_ = 3;
    point_ = byte & 0x7U;
    if (byte == 0xf0) low_ = 0x90;
    if (byte == 0xf4) high_ = 0x8f;  // above U+10FFFF
  }
  return true;
}

std::size_t whole_character(const char* at, const char* end) {
  const char* const from = at;
  const auto first = static_cast<unsigned char>(*at);
  // OPTIMIZATION: the two-byte characters are most of what the alphabets of Europe and the Near East need.
  if (first >= 0xc2 && first < 0xe0) {
    return end - at >= 2 && (static_cast<unsigned char>(at[1]) & 0xc0U) == 0x80 ? 2 : 0;
  }
  PartialCharacter character;
  do {
    if (at == end || !character.take(*at++)) return 0;
  } while (character.unfinished());
  return static_cast<std::size_t>(at - from);
}

}  // namespace kith::xml
