#include "xml/tree_builder.h"

#include <algorithm>
#include <utility>

namespace kith::xml {
namespace {

constexpr std::string_view ns_xmlns = "http://www.w3.org/2000/xmlns/";
/// Up to so many attributes are compared each with each.
constexpr std::size_t few_attributes = 8;
/// What a short name takes that is not among the known ones.
constexpr std::size_t name_bytes = 32;
constexpr std::size_t attribute_bytes = sizeof(Attribute) + name_bytes;

std::size_t room_for_children(const Element& element) { return element.children().capacity() * sizeof(Element::Child); }

const Symbol& xml_symbol() {
  static const Symbol symbol(ns_xml);
  return symbol;
}

bool same_name(const Attribute& a, const Attribute& b) { return a.name == b.name && a.ns == b.ns; }

bool has_a_double(const std::vector<Attribute>& attributes) {
  if (attributes.size() <= few_attributes) {
    for (std::size_t i = 1; i < attributes.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (same_name(attributes[i], attributes[j])) return true;
      }
    }
    return false;
  }
  std::vector<const Attribute*> sorted;
  sorted.reserve(attributes.size());
  for (const Attribute& attribute : attributes) sorted.push_back(&attribute);
  std::ranges::sort(sorted, {}, [](const Attribute* attribute) {  //
    return std::pair(attribute->name.view(), attribute->ns.view());
  });
  return std::ranges::adjacent_find(sorted, [](const Attribute* a, const Attribute* b) { return same_name(*a, *b); }) !=
         sorted.end();
}

}  // namespace

void TreeBuilder::tag_name(const RawName& name) {
  tag_name_from_ = names_.size();
  tag_colon_ = name.colon;
  tag_bindings_from_ = bindings_.size();
  tag_local_ = Symbol(name.local());
  names_ += name.text;
}

void TreeBuilder::attribute_name(const RawName& name) {
  constexpr std::string_view xmlns = "xmlns";
  const std::string_view prefix = name.prefix();
  if (prefix.empty() && name.text == xmlns) {
    declares_ = Declares::default_ns;
  } else if (prefix == xmlns) {
    declares_ = Declares::prefix;
    declared_prefix_ = Symbol(name.local());
  } else {
    Attribute& attribute = attributes_.emplace_back();
    attribute.name = Symbol(name.local());
    if (!prefix.empty()) attribute.ns = prefix == "xml" ? xml_symbol() : Symbol(prefix);
  }
}

std::optional<ParseError> TreeBuilder::attribute_value(std::string_view value, const XmlLimits& limits) {
  if (declares_ != Declares::nothing) return declare(value, limits);
  attributes_.back().value = value;
  return std::nullopt;
}

/// Namespaces in XML 1.0, §3 and §5.
std::optional<ParseError> TreeBuilder::declare(std::string_view ns, const XmlLimits& limits) {
  if (ns.size() > limits.name_bytes) return ParseError::limit_bytes;
  if (ns == ns_xmlns) return ParseError::not_well_formed;
  if (std::exchange(declares_, Declares::nothing) == Declares::default_ns) {
    if (tag_default_ns_ || ns == ns_xml) return ParseError::not_well_formed;
    tag_default_ns_ = Symbol(ns);
    return std::nullopt;
  }
  const bool is_xml = declared_prefix_ == "xml";
  if (ns.empty() || declared_prefix_ == "xmlns" || is_xml != (ns == ns_xml)) return ParseError::not_well_formed;
  for (std::size_t i = tag_bindings_from_; i < bindings_.size(); ++i) {
    if (bindings_[i].prefix == declared_prefix_) return ParseError::not_well_formed;
  }
  if (bindings_.size() == declarations_in_scope) return ParseError::limit_structure;
  bindings_.push_back({.prefix = std::move(declared_prefix_), .ns = Symbol(ns)});
  return std::nullopt;
}

const Symbol* TreeBuilder::find_prefix(std::string_view prefix, const StreamScope& around) const {
  for (const std::vector<Binding>* bindings : {&bindings_, &around.bindings}) {
    for (std::size_t i = bindings->size(); i-- > 0;) {
      const Symbol& declared = (*bindings)[i].prefix;
      if (declared == prefix) return &(*bindings)[i].ns;
    }
  }
  return prefix == "xml" ? &xml_symbol() : nullptr;
}

