#include "xmpp/precis.h"

#include <memory>

#include <unicode/idna.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>

namespace kith::xmpp::precis {
namespace {

/// What stringprep maps to nothing (RFC 3454 B.1), and the variation selectors that Unicode added since. They change
/// how neighbours are drawn at most. SECURITY: an address must not differ from another by something that nobody can
/// see.
bool is_dropped(UChar32 c) {
  switch (c) {
    case 0x00AD:  // soft hyphen
    case 0x034F:  // combining grapheme joiner
    case 0x1806:  // Mongolian todo soft hyphen
    case 0x200B:  // zero width space
    case 0x200C:  // zero width non-joiner
    case 0x200D:  // zero width joiner
    case 0x2060:  // word joiner
    case 0xFEFF:  // zero width no-break space
      return true;
    default:
      return u_hasBinaryProperty(c, UCHAR_VARIATION_SELECTOR) != 0;
  }
}

/// What stringprep's and PRECIS' profiles agree to refuse in any part: controls, format characters, private use,
/// surrogates, unassigned, line separators, what is invisible by default, and "inappropriate" marks (RFC 3454 C.6,
/// C.7). U+FFFD is among them, which is also what ICU makes of ill-formed UTF-8.
bool is_refused(UChar32 c) {
  constexpr std::uint32_t categories =
      U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK | U_GC_CS_MASK | U_GC_CN_MASK | U_GC_ZL_MASK | U_GC_ZP_MASK;
  if ((U_GET_GC_MASK(c) & categories) != 0) return true;
  if (c == 0xFFFC || c == 0xFFFD || (c >= 0x2FF0 && c <= 0x2FFF)) return true;
  return u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0;
}

bool is_space(UChar32 c) { return u_charType(c) == U_SPACE_SEPARATOR; }

template <class Visit>
void for_each_code_point(const icu::UnicodeString& text, Visit visit) {
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) visit(text.char32At(i));
}

template <class Holds>
bool all_code_points(const icu::UnicodeString& text, Holds holds) {
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    if (!holds(text.char32At(i))) return false;
  }
  return true;
}

