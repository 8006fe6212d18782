#include "base/encoding.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace kith {
namespace {

constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base64url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::uint8_t no_value = 0xff;

std::uint32_t octet(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }

constexpr std::array<std::uint8_t, 256> values_of(std::string_view alphabet) {
  std::array<std::uint8_t, 256> values{};
  values.fill(no_value);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values.at(static_cast<unsigned char>(alphabet[i])) = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr auto base64_values = values_of(base64_alphabet);

std::string encode64(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t bits = octet(bytes, i) << 16U | octet(bytes, i + 1) << 8U | octet(bytes, i + 2);
    out += alphabet[bits >> 18U];
    out += alphabet[bits >> 12U & 63U];
    out += alphabet[bits >> 6U & 63U];
    out += alphabet[bits & 63U];
  }
  const std::size_t left = bytes.size() - i;
  if (left == 0) return out;
  const std::uint32_t bits = octet(bytes, i) << 16U | (left == 2 ? octet(bytes, i + 1) << 8U : 0U);
  out += alphabet[bits >> 18U];
  out += alphabet[bits >> 12U & 63U];
  if (left == 2) out += alphabet[bits >> 6U & 63U];
  if (padded) out.append(3 - left, '=');
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The length of the one well-formed UTF-8 sequence at the start of `text` (Unicode table 3-7), or 0.
std::size_t sequence_length(std::string_view text) {
  const std::uint32_t first = octet(text, 0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  std::uint32_t second_low = 0x80;
  std::uint32_t second_high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) second_low = 0xa0;   // below: overlong
    if (first == 0xed) second_high = 0x9f;  // above: surrogates
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) second_low = 0x90;   // below: overlong
    if (first == 0xf4) second_high = 0x8f;  // above: beyond U+10FFFF
  } else {
    return 0;
  }
  if (text.size() < length) return 0;
  if (octet(text, 1) < second_low || octet(text, 1) > second_high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((octet(text, i) & 0xc0U) != 0x80U) return 0;
  }
  return length;
}

}  // namespace

std::string base64_encode(std::string_view bytes) { return encode64(bytes, base64_alphabet, true); }

std::string base64url_encode(std::string_view bytes) { return encode64(bytes, base64url_alphabet, false); }

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  unsigned have = 0;
  for (const char c : text) {
    const std::uint8_t value = base64_values[static_cast<unsigned char>(c)];
    if (value == no_value) return std::nullopt;
    bits = bits << 6U | value;
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(bits >> have & 0xffU);
    }
  }
  // The spare bits of a shortened group must be zero, or two texts would stand for the same bytes.
  if ((bits & ((1U << have) - 1U)) != 0) return std::nullopt;
  return out;
}

std::string hex_encode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out += hex_digits[octet(bytes, i) >> 4U];
    out += hex_digits[octet(bytes, i) & 15U];
  }
  return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    // OPTIMIZATION: nearly all text is ASCII; eight bytes at a time.
    while (text.size() >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data(), 8);
      if ((word & 0x8080808080808080U) != 0) break;
      text.remove_prefix(8);
    }
    if (text.empty()) break;
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace kith
