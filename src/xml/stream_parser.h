// The push parser of an XML stream (RFC 6120 §4): bytes in, the header and then whole first-level elements out.
// One front end for every entrance (c2s, s2s, WebSocket, component). No I/O; used on one thread at a time, and may be
// moved to another between two calls.
// SECURITY: DTDs, entities other than the five of XML, processing instructions and comments are `restricted_xml`; any
// encoding but UTF-8 is `unsupported_encoding`; every limit of XmlLimits is counted here. After an error the parser is
// dead.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/limits.h"
#include "xml/element.h"
#include "xml/parse_error.h"

namespace kith::xml {

/// `<stream:stream …>` (or, on a WebSocket, `<open/>` parsed as an ordinary element).
struct StreamOpen {
  Element header;          ///< without children
  std::string default_ns;  ///< what xmlns='…' of the header declared, or empty
};
struct StreamClose {};
/// All bytes given so far are used up; what comes next is not complete.
struct NeedMore {};
using StreamEvent = std::variant<NeedMore, StreamOpen, Element, StreamClose>;

class StreamParser {
 public:
  explicit StreamParser(const XmlLimits& limits);
  ~StreamParser();
  StreamParser(StreamParser&&) noexcept;
  StreamParser& operator=(StreamParser&&) noexcept;

  /// Gives bytes. They are looked at by the calls of next() that follow, until it says NeedMore; they must stay
  /// where they are until then.
  void feed(std::string_view bytes);
  /// The next event of what was fed. Whitespace between first-level elements (a keep-alive) is no event.
  std::expected<StreamEvent, ParseError> next();

  /// Takes what was fed and not yet used out of the parser, for example to hand it to another shard with the
  /// connection, or to throw it away after STARTTLS. Only between events. What was used of an element that is not
  /// complete stays (see inside_element()).
  std::string take_rest();
  /// Forgets everything: what comes next is a new stream header (RFC 6120 §4.3.3). What was fed and not used is kept.
  void restart();
  /// Changes the limits (at login).
  void set_limits(const XmlLimits& limits);
  /// Frees all that only an element in work needs, if the stream is between two elements; the next element takes it
  /// again. True unless elements are open. What stays is a few dozen bytes and what the header declared.
  bool park();
  /// True if a first-level element has begun and is not complete.
  bool inside_element() const;

 private:
  friend std::expected<Element, ParseError> parse_element(std::string_view, std::string_view, const XmlLimits&);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One whole element from text (an XML declaration and white space around it are allowed), under `limits`; for tests
/// and scripts. `default_ns` is the namespace of unprefixed names whose xmlns is not declared in the text.
std::expected<Element, ParseError> parse_element(std::string_view text, std::string_view default_ns = {},
                                                 const XmlLimits& limits = Limits{}.xml_after_login);

/// What this server has written down itself. It is larger than what was taken in, since everything is escaped, and the
/// limits of streams may have been lowered since: the limits here only keep a damaged row from doing harm.
std::expected<Element, ParseError> parse_stored_element(std::string_view text, std::string_view default_ns,
                                                        std::size_t most_bytes = 16 * 1024 * 1024);

}  // namespace kith::xml
