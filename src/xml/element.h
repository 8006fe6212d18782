// An XML element as a value: name, namespace, attributes, and children in document order (elements and text mixed).
// Built by the parser or by a feature; once it is shared (`std::shared_ptr<const Element>`) nobody changes it again.
// Prefixes are not kept: the writer declares namespaces anew. Comments and processing instructions cannot occur.
// SECURITY: destruction, copy and every walk are bounded by the parser's depth limit (base/limits.h).
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "xml/symbol.h"

namespace kith::xml {

/// The namespace of the `xml:` prefix (xml:lang).
inline constexpr std::string_view ns_xml = "http://www.w3.org/XML/1998/namespace";

struct Attribute {
  Symbol name;
  Symbol ns;  ///< empty for an attribute without prefix
  std::string value;
  friend bool operator==(const Attribute&, const Attribute&) = default;
};

class Element {
 public:
  using Child = std::variant<std::string, Element>;

  /// `ns` is the namespace itself, never a prefix.
  Element(Symbol name, Symbol ns) : name_(std::move(name)), ns_(std::move(ns)) {}

  std::string_view name() const { return name_; }
  std::string_view ns() const { return ns_; }
  bool is(std::string_view name, std::string_view ns) const { return name_ == name && ns_ == ns; }

  const std::vector<Attribute>& attributes() const { return attributes_; }
  /// The value of the attribute without prefix, or nothing.
  std::optional<std::string_view> attribute(std::string_view name) const { return attribute(name, {}); }
  std::optional<std::string_view> attribute(std::string_view name, std::string_view ns) const;

  const std::vector<Child>& children() const { return children_; }
  /// The first child element of that name and namespace, or null.
  const Element* child(std::string_view name, std::string_view ns) const;
  /// The first child element in that namespace, or null.
  const Element* child_in(std::string_view ns) const;
  /// The first child element of all, or null.
  const Element* first_child() const;
  std::size_t child_element_count() const;
  /// The element's own text, children's left out.
  std::string text() const;

  /// Calls `visit(const Element&)` for each child element in order.
  template <class Visit>
  void for_each_child(Visit visit) const {
    for (const Child& child : children_) {
      if (const auto* element = std::get_if<Element>(&child)) visit(*element);
    }
  }

  // Building. Each returns the element, so that calls can be chained.
  Element& set(Symbol attribute, std::string value);
  Element& set(Symbol attribute, Symbol ns, std::string value);
  Element& unset(std::string_view attribute);
  Element& add(Element child);
  Element& add_text(std::string_view text);
  /// Adds a child of the same namespace that holds only text: `<name>text</name>`.
  Element& add_text_child(Symbol name, std::string_view text);
  // For the parser.
  const Symbol& ns_symbol() const { return ns_; }
  void reserve_attributes(std::size_t count) { attributes_.reserve(count); }
  /// The attribute must not be there yet.
  void append_attribute(Attribute attribute) { attributes_.push_back(std::move(attribute)); }
  /// Adds a child and gives it back, to be built further; the reference holds until the next child is added.
  Element& append_child(Element child) {
    // OPTIMIZATION: whoever has one child element mostly has a few; growing one by one would move them again and again.
    if (children_.size() == children_.capacity()) children_.reserve(children_.size() < 2 ? 4 : children_.size() * 2);
    return std::get<Element>(children_.emplace_back(std::move(child)));
  }
  /// Takes away the child elements for which `matches(const Element&)` is true; returns how many.
  template <class Matches>
  std::size_t remove_children(Matches matches) {
    return static_cast<std::size_t>(std::erase_if(children_, [&](const Child& child) {
      const auto* element = std::get_if<Element>(&child);
      return element != nullptr && matches(*element);
    }));
  }
  /// The same element and, in it, all elements of namespace `from`, moved to namespace `to` (jabber:client ⇄
  /// jabber:server).
  void replace_namespace(std::string_view from, std::string_view to);

  friend bool operator==(const Element&, const Element&);

 private:
  Symbol name_;
  Symbol ns_;
  std::vector<Attribute> attributes_;
  std::vector<Child> children_;
};

}  // namespace kith::xml
