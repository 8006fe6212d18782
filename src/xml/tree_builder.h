// Namespaces, and the tree: takes the tokens that reader.h found, as written, and makes elements of them. Internal to
// xml/. One thread at a time; one first-level element (or the stream's start tag) at a time.
// SECURITY: it refuses what Namespaces in XML 1.0 forbids: undeclared prefixes, the reserved ones declared otherwise,
// an attribute twice by its expanded name. Limits: XmlLimits, and declarations_in_scope.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "xml/element.h"
#include "xml/parse_error.h"

namespace kith::xml {

/// A namespace that is declared for a prefix.
struct Binding {
  Symbol prefix;
  Symbol ns;
};

/// A name as written. `colon` is where its colon stands, or 0: no name begins with one.
struct RawName {
  std::string_view text;
  std::size_t colon = 0;

  std::string_view prefix() const { return text.substr(0, colon); }
  std::string_view local() const { return colon == 0 ? text : text.substr(colon + 1); }
};

/// What the stream's start tag said that holds for all that is in it.
struct StreamScope {
  std::string name;  ///< as written; the end tag must be the same
  Symbol default_ns;
  std::vector<Binding> bindings;
};

class TreeBuilder {
 public:
  /// More declarations that hold at one place are a limit hit: every prefixed name is looked up among them.
  static constexpr std::size_t declarations_in_scope = 128;

  // A start tag: its name, then for each attribute name and value, then its end.
  void tag_name(const RawName& name);
  void attribute_name(const RawName& name);
  std::optional<ParseError> attribute_value(std::string_view value, const XmlLimits& limits);
  std::optional<ParseError> end_start_tag(const StreamScope& around, const XmlLimits& limits);

  /// More text of the innermost open element.
  void text(std::string_view text);
  /// The name of the innermost open element as written.
  std::string_view open_name() const { return std::string_view(names_).substr(open_.back().name_from); }
  /// The innermost open element is complete.
  void end_element();

  /// The first-level element, once it is complete.
  Element take_element();
  /// The stream's start tag, and in `scope` what it declares.
  Element take_header(StreamScope& scope);

 private:
  struct Open {
    Element* element;
    std::size_t name_from;      // where its name begins in names_
    std::size_t bindings_from;  // its own declarations in bindings_, and those of what is in it
    Symbol default_ns;          // what holds inside it
  };
  enum class Declares : std::uint8_t { nothing, default_ns, prefix };

  std::optional<ParseError> declare(std::string_view ns, const XmlLimits& limits);
  const Symbol* find_prefix(std::string_view prefix, const StreamScope& around) const;
  Element& append(Element made);
  std::optional<ParseError> move_attributes(Element& element, const StreamScope& around);

  std::optional<Element> element_;  // the first-level element in work, or the stream's start tag
  std::vector<Open> open_;          // element_ and what is open inside it
  std::string names_;               // of what is open, as written, one behind the other
  std::vector<Binding> bindings_;   // declared by what is open
  std::size_t ns_bytes_ = 0;        // of namespaces that the writer will have to declare again inside element_
  std::size_t tree_bytes_ = 0;      // what element_ takes beside its texts and values

  // The start tag in work.
  std::size_t tag_name_from_ = 0;
  std::size_t tag_colon_ = 0;
  std::size_t tag_bindings_from_ = 0;
  Symbol tag_local_;
  std::optional<Symbol> tag_default_ns_;
  std::vector<Attribute> attributes_;  // until their prefixes are known, these stand where the namespaces will
  Declares declares_ = Declares::nothing;
  Symbol declared_prefix_;
};

}  // namespace kith::xml
