#include "xml/writer.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "xml/test_support.h"

namespace kith::xml {
namespace {

std::string written(const Element& element, std::string_view default_ns, bool stream_prefix = true) {
  std::string out;
  write(out, element, default_ns, stream_prefix);
  return out;
}

TEST(Writer, a_namespace_is_declared_where_it_changes) {
  Element element("iq", "jabber:client");
  Element query("query", "jabber:iq:roster");
  query.add(Element("item", "jabber:iq:roster")).add(Element("odd", "jabber:client")).add(Element("none", ""));
  element.add(std::move(query));
  EXPECT_EQ(written(element, "jabber:client"),
            "<iq><query xmlns='jabber:iq:roster'><item/><odd xmlns='jabber:client'/><none xmlns=''/></query></iq>");
  EXPECT_EQ(written(element, "jabber:server").substr(0, 26), "<iq xmlns='jabber:client'>");
  EXPECT_EQ(to_string(element, "jabber:client").substr(0, 4), "<iq>");
}

TEST(Writer, stream_elements_have_the_streams_prefix_and_their_children_the_default) {
  Element features("features", "http://etherx.jabber.org/streams");
  features.add(Element("bind", "urn:ietf:params:xml:ns:xmpp-bind")).add(Element("message", "jabber:client"));
  EXPECT_EQ(written(features, "jabber:client"),
            "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><message/></stream:features>");
  EXPECT_EQ(written(features, "jabber:client", false).substr(0, 51),
            "<features xmlns='http://etherx.jabber.org/streams'>");
  EXPECT_EQ(to_string(Element("error", "http://etherx.jabber.org/streams")),
            "<error xmlns='http://etherx.jabber.org/streams'/>");
}

TEST(Writer, attributes_with_a_namespace_get_a_declared_prefix) {
  Element element("a", "");
  element.set("lang", ns_xml, "de")
      .set("x", "urn:1", "1")
      .set("plain", "p")
      .set("y", "urn:1", "2")
      .set("x", "urn:2", "3");
  EXPECT_EQ(to_string(element),
            "<a xml:lang='de' xmlns:n1='urn:1' n1:x='1' plain='p' n1:y='2' xmlns:n4='urn:2' n4:x='3'/>");
  EXPECT_EQ(parse_element(to_string(element)), element);
}

TEST(Writer, an_element_of_the_xml_prefix_keeps_it) {
  // As a default namespace it would be refused by every reader, our own included.
  const auto element = parse_element("<a xmlns='urn:a'><xml:b xml:lang='de'>x<c/><xml:d/></xml:b></a>");
  ASSERT_TRUE(element);
  EXPECT_EQ(to_string(*element), "<a xmlns='urn:a'><xml:b xml:lang='de'>x<c/><xml:d/></xml:b></a>");
  EXPECT_EQ(parse_element(to_string(*element)), *element);
}

TEST(Writer, escapes_all_that_could_end_a_value_or_be_changed_by_a_reader) {
  std::string out;
  escape_attribute(out, "&<>\"'\r\n\tx");
  EXPECT_EQ(out, "&amp;&lt;&gt;&quot;&apos;&#13;&#10;&#9;x");
  out.clear();
  escape_text(out, "&<>\"'\r\n\t]]>x");
  EXPECT_EQ(out, "&amp;&lt;&gt;\"'&#13;\n\t]]&gt;x");
}

TEST(Writer, no_value_can_break_out_of_its_attribute_or_text) {
  Element element("a", "jabber:client");
  element.set("b", "'/><message from='ceo@example.org'/>").add_text("</a><message/>");
  const auto back = parse_element(written(element, "jabber:client"), "jabber:client");
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, element);
  EXPECT_EQ(back->child_element_count(), 0U);
}

TEST(Writer, what_is_written_reads_as_the_same_tree_for_every_character) {
  for (std::uint32_t code = 1; code < 0x11000; code += code < 0x3000 ? 1 : 7) {
    const bool in_xml = code == 9 || code == 10 || code == 13 || (code >= 0x20 && code < 0xd800) ||
                        (code > 0xdfff && code < 0xfffe) || code > 0xffff;
    if (!in_xml) continue;
    std::string text;
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else if (code < 0x800) {
      text += static_cast<char>(0xc0U | code >> 6U);
      text += static_cast<char>(0x80U | (code & 0x3fU));
    } else if (code < 0x10000) {
      text += static_cast<char>(0xe0U | code >> 12U);
      text += static_cast<char>(0x80U | (code >> 6U & 0x3fU));
      text += static_cast<char>(0x80U | (code & 0x3fU));
    } else {
      text += static_cast<char>(0xf0U | code >> 18U);
      text += static_cast<char>(0x80U | (code >> 12U & 0x3fU));
      text += static_cast<char>(0x80U | (code >> 6U & 0x3fU));
      text += static_cast<char>(0x80U | (code & 0x3fU));
    }
    Element element("a", "");
    element.set("b", text + text).add_text("x" + text + text);
    const auto back = parse_element(to_string(element));
    ASSERT_TRUE(back) << code;
    ASSERT_EQ(*back, element) << code;
  }
}

TEST(Writer, bytes_that_xml_cannot_carry_are_replaced_and_never_end_the_readers_stream) {
  using namespace std::string_view_literals;
  const std::pair<std::string_view, std::string_view> texts[] = {
      {"a\0b"sv,
       "a\xef\xbf\xbd"
       "b"},
      {"\x01\x1f"sv, "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xff"sv, "\xef\xbf\xbd"},
      {"\xc3"sv, "\xef\xbf\xbd"},
      {"\xc3(", "\xef\xbf\xbd("},
      {"\xe2\x82"sv, "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xed\xa0\x80"sv, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xef\xbf\xbe"sv, "\xef\xbf\xbd"},
      {"\xf4\x90\x80\x80"sv, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\x7f\xc2\x80"sv, "\x7f\xc2\x80"},
  };
  for (const auto& [text, replaced] : texts) {
    Element element("a", "");
    element.set("b", std::string(text)).add_text(text);
    const auto back = parse_element(to_string(element));
    ASSERT_TRUE(back) << hex_encode(text);
    EXPECT_EQ(back->attribute("b"), replaced) << hex_encode(text);
    EXPECT_EQ(back->text(), replaced) << hex_encode(text);
  }
}

TEST(Writer, a_stream_opens_and_closes_as_our_parser_expects_it) {
  std::string out;
  write_stream_open(out, "jabber:client",
                    {{"from", "example.org"}, {"id", "a'<b"}, {"xml:lang", "en"}, {"version", "1.0"}});
  EXPECT_EQ(out,
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
            "from='example.org' id='a&apos;&lt;b' xml:lang='en' version='1.0'>");
  write(out, Element("features", "http://etherx.jabber.org/streams"), "jabber:client");
  write_stream_close(out);
  EXPECT_TRUE(out.ends_with("<stream:features/></stream:stream>"));
  EXPECT_EQ(test_support::events_of({out}).size(), 3U);
  EXPECT_EQ(test_support::events_of({out}).back(), "close");
}

}  // namespace
}  // namespace kith::xml