icu::UnicodeString decode(std::string_view text) {
  return icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

std::string encode(const icu::UnicodeString& text) {
  std::string bytes;
  text.toUTF8String(bytes);
  return bytes;
}

/// What directions occur in a string, as far as the two bidi rules ask.
struct Directions {
  bool left = false;             // L
  bool right = false;            // R or AL
  bool arabic_number = false;    // AN
  bool european_number = false;  // EN
  bool other = false;            // anything that RFC 5893 allows in no label (separators, embeddings)
  UCharDirection first = U_OTHER_NEUTRAL;
  UCharDirection last = U_OTHER_NEUTRAL;
  UCharDirection last_spacing = U_OTHER_NEUTRAL;  // the last that is no non-spacing mark
};

Directions directions_of(const icu::UnicodeString& text) {
  Directions found;
  bool begun = false;
  for_each_code_point(text, [&](UChar32 c) {
    const UCharDirection direction = u_charDirection(c);
    if (!begun) found.first = direction;
    begun = true;
    found.last = direction;
    if (direction != U_DIR_NON_SPACING_MARK) found.last_spacing = direction;
    switch (direction) {
      case U_LEFT_TO_RIGHT:
        found.left = true;
        break;
      case U_RIGHT_TO_LEFT:
      case U_RIGHT_TO_LEFT_ARABIC:
        found.right = true;
        break;
      case U_ARABIC_NUMBER:
        found.arabic_number = true;
        break;
      case U_EUROPEAN_NUMBER:
        found.european_number = true;
        break;
      case U_EUROPEAN_NUMBER_SEPARATOR:
      case U_EUROPEAN_NUMBER_TERMINATOR:
      case U_COMMON_NUMBER_SEPARATOR:
      case U_OTHER_NEUTRAL:
      case U_BOUNDARY_NEUTRAL:
      case U_DIR_NON_SPACING_MARK:
        break;
      default:
        found.other = true;
    }
  });
  return found;
}

bool is_right(UCharDirection direction) { return direction == U_RIGHT_TO_LEFT || direction == U_RIGHT_TO_LEFT_ARABIC; }

/// RFC 5893 §2, which PRECIS asks for (RFC 8264 §5.2.5) if there is a right-to-left character at all.
bool keeps_precis_bidi_rule(const Directions& found) {
  if (!found.right && !found.arabic_number) return true;
  if (found.other) return false;
  const UCharDirection last = found.last_spacing;
  if (is_right(found.first)) {
    const bool ends_well = is_right(last) || last == U_EUROPEAN_NUMBER || last == U_ARABIC_NUMBER;
    return !found.left && ends_well && !(found.european_number && found.arabic_number);
  }
  // What begins with L holds no right-to-left character by the rule, and we know that there is one.
  return false;
}

/// RFC 3454 §6, which nodeprep asks for.
bool keeps_stringprep_bidi_rule(const Directions& found) {
  return !found.right || (!found.left && is_right(found.first) && is_right(found.last));
}

/// IdentifierClass without the context rules (RFC 8264 §4.2.1–4.2.4).
enum class Permission { valid, in_context, disallowed };

Permission identifier_permission(UChar32 c, const icu::Normalizer2& nfkc) {
  if (c >= 0x21 && c <= 0x7E) return Permission::valid;
  switch (c) {
    // RFC 5892 §2.6: the exceptions.
    case 0x00DF:
    case 0x03C2:
    case 0x06FD:
    case 0x06FE:
    case 0x0F0B:
    case 0x3007:
      return Permission::valid;
    case 0x00B7:
    case 0x0375:
    case 0x05F3:
    case 0x05F4:
    case 0x30FB:
      return Permission::in_context;
    case 0x0640:
    case 0x07FA:
    case 0x302E:
    case 0x302F:
    case 0x303B:
      return Permission::disallowed;
    default:
      break;
  }
  if (c >= 0x3031 && c <= 0x3035) return Permission::disallowed;
  if ((c >= 0x0660 && c <= 0x0669) || (c >= 0x06F0 && c <= 0x06F9)) return Permission::in_context;
  if (is_dropped(c) || is_refused(c)) return Permission::disallowed;
  const auto hangul = u_getIntPropertyValue(c, UCHAR_HANGUL_SYLLABLE_TYPE);
  if (hangul == U_HST_LEADING_JAMO || hangul == U_HST_VOWEL_JAMO || hangul == U_HST_TRAILING_JAMO) {
    return Permission::disallowed;
  }
  icu::UnicodeString decomposition;
  if (nfkc.getRawDecomposition(c, decomposition) != 0) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::UnicodeString normal = nfkc.normalize(icu::UnicodeString(c), status);
    if (U_FAILURE(status) || normal != icu::UnicodeString(c)) return Permission::disallowed;  // HasCompat
  }
  constexpr std::uint32_t letters_and_digits =
      U_GC_LL_MASK | U_GC_LU_MASK | U_GC_LO_MASK | U_GC_LM_MASK | U_GC_ND_MASK | U_GC_MN_MASK | U_GC_MC_MASK;
  return (U_GET_GC_MASK(c) & letters_and_digits) != 0 ? Permission::valid : Permission::disallowed;
}

UScriptCode script_of(UChar32 c) {
  UErrorCode status = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(c, &status);
  return U_FAILURE(status) ? USCRIPT_UNKNOWN : script;
}

/// RFC 5892 A.3–A.9. `at` is where `c` stands in `text`.
bool context_allows(const icu::UnicodeString& text, std::int32_t at, UChar32 c) {
  const UChar32 before = at > 0 ? text.char32At(at - 1) : 0;
  const std::int32_t next = text.moveIndex32(at, 1);
  const UChar32 after = next < text.length() ? text.char32At(next) : 0;
  switch (c) {
    case 0x00B7:
      return before == 'l' && after == 'l';
    case 0x0375:
      return after != 0 && script_of(after) == USCRIPT_GREEK;
    case 0x05F3:
    case 0x05F4:
      return before != 0 && script_of(before) == USCRIPT_HEBREW;
    case 0x30FB:
      return !all_code_points(text, [](UChar32 other) {
        const UScriptCode script = script_of(other);
        return script != USCRIPT_HIRAGANA && script != USCRIPT_KATAKANA && script != USCRIPT_HAN;
      });
    default: {
      // The two sets of Arabic digits are not mixed.
      const UChar32 from = c <= 0x0669 ? 0x06F0 : 0x0660;
      return all_code_points(text, [from](UChar32 other) { return other < from || other > from + 9; });
    }
  }
}

}  // namespace

