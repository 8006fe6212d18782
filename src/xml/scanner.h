// Finds where the tokens and the first-level elements of a stream end, and counts them against XmlLimits, before expat
// sees a byte. It understands just enough XML for that; what is between the boundaries is expat's to judge.
// No I/O, no allocation; one thread at a time. It never looks at a byte twice, however small the pieces.
// SECURITY: it refuses what RFC 6120 §11.1 forbids (DTDs, comments, processing instructions) at the first byte that
// tells, and every limit before the bytes are stored. Expat gets whole tags only: releases before 2.6 scan an
// unfinished tag again with every piece. Where the two disagree about an element's end, the stream is not well-formed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/limits.h"
#include "xml/parse_error.h"

namespace kith::xml {

class Scanner {
 public:
  static constexpr std::size_t none = std::string_view::npos;

  enum class Found : std::uint8_t {
    need_more,
    declaration,  ///< `<?xml …?>`
    header,       ///< the stream's start tag
    element,      ///< a whole first-level element
    close,        ///< the stream's end tag
    error,
  };
  struct Result {
    Found found = Found::need_more;
    ParseError error = ParseError::not_well_formed;  ///< if `found` is error
    bool closed_too = false;                         ///< the header was `<stream:stream/>`
    std::size_t begin = 0;                           ///< bytes before it are white space between elements
    std::size_t first_end = none;                    ///< where a token ends that an earlier call left unfinished
    std::size_t safe = 0;                            ///< up to here all tokens are whole
    std::size_t used = 0;                            ///< how far the scanner has come
  };

  /// Goes on with `bytes` until something is found.
  Result scan(std::string_view bytes, const XmlLimits& limits);

  /// As if a stream header had been seen.
  void enter_stream() { level_ = 1; }
  /// Forgets an unfinished token at the first level or before, which will be given again. False if an element is open.
  bool rewind();
  /// True between two elements, before the header, and after the close.
  bool outside() const { return state_ == State::outside || state_ == State::closed; }
  bool between_elements() const { return level_ <= 1; }

 private:
  enum class State : std::uint8_t {
    outside,
    less_than,
    start_tag,
    value,
    end_tag,
    bang,
    declaration,
    text,
    reference,
    cdata,
    closed,
  };
  struct Pass;

  bool safe_state() const { return outside() || state_ == State::text || state_ == State::cdata; }
  void in_outside(Pass& pass);
  void in_less_than(Pass& pass);
  void in_start_tag(Pass& pass);
  void in_value(Pass& pass);
  void in_end_tag(Pass& pass);
  void in_bang(Pass& pass);
  void in_declaration(Pass& pass);
  void in_text(Pass& pass);
  void in_reference(Pass& pass);
  void in_cdata(Pass& pass);
  void end_start_tag(Pass& pass);
  void end_end_tag(Pass& pass);

  State state_ = State::outside;
  char quote_ = 0;
  bool slash_ = false;  // the byte before was '/': what follows may be "/>"
  bool begun_ = false;  // any byte has been seen
  bool declared_ = false;
  std::uint8_t matched_ = 0;    // how much of "[CDATA[", "]]>" or "?>"
  std::uint32_t level_ = 0;     // open elements, the stream itself included
  std::size_t run_ = 0;         // bytes of the current name, value or reference
  std::size_t attributes_ = 0;  // of the current tag
  std::size_t children_ = 0;    // elements inside the current first-level element
  std::size_t counted_ = 0;     // bytes of the current first-level element in earlier calls
};

/// What is wrong with `declaration`, `<?…?>` at the start of a stream: nothing if it is an XML declaration and names no
/// encoding but UTF-8. Source: XML 1.0 §2.8, RFC 6120 §4.9.3.22, §11.6.
std::optional<ParseError> check_declaration(std::string_view declaration);

}  // namespace kith::xml
