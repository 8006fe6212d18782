#include "xml/element.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xml/writer.h"

namespace kith::xml {
namespace {

Element message() {
  Element element("message", "jabber:client");
  element.set("to", "a@example.org").set("lang", ns_xml, "de");
  element.add_text_child("body", "hi").add_text("between").add(Element("x", "urn:x")).add_text("after");
  return element;
}

TEST(Element, finds_attributes_by_name_and_namespace) {
  const Element element = message();
  EXPECT_EQ(element.attribute("to"), "a@example.org");
  EXPECT_EQ(element.attribute("lang", ns_xml), "de");
  EXPECT_EQ(element.attribute("lang"), std::nullopt);
  EXPECT_EQ(element.attribute("to", ns_xml), std::nullopt);
}

TEST(Element, setting_replaces_and_unsetting_removes_the_attribute_without_prefix) {
  Element element = message();
  element.set("to", "b@example.org").set("lang", "plain");
  EXPECT_EQ(element.attribute("to"), "b@example.org");
  EXPECT_EQ(element.attributes().size(), 3U);
  element.unset("lang").unset("missing");
  EXPECT_EQ(element.attribute("lang"), std::nullopt);
  EXPECT_EQ(element.attribute("lang", ns_xml), "de");
}

TEST(Element, finds_children_and_its_own_text) {
  const Element element = message();
  EXPECT_EQ(element.child("body", "jabber:client")->text(), "hi");
  EXPECT_EQ(element.child("body", "urn:x"), nullptr);
  EXPECT_EQ(element.child_in("urn:x")->name(), "x");
  EXPECT_EQ(element.child_in("urn:y"), nullptr);
  EXPECT_EQ(element.first_child()->name(), "body");
  EXPECT_EQ(element.child_element_count(), 2U);
  EXPECT_EQ(element.text(), "betweenafter");
  EXPECT_EQ(Element("a", "").first_child(), nullptr);
  std::vector<std::string> names;
  element.for_each_child([&](const Element& child) { names.emplace_back(child.name()); });
  EXPECT_THAT(names, testing::ElementsAre("body", "x"));
}

TEST(Element, texts_side_by_side_become_one_and_empty_text_none) {
  Element element("a", "");
  element.add_text("").add_text("1").add_text("").add_text("2");
  EXPECT_EQ(element.children().size(), 1U);
  EXPECT_EQ(element.text(), "12");
  EXPECT_TRUE(Element("a", "").add_text_child("b", "").first_child()->children().empty());
}

TEST(Element, children_are_removed_by_what_they_are) {
  Element element = message();
  EXPECT_EQ(element.remove_children([](const Element& child) { return child.ns() == "urn:x"; }), 1U);
  EXPECT_EQ(element.child_element_count(), 1U);
  EXPECT_EQ(element.text(), "betweenafter");
  EXPECT_EQ(element.remove_children([](const Element&) { return false; }), 0U);
}

TEST(Element, a_namespace_is_replaced_all_the_way_down_and_no_other_is_touched) {
  Element inner("x", "urn:x");
  inner.add(Element("deep", "jabber:client"));
  Element element("message", "jabber:client");
  element.add(std::move(inner)).add_text_child("body", "hi");
  element.replace_namespace("jabber:client", "jabber:server");
  EXPECT_EQ(to_string(element),
            "<message xmlns='jabber:server'><x xmlns='urn:x'><deep xmlns='jabber:server'/></x>"
            "<body>hi</body></message>");
}

TEST(Element, equality_ignores_the_order_of_attributes_but_not_of_children) {
  EXPECT_EQ(message(), message());
  Element one("a", "");
  one.set("b", "1").set("c", "2");
  Element other("a", "");
  other.set("c", "2").set("b", "1");
  EXPECT_EQ(one, other);
  other.set("b", "3");
  EXPECT_FALSE(one == other);
  EXPECT_FALSE(Element("a", "") == Element("a", "urn:a"));
  EXPECT_FALSE(Element("a", "") == one);
  Element first("a", "");
  first.add(Element("b", "")).add(Element("c", ""));
  Element second("a", "");
  second.add(Element("c", "")).add(Element("b", ""));
  EXPECT_FALSE(first == second);
}

TEST(Element, a_copy_is_its_own) {
  const Element original = message();
  Element copy = original;
  copy.set("to", "x").add_text_child("more", "1");
  EXPECT_EQ(original, message());
  EXPECT_FALSE(copy == original);
}

TEST(Element, a_built_child_may_be_built_further) {
  Element element("a", "");
  Element& child = element.append_child(Element("b", ""));
  child.append_child(Element("c", "")).set("d", "1");
  for (int i = 0; i < 10; ++i) element.append_child(Element("e", ""));
  EXPECT_EQ(element.first_child()->first_child()->attribute("d"), "1");
  EXPECT_EQ(element.child_element_count(), 11U);
}

}  // namespace
}  // namespace kith::xml
