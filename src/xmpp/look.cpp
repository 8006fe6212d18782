#include "xmpp/look.h"

#include <algorithm>
#include <memory>

#include <unicode/normalizer2.h>
#include <unicode/unistr.h>
#include <unicode/uspoof.h>

namespace kith::xmpp {

namespace {

constexpr UChar32 blank_braille = 0x2800;  // a symbol by its category, and nothing to be seen

struct CloseChecker {
  void operator()(USpoofChecker* checker) const { uspoof_close(checker); }
};

const USpoofChecker* checker() {
  static const std::unique_ptr<USpoofChecker, CloseChecker> made = [] {
    UErrorCode status = U_ZERO_ERROR;
    return std::unique_ptr<USpoofChecker, CloseChecker>(uspoof_open(&status));
  }();
  return made.get();
}

}  // namespace

std::string look(std::string_view text) {
  if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return std::string(text);
  UErrorCode status = U_ZERO_ERROR;
  const auto given =
      icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
  // Marks apart from what they stand on, as the table of confusables has them.
  const icu::Normalizer2* const apart = icu::Normalizer2::getNFDInstance(status);
  const icu::UnicodeString letters = apart == nullptr ? given : apart->normalize(given, status);
  icu::UnicodeString seen;
  for (std::int32_t i = 0; i < letters.length(); i = letters.moveIndex32(i, 1)) {
    const UChar32 letter = letters.char32At(i);
    if (letter < 0x80) {
      seen.append(letter);
    } else if (letter == blank_braille) {
      seen.append(u' ');
    } else {
      icu::UnicodeString one;
      uspoof_getSkeletonUnicodeString(checker(), 0, icu::UnicodeString(letter), one, &status);
      seen.append(one);
    }
  }
  if (U_FAILURE(status)) return std::string(text);
  std::string result;
  seen.toUTF8String(result);
  return result;
}

}  // namespace kith::xmpp
