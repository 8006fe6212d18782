// Expat, and the tree that its calls build. Internal to xml/: stream_parser.cpp and the pool use it.
// One thread at a time. It is given whole tags only (scanner.h); it makes at most one first-level element at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <expat.h>

#include "base/limits.h"
#include "xml/element.h"
#include "xml/parse_error.h"

namespace kith::xml {

/// Random bytes for expat's hash tables, so that no peer can choose names that meet in them.
using HashSalt = std::array<std::uint8_t, 16>;

class TreeParser {
 public:
  explicit TreeParser(const HashSalt& hash_salt);
  TreeParser(const TreeParser&) = delete;
  TreeParser& operator=(const TreeParser&) = delete;

  /// Starts anew, inside a stream whose start tag is `header`, or before any start tag if that is empty.
  bool start(std::string_view header);
  /// `limits`: its name_bytes and element_bytes bound the namespaces; all else the scanner has seen to.
  std::expected<void, ParseError> give(std::string_view bytes, const XmlLimits& limits);

  /// The stream's start tag, once given.
  std::optional<Element> take_header();
  /// What the start tag declared: prefix (or nothing for the default) and namespace.
  const std::vector<std::pair<std::string, std::string>>& declared() const { return declared_; }
  /// The first-level element, once whole.
  std::optional<Element> take_element();
  bool closed() const { return closed_; }

  /// The start tag that the stream in work has; parsers at rest are looked up by it.
  const std::string& header() const { return header_; }
  void set_header(std::string_view header) { header_ = header; }

  /// True if so much went through since start() that it has to start anew. Expat remembers every name it has met until
  /// it is reset: without this, a stream of ever new names would fill the memory.
  bool worn() const { return given_ > wear_bytes; }
  /// True if its buffers may have grown so much that it is not worth keeping.
  bool bloated() const { return largest_ > bloat_bytes; }

 private:
  static constexpr std::size_t wear_bytes = std::size_t{128} * 1024;
  static constexpr std::size_t bloat_bytes = std::size_t{32} * 1024;

  struct Free {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
  };
  static void on_start(void* self, const XML_Char* name, const XML_Char** attributes) noexcept;
  static void on_end(void* self, const XML_Char* name) noexcept;
  static void on_text(void* self, const XML_Char* text, int size) noexcept;
  static void on_namespace(void* self, const XML_Char* prefix, const XML_Char* ns) noexcept;
  void install_handlers();
  std::expected<void, ParseError> parse(std::string_view bytes);
  Element make_element(const XML_Char* name, const XML_Char** attributes);
  void stop(ParseError why);
  ParseError error() const;

  std::unique_ptr<std::remove_pointer_t<XML_Parser>, Free> parser_;
  HashSalt hash_salt_;
  std::string header_;
  std::optional<Element> root_;                                // the stream's start tag
  std::vector<std::pair<std::string, std::string>> declared_;  // by the stream's start tag
  std::optional<Element> element_;                             // the first-level element in work
  std::vector<Element*> open_;                                 // element_ and what is open inside it
  std::size_t level_ = 0;
  std::size_t given_ = 0;
  std::size_t element_given_ = 0;
  std::size_t largest_ = 0;
  std::size_t longest_ns_ = 0;
  std::size_t ns_bytes_ = 0;  // of namespaces that the writer will have to declare again inside element_
  std::size_t ns_bytes_limit_ = 0;
  bool whole_ = false;   // element_ is complete
  bool closed_ = false;  // the stream's end tag has been seen
  bool silent_ = false;  // the header in work is one that was reported before
  std::optional<ParseError> stopped_;
};

}  // namespace kith::xml