std::optional<std::string> localpart(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* folding = icu::Normalizer2::getNFKCCasefoldInstance(status);
  if (U_FAILURE(status)) return std::nullopt;

  // NFKC_Casefold would drop all that is invisible by default; what stringprep refuses is refused first.
  icu::UnicodeString kept;
  bool refused = false;
  for_each_code_point(decode(text), [&](UChar32 c) {
    if (is_dropped(c)) return;
    refused = refused || is_refused(c);
    kept.append(c);
  });
  if (refused) return std::nullopt;

  const icu::UnicodeString folded = folding->normalize(kept, status);
  if (U_FAILURE(status)) return std::nullopt;
  if (!all_code_points(folded, [](UChar32 c) { return !is_dropped(c) && !is_refused(c) && !is_space(c); })) {
    return std::nullopt;
  }
  const Directions found = directions_of(folded);
  if (!keeps_precis_bidi_rule(found) && !keeps_stringprep_bidi_rule(found)) return std::nullopt;
  return encode(folded);
}

namespace {

/// UTS-46 with the options that domainparts take; null if ICU has no data.
const icu::IDNA* idna() {
  struct Processor {
    std::unique_ptr<icu::IDNA> idna;
    Processor() {
      UErrorCode status = U_ZERO_ERROR;
      constexpr std::uint32_t options =
          UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ;
      idna.reset(icu::IDNA::createUTS46Instance(options, status));
      if (U_FAILURE(status)) idna.reset();
    }
  };
  static const Processor processor;  // immutable tables
  return processor.idna.get();
}

}  // namespace

std::string domain_to_ascii(std::string_view domainpart) {
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeString ascii;
  icu::IDNAInfo info;
  if (idna() == nullptr) return std::string(domainpart);
  idna()->nameToASCII(decode(domainpart), ascii, info, status);
  return U_FAILURE(status) ? std::string(domainpart) : encode(ascii);
}

std::optional<std::string> domainpart(std::string_view text) {
  if (idna() == nullptr) return std::nullopt;

  // Names with hyphens in the third and fourth place are in use (`r3---sn.example.org`), and the total length is
  // counted by the caller, in bytes of UTF-8.
  constexpr std::uint32_t tolerated = UIDNA_ERROR_HYPHEN_3_4 | UIDNA_ERROR_DOMAIN_NAME_TOO_LONG;
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeString unicode;
  icu::IDNAInfo info;
  idna()->nameToUnicode(decode(text), unicode, info, status);
  if (U_FAILURE(status) || (info.getErrors() & ~tolerated) != 0) return std::nullopt;
  if (unicode.endsWith(u".", 1)) unicode.truncate(unicode.length() - 1);

  // Labels must fit into the DNS (63 bytes) in their other form, too.
  icu::UnicodeString ascii;
  icu::IDNAInfo ascii_info;
  idna()->nameToASCII(unicode, ascii, ascii_info, status);
  if (U_FAILURE(status) || (ascii_info.getErrors() & ~tolerated) != 0) return std::nullopt;
  return encode(unicode);
}

std::optional<std::string> resourcepart(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
  if (U_FAILURE(status)) return std::nullopt;

  icu::UnicodeString kept;
  bool refused = false;
  for_each_code_point(decode(text), [&](UChar32 c) {
    if (is_dropped(c)) return;
    refused = refused || is_refused(c);
    kept.append(is_space(c) ? UChar32{' '} : c);
  });
  if (refused) return std::nullopt;
  const icu::UnicodeString normal = nfc->normalize(kept, status);
  if (U_FAILURE(status)) return std::nullopt;
  return encode(normal);
}

bool is_identifier(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(status);
  if (U_FAILURE(status)) return false;
  const icu::UnicodeString decoded = decode(text);
  for (std::int32_t i = 0; i < decoded.length(); i = decoded.moveIndex32(i, 1)) {
    const UChar32 c = decoded.char32At(i);
    const Permission permission = identifier_permission(c, *nfkc);
    if (permission == Permission::disallowed) return false;
    if (permission == Permission::in_context && !context_allows(decoded, i, c)) return false;
  }
  return !decoded.isEmpty() && keeps_precis_bidi_rule(directions_of(decoded));
}

}  // namespace kith::xmpp::precis
