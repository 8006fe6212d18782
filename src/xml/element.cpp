#include "xml/element.h"

#include <algorithm>

namespace kith::xml {

std::optional<std::string_view> Element::attribute(std::string_view name, std::string_view ns) const {
  for (const Attribute& attribute : attributes_) {
    if (attribute.name == name && attribute.ns == ns) return attribute.value;
  }
  return std::nullopt;
}

const Element* Element::child(std::string_view name, std::string_view ns) const {
  for (const Child& child : children_) {
    const auto* element = std::get_if<Element>(&child);
    if (element != nullptr && element->is(name, ns)) return element;
  }
  return nullptr;
}

const Element* Element::child_in(std::string_view ns) const {
  for (const Child& child : children_) {
    const auto* element = std::get_if<Element>(&child);
    if (element != nullptr && element->ns() == ns) return element;
  }
  return nullptr;
}

const Element* Element::first_child() const {
  for (const Child& child : children_) {
    if (const auto* element = std::get_if<Element>(&child)) return element;
  }
  return nullptr;
}

std::size_t Element::child_element_count() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(children_, [](const Child& child) { return std::holds_alternative<Element>(child); }));
}

std::string Element::text() const {
  std::string all;
  for (const Child& child : children_) {
    if (const auto* text = std::get_if<std::string>(&child)) all += *text;
  }
  return all;
}

Element& Element::set(Symbol attribute, std::string value) { return set(std::move(attribute), {}, std::move(value)); }

Element& Element::set(Symbol attribute, Symbol ns, std::string value) {
  for (Attribute& known : attributes_) {
    if (known.name == attribute && known.ns == ns) {
      known.value = std::move(value);
      return *this;
    }
  }
  attributes_.push_back({std::move(attribute), std::move(ns), std::move(value)});
  return *this;
}

Element& Element::unset(std::string_view attribute) {
  std::erase_if(attributes_, [&](const Attribute& known) { return known.name == attribute && known.ns.empty(); });
  return *this;
}

Element& Element::add(Element child) {
  children_.emplace_back(std::move(child));
  return *this;
}

Element& Element::add_text(std::string_view text) {
  if (text.empty()) return *this;
  // Two texts side by side become one, as they would be on the wire.
  auto* before = children_.empty() ? nullptr : std::get_if<std::string>(&children_.back());
  if (before != nullptr) {
    before->append(text);
  } else {
    children_.emplace_back(std::in_place_type<std::string>, text);
  }
  return *this;
}

Element& Element::add_text_child(Symbol name, std::string_view text) {
  Element child(std::move(name), ns_);
  child.add_text(text);
  return add(std::move(child));
}

void Element::replace_namespace(std::string_view from, std::string_view to) {
  if (ns_ == from) ns_ = Symbol(to);
  for (Child& child : children_) {
    if (auto* element = std::get_if<Element>(&child)) element->replace_namespace(from, to);
  }
}

bool operator==(const Element& a, const Element& b) {
  if (a.name_ != b.name_ || a.ns_ != b.ns_ || a.attributes_.size() != b.attributes_.size()) return false;
  // The order of attributes means nothing in XML; no name occurs twice.
  for (const Attribute& attribute : a.attributes_) {
    if (std::ranges::find(b.attributes_, attribute) == b.attributes_.end()) return false;
  }
  return a.children_ == b.children_;
}

}  // namespace kith::xml