/// Only the innermost open element gets children, so that the addresses of those around it hold.
/// SECURITY: five bytes, " a=''", make an attribute that takes a hundred; seven, "<b></b>", make room for four
/// children. An unfinished element is held as long as its sender likes, so what its tree takes is counted, too.
Element& TreeBuilder::append(Element made) {
  if (open_.empty()) return element_.emplace(std::move(made));
  Element& parent = *open_.back().element;
  const std::size_t before = room_for_children(parent);
  Element& element = parent.append_child(std::move(made));
  tree_bytes_ += room_for_children(parent) - before;
  return element;
}

/// SECURITY: one declaration of a long namespace can be used by thousands of short prefixed names. It is kept once, and
/// because the writer declares it again for each of them, what that will take is counted as if it had been sent.
std::optional<ParseError> TreeBuilder::end_start_tag(const StreamScope& around, const XmlLimits& limits) {
  const Symbol& default_ns = tag_default_ns_  ? *tag_default_ns_
                             : !open_.empty() ? open_.back().default_ns
                                              : around.default_ns;
  const Symbol* ns = &default_ns;
  if (tag_colon_ != 0) ns = find_prefix(std::string_view(names_).substr(tag_name_from_, tag_colon_), around);
  if (ns == nullptr) return ParseError::not_well_formed;
  if (open_.empty() || open_.back().element->ns_symbol() != *ns) ns_bytes_ += ns->view().size();
  tree_bytes_ += name_bytes + attributes_.size() * attribute_bytes;
  if (tree_bytes_ > limits.tree_bytes) return ParseError::limit_bytes;

  Element& element = append(Element(std::move(tag_local_), *ns));
  if (!attributes_.empty()) {
    if (const auto wrong = move_attributes(element, around)) return wrong;
  }
  if (ns_bytes_ > limits.element_bytes) return ParseError::limit_bytes;
  open_.push_back({.element = &element,
                   .name_from = tag_name_from_,
                   .bindings_from = tag_bindings_from_,
                   .default_ns = default_ns});
  tag_default_ns_.reset();
  return std::nullopt;
}

std::optional<ParseError> TreeBuilder::move_attributes(Element& element, const StreamScope& around) {
  for (Attribute& attribute : attributes_) {
    // No prefix is the namespace of `xml:`, which was put in its place already.
    if (attribute.ns.empty() || attribute.ns == ns_xml) continue;
    const Symbol* ns = find_prefix(attribute.ns, around);
    if (ns == nullptr) return ParseError::not_well_formed;
    attribute.ns = *ns;
    ns_bytes_ += ns->view().size();
  }
  if (attributes_.size() > 1 && has_a_double(attributes_)) return ParseError::not_well_formed;
  element.reserve_attributes(attributes_.size() + 1);  // the router adds "from"
  for (Attribute& attribute : attributes_) element.append_attribute(std::move(attribute));
  attributes_.clear();
  return std::nullopt;
}

void TreeBuilder::text(std::string_view text) {
  Element& element = *open_.back().element;
  const std::size_t before = room_for_children(element);
  element.add_text(text);
  // The sum is looked at in the next start tag: between two of them there is one text.
  tree_bytes_ += room_for_children(element) - before;
}

void TreeBuilder::end_element() {
  names_.resize(open_.back().name_from);
  bindings_.resize(open_.back().bindings_from);
  open_.pop_back();
}

Element TreeBuilder::take_element() {
  ns_bytes_ = 0;
  tree_bytes_ = 0;
  Element element = std::move(*element_);
  element_.reset();
  return element;
}

Element TreeBuilder::take_header(StreamScope& scope) {
  scope.name = names_;
  scope.default_ns = open_.back().default_ns;
  scope.bindings = std::move(bindings_);
  scope.bindings.shrink_to_fit();
  bindings_.clear();
  end_element();
  return take_element();
}

}  // namespace kith::xml
