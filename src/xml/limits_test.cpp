// Each limit of XmlLimits just below and just above, whole and a byte at a time.
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xml/test_support.h"

namespace kith::xml {
namespace {

using namespace test_support;

constexpr XmlLimits small{
    .element_bytes = 200, .depth = 4, .attributes = 5, .name_bytes = 20, .attribute_value_bytes = 50, .children = 6};

/// What the header and then `stanza` lead to: the last event. The header is read under the default limits.
std::string answer(std::string_view stanza, bool slowly, const XmlLimits& limits = small) {
  StreamParser parser(XmlLimits{});
  std::vector<std::string> lines;
  parser.feed(c2s_header);
  collect(parser, lines);
  parser.set_limits(limits);
  lines.clear();
  if (slowly) {
    for (const std::string& byte : bytes_of(stanza)) {
      parser.feed(byte);
      collect(parser, lines);
      parser.park();
    }
  } else {
    parser.feed(stanza);
    collect(parser, lines);
  }
  if (lines.empty()) return "nothing";
  return lines.back().starts_with("error ") ? lines.back().substr(6) : "element";
}

void expect(std::string_view stanza, std::string_view expected, const XmlLimits& limits = small) {
  EXPECT_EQ(answer(stanza, false, limits), expected) << stanza;
  EXPECT_EQ(answer(stanza, true, limits), expected) << stanza;
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(XmlLimits, element_bytes_counts_from_the_first_byte_to_the_last) {
  expect("<a>" + std::string(193, 'x') + "</a>", "element");  // 200 bytes
  expect("<a>" + std::string(194, 'x') + "</a>", "limit_bytes");
  expect("<a>" + std::string(197, 'x'), "nothing");
  expect("<a>" + std::string(198, 'x'), "limit_bytes");
  expect("<a" + std::string(196, ' ') + "/>", "element");
  expect("<a" + std::string(197, ' ') + "/>", "limit_bytes");
  expect("<a><![CDATA[" + std::string(181, 'x') + "]]></a>", "element");
  expect("<a><![CDATA[" + std::string(182, 'x') + "]]></a>", "limit_bytes");
  expect("</stream:stream" + std::string(185, ' ') + ">", "limit_bytes");
}

TEST(XmlLimits, element_bytes_is_counted_for_each_element_anew) {
  expect(repeat("<a>" + std::string(193, 'x') + "</a>\n  ", 5), "element");
}

TEST(XmlLimits, element_bytes_holds_for_the_stream_header_too) {
  const std::string header(c2s_header);
  XmlLimits limits;
  limits.element_bytes = header.size();
  EXPECT_TRUE(events_of({header}, limits).back().starts_with("open "));
  limits.element_bytes = header.size() - 1;
  EXPECT_EQ(events_of({header}, limits).back(), "error limit_bytes");
  EXPECT_EQ(events_of(bytes_of(header), limits).back(), "error limit_bytes");
}

TEST(XmlLimits, white_space_between_the_declaration_and_the_header_is_in_nobodys_share) {
  const std::string stream = "<?xml version='1.0'?>" + std::string(20'000, ' ') + std::string(c2s_header);
  EXPECT_TRUE(events_of({stream}).back().starts_with("open "));
  EXPECT_EQ(events_of({stream}), events_of(bytes_of(stream)));
}

TEST(XmlLimits, depth_counts_the_first_level_element_as_one) {
  expect("<a><a><a><a/></a></a></a>", "element");
  expect("<a><a><a><a><a", "limit_structure");
  expect("<a><a/><a/><a><a><a></a></a></a><a/></a>", "element");
  expect("<a><a/><a/><a><a><a><a", "limit_structure");
}

TEST(XmlLimits, depth_has_a_ceiling_that_no_configuration_lifts) {
  const XmlLimits wide{.element_bytes = 1'000'000, .depth = 1'000'000, .children = 1'000'000, .tree_bytes = 1'000'000};
  expect(repeat("<a>", 512) + repeat("</a>", 512), "element", wide);
  expect(repeat("<a>", 513), "limit_structure", wide);
}

TEST(XmlLimits, attributes_are_counted_with_namespace_declarations) {
  expect("<a b='' c='' d='' e='' f=''/>", "element");
  expect("<a b='' c='' d='' e='' f='' g=''/>", "limit_structure");
  expect("<a xmlns='u' xmlns:p='p' d='' e='' f='' g='", "limit_structure");
  expect("<a b='' c='' d=''><a b='' c='' d=''/></a>", "element");
}

TEST(XmlLimits, name_bytes_holds_for_elements_attributes_and_references) {
  const std::string fits(20, 'n');
  const std::string long_one(21, 'n');
  expect("<" + fits + "/>", "element");
  expect("<" + long_one, "limit_bytes");
  expect("<a " + fits + "=''/>", "element");
  expect("<a " + long_one, "limit_bytes");
  expect("<" + fits + "></" + fits + ">", "element");
  expect("<a></" + long_one, "not_well_formed");  // whose end that would be is wrong at its first byte
  expect("<a>&#" + std::string(17, '0') + "65;</a>", "element");
  expect("<a>&#" + std::string(18, '0') + "65;</a>", "limit_bytes");
  expect("<a>&" + long_one, "limit_bytes");
}

TEST(XmlLimits, attribute_value_bytes_are_counted_as_sent) {
  expect("<a b='" + std::string(50, 'v') + "'/>", "element");
  expect("<a b='" + std::string(51, 'v') + "'/>", "limit_bytes");
  expect("<a b=\"" + repeat("&lt;", 12) + "xx\"/>", "element");
  expect("<a b=\"" + repeat("&lt;", 13) + "\"/>", "limit_bytes");
}

TEST(XmlLimits, children_are_counted_at_all_depths_and_for_each_element_anew) {
  expect("<a>" + repeat("<b/>", 6) + "</a>", "element");
  expect("<a>" + repeat("<b/>", 6) + "<b", "limit_structure");
  expect("<a><b><c/><c/></b><b><c/><c/></b></a>", "element");
  expect("<a><b><c/><c/></b><b><c/><c/><c/></b></a>", "limit_structure");
  expect(repeat("<a>" + repeat("<b/>", 6) + "</a>", 4), "element");
}

TEST(XmlLimits, a_namespace_is_no_longer_than_a_name) {
  expect("<a xmlns='" + std::string(20, 'u') + "'/>", "element");
  expect("<a xmlns='" + std::string(21, 'u') + "'/>", "limit_bytes");
  expect("<a xmlns:p='" + std::string(21, 'u') + "'/>", "limit_bytes");
}

TEST(XmlLimits, a_namespace_used_again_and_again_is_counted_as_the_writer_will_write_it) {
  // 20 bytes of namespace for each of these: ten of them fit into 200 bytes, the eleventh does not.
  const std::string ns(20, 'u');
  XmlLimits limits = small;
  limits.children = 100;
  const auto stanza = [&](std::size_t times) { return "<a xmlns:p='" + ns + "'>" + repeat("<p:b/>", times) + "</a>"; };
  expect(stanza(9), "element", limits);
  expect(stanza(10), "limit_bytes", limits);  // the element's own jabber:client is in the sum
  expect("<p:a xmlns:p='" + ns + "'>" + repeat("<p:b/>", 20) + "</p:a>", "element", limits);
  expect("<a xmlns:p='" + ns + "'>" + repeat("<b p:c=''/>", 9) + "</a>", "element", limits);
  expect("<a xmlns:p='" + ns + "'>" + repeat("<b p:c=''/>", 10) + "</a>", "limit_bytes", limits);
  expect("<a>" + repeat("<b xml:lang=''/>", 11) + "</a>", "element", limits);
}

TEST(XmlLimits, tree_bytes_are_those_of_attributes_and_of_room_for_children) {
  std::string tag = "<b";
  for (char c = 'a'; c < 'u'; ++c) tag += std::string(" ") + c + c + "=''";
  tag += "/>";
  expect("<a>" + repeat(tag, 20) + "</a>", "element", XmlLimits{});
  expect("<a>" + repeat(tag, 24), "limit_bytes", XmlLimits{});
  expect(repeat("<a>" + repeat(tag, 20) + "</a>", 3), "element", XmlLimits{});

  const XmlLimits after_login = Limits{}.xml_after_login;
  expect("<a>" + repeat("<b/>", 9'999) + "</a>", "element", after_login);
  expect("<a>" + repeat("<b/>x", 9'999), "limit_bytes", after_login);
  expect("<a>" + repeat(repeat("<b>", 60) + repeat("</b>", 60), 80) + "</a>", "element", after_login);
  expect("<a>" + repeat(repeat("<b>", 60) + repeat("</b>", 60), 150), "limit_bytes", after_login);
}

TEST(XmlLimits, an_endless_attribute_is_stopped_before_it_is_stored) {
  StreamParser parser(XmlLimits{});
  std::vector<std::string> lines;
  parser.feed(c2s_header);
  collect(parser, lines);
  parser.park();
  parser.feed("<message to='");
  ASSERT_TRUE(parser.next());
  const std::string piece(1000, 'x');
  std::size_t given = 0;
  for (;;) {
    parser.feed(piece);
    const auto event = parser.next();
    given += piece.size();
    if (!event) {
      EXPECT_EQ(event.error(), ParseError::limit_bytes);
      break;
    }
    ASSERT_LT(given, 5000U);
  }
  EXPECT_EQ(given, 5000U);  // 4 KiB are allowed
}

TEST(XmlLimits, lowering_the_limit_in_the_middle_of_an_element_stops_it) {
  StreamParser parser(XmlLimits{});
  std::vector<std::string> lines;
  const std::string begun = std::string(c2s_header) + "<a>" + std::string(300, 'x');
  parser.feed(begun);
  collect(parser, lines);
  parser.set_limits(small);
  parser.feed("x");
  EXPECT_EQ(parser.next().error(), ParseError::limit_bytes);
}

TEST(XmlLimits, no_byte_is_looked_at_twice_however_small_the_pieces_are) {
  // If each piece had what came before it read again, this would take hours.
  const XmlLimits wide{.element_bytes = 3'000'000, .name_bytes = 3'000'000, .attribute_value_bytes = 3'000'000};
  for (const auto& [begin, piece, end] :
       {std::tuple("<a b='", "v", "'/>"), std::tuple("<a>", "t", "</a>"), std::tuple("<a>", "&lt;", "</a>"),
        std::tuple("<a><![CDATA[", "]", "]]></a>"), std::tuple("<", "n", "/>"), std::tuple("<a ", "n", "=''/>")}) {
    StreamParser parser(wide);
    std::vector<std::string> lines;
    const std::string begun = std::string(c2s_header) + begin;
    parser.feed(begun);
    collect(parser, lines);
    for (std::size_t i = 0; i < 500'000; ++i) {
      parser.feed(piece);
      ASSERT_TRUE(std::holds_alternative<NeedMore>(*parser.next()));
    }
    parser.feed(end);
    EXPECT_TRUE(std::holds_alternative<Element>(*parser.next())) << begin;
  }
}

}  // namespace
}  // namespace kith::xml
