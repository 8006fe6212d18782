// Preparing a password: SASLprep (RFC 4013) over today's Unicode instead of version 3.2, without its rule for
// directions.
//
// In SCRAM it is the client that hashes, so what counts is how clients prepare. RFC 5802 §2.2 names SASLprep, and the
// libraries that follow it (and prosody and ejabberd, from where accounts are imported) normalise with NFKC and drop
// soft hyphens and the like; others hash the text as it was typed. OpaqueString (RFC 8265 §4.2), the younger profile,
// normalises with NFC and drops nothing. All of them agree on ASCII and on composed letters, which is nearly every
// password. Where they differ (ligatures, full-width forms, superscripts), Kith goes with SASLprep because RFC 5802
// does. Taken from OpaqueString: code points newer than Unicode 3.2 (emoji) are welcome, and no rule on mixed
// directions.
#include <algorithm>
#include <array>
#include <cstdint>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include "base/encoding.h"
#include "sasl/credentials.h"

namespace kith::sasl {
namespace {

struct Range {
  UChar32 first;
  UChar32 last;
};

template <std::size_t n>
bool in(const std::array<Range, n>& ranges, UChar32 c) {
  return std::ranges::any_of(ranges, [c](const Range& range) { return range.first <= c && c <= range.last; });
}

// RFC 3454 table B.1, what people do not see and did not mean to type.
constexpr std::array<Range, 8> mapped_to_nothing{{{0x00AD, 0x00AD},
                                                  {0x034F, 0x034F},
                                                  {0x1806, 0x1806},
                                                  {0x180B, 0x180D},
                                                  {0x200B, 0x200D},
                                                  {0x2060, 0x2060},
                                                  {0xFE00, 0xFE0F},
                                                  {0xFEFF, 0xFEFF}}};

// RFC 3454 tables C.2.2 and C.6 to C.9 as far as the general category does not say it.
constexpr std::array<Range, 11> forbidden{{{0x0340, 0x0341},
                                           {0x06DD, 0x06DD},
                                           {0x070F, 0x070F},
                                           {0x180E, 0x180E},
                                           {0x200E, 0x200F},
                                           {0x2028, 0x202E},
                                           {0x2061, 0x2063},
                                           {0x206A, 0x206F},
                                           {0x2FF0, 0x2FFB},
                                           {0xFFF9, 0xFFFD},
                                           {0xE0001, 0xE007F}}};

bool may_stand_in_password(UChar32 c) {
  switch (u_charType(c)) {
    case U_CONTROL_CHAR:
    case U_SURROGATE:
    case U_PRIVATE_USE_CHAR:
      return false;
    default:
      break;
  }
  return !U_IS_UNICODE_NONCHAR(c) && !in(forbidden, c);
}

bool printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

/// The code point that begins at `at`, which moves behind it. `text` is well-formed. (ICU's macros for this convert
/// signs in ways that GCC warns of wherever they are used.)
UChar32 next_code_point(std::string_view text, std::size_t& at) {
  const auto next = [&] { return std::uint32_t{static_cast<unsigned char>(text.at(at++))}; };
  const std::uint32_t first = next();
  if (first < 0x80) return static_cast<UChar32>(first);
  const int more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
  std::uint32_t c = first & (0x3FU >> more);
  for (int i = 0; i < more; ++i) c = (c << 6U) | (next() & 0x3FU);
  return static_cast<UChar32>(c);
}

/// RFC 4013 §2.1: spaces become U+0020, what cannot be seen goes.
std::string map(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const UChar32 c = next_code_point(text, at);
    if (in(mapped_to_nothing, c)) continue;
    out.append(u_charType(c) == U_SPACE_SEPARATOR ? " " : text.substr(begin, at - begin));
  }
  return out;
}

/// RFC 4013 §2.3.
bool all_may_stand(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (!may_stand_in_password(next_code_point(text, at))) return false;
  }
  return true;
}

}  // namespace

std::optional<Secret> prepare_password(std::string_view password) {
  // No one types more; and the 32-bit sizes of the libraries cannot overflow.
  constexpr std::size_t most_bytes = 1023;
  if (password.empty() || password.size() > most_bytes) return std::nullopt;
  if (printable_ascii(password)) return Secret(std::string(password));
  if (!is_utf8(password)) return std::nullopt;

  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(status);
  if (U_FAILURE(status) != 0) return std::nullopt;
  std::string mapped = map(password);
  std::string prepared;
  prepared.reserve(mapped.size() * 3);  // so that growing leaves no copies of a part behind
  icu::StringByteSink<std::string> sink(&prepared);
  nfkc->normalizeUTF8(0, icu::StringPiece(mapped.data(), static_cast<std::int32_t>(mapped.size())), sink, nullptr,
                      status);
  wipe(mapped);
  Secret secret(std::move(prepared));
  if (U_FAILURE(status) != 0 || secret.empty() || !all_may_stand(secret.reveal())) return std::nullopt;
  return secret;
}

}  // namespace kith::sasl
