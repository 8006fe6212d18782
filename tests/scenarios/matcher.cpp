#include "matcher.h"

#include <vector>

namespace kith::scenario {

namespace {

std::string trimmed(std::string text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool value_matches(const std::string& expected, const std::string& actual, Captures& captures) {
  if (expected == "{scansion:any}") return true;
  constexpr std::string_view capture = "{scansion:capture:";
  if (expected.starts_with(capture) && expected.ends_with('}')) {
    const std::string name = expected.substr(capture.size(), expected.size() - capture.size() - 1);
    const auto [found, fresh] = captures.try_emplace(name, actual);
    return fresh || found->second == actual;
  }
  return expected == actual;
}

std::vector<const xml::Element*> elements_of(const xml::Element& parent) {
  std::vector<const xml::Element*> children;
  parent.for_each_child([&](const xml::Element& child) { children.push_back(&child); });
  return children;
}

constexpr std::string_view ns_stanza_ids = "urn:xmpp:sid:0";

bool is_strict(const xml::Element& expected, Rules rules) {
  if (const auto says = expected.attribute("strict", ns_scansion)) return *says != "false";
  return rules == Rules::strict || expected.ns() != "jabber:client";
}

std::string compare(const xml::Element& expected, const xml::Element& actual, bool top, Captures& captures,
                    Rules rules) {
  const std::string here = "<" + std::string(expected.name()) + ">";
  if (expected.name() != actual.name()) return "expected " + here + ", got <" + std::string(actual.name()) + ">";
  if (expected.ns() != actual.ns())
    return here + " has namespace " + std::string(actual.ns()) + ", not " + std::string(expected.ns());
  const bool strict = is_strict(expected, rules);
  const bool stamped = top && rules == Rules::strict && !expected.attribute("strict", ns_scansion);

  std::size_t wanted = 0;
  for (const xml::Attribute& attribute : expected.attributes()) {
    if (attribute.ns == ns_scansion) continue;
    ++wanted;
    const auto value = actual.attribute(attribute.name, attribute.ns);
    if (!value) return here + " has no attribute " + std::string(attribute.name.view());
    if (!value_matches(attribute.value, std::string(*value), captures)) {
      return here + " has " + std::string(attribute.name.view()) + "='" + std::string(*value) + "', not '" +
             attribute.value + "'";
    }
  }
  if (strict && !stamped && actual.attributes().size() != wanted) return here + " has more attributes than expected";

  const std::string text = trimmed(expected.text());
  const std::string actual_text = trimmed(actual.text());
  if ((strict || !text.empty()) && !value_matches(text, actual_text, captures)) {
    return here + " holds '" + actual_text + "', not '" + text + "'";
  }

  const auto want = elements_of(expected);
  auto have = elements_of(actual);
  // Any server with an archive adds its id; a script that says nothing of one asks for nothing.
  if (expected.is("message", "jabber:client") && expected.child("stanza-id", ns_stanza_ids) == nullptr) {
    std::erase_if(have, [](const xml::Element* child) { return child->is("stanza-id", ns_stanza_ids); });
  }
  if (strict) {
    if (want.size() != have.size()) {
      return here + " has " + std::to_string(have.size()) + " children, not " + std::to_string(want.size());
    }
    for (std::size_t i = 0; i < want.size(); ++i) {
      if (std::string what = compare(*want[i], *have[i], false, captures, rules); !what.empty()) return what;
    }
    return {};
  }
  for (const xml::Element* child : want) {
    bool found = false;
    for (const xml::Element* candidate : have) {
      Captures tried = captures;
      if (!compare(*child, *candidate, false, tried, rules).empty()) continue;
      captures = std::move(tried);
      found = true;
      break;
    }
    if (!found) return here + " has no child like <" + std::string(child->name()) + ">";
  }
  return {};
}

}  // namespace

std::string difference(const xml::Element& expected, const xml::Element& actual, Captures& captures, Rules rules) {
  Captures tried = captures;
  std::string what = compare(expected, actual, true, tried, rules);
  if (what.empty()) captures = std::move(tried);
  return what;
}

}  // namespace kith::scenario
