// The life of a parser: parked and woken, moved to another shard, emptied, restarted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xml/test_support.h"

namespace kith::xml {
namespace {

using namespace test_support;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string header(c2s_header);

struct Stream {
  StreamParser parser{XmlLimits{}};

  std::vector<std::string> give(std::string_view bytes) {
    std::vector<std::string> lines;
    parser.feed(bytes);
    collect(parser, lines);
    return lines;
  }
};

TEST(StreamParserLife, a_parked_stream_goes_on_where_it_was) {
  Stream stream;
  stream.give(header);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(stream.parser.park());
    EXPECT_THAT(
        stream.give("<stream:features/><message/>"),
        ElementsAre("<features xmlns='http://etherx.jabber.org/streams'/>", "<message xmlns='jabber:client'/>"));
  }
  EXPECT_TRUE(stream.parser.park());
  EXPECT_THAT(stream.give("</stream:stream>"), ElementsAre("close"));
}

TEST(StreamParserLife, keep_alives_and_unfinished_tags_let_a_stream_be_parked) {
  Stream stream;
  stream.give(header);
  EXPECT_TRUE(stream.parser.park());
  EXPECT_THAT(stream.give(" "), IsEmpty());
  EXPECT_THAT(stream.give("\n\r\t \n"), IsEmpty());
  EXPECT_FALSE(stream.parser.inside_element());
  EXPECT_THAT(stream.give(" <mess"), IsEmpty());
  EXPECT_TRUE(stream.parser.inside_element());
  EXPECT_TRUE(stream.parser.park());
  EXPECT_THAT(stream.give("age/>"), ElementsAre("<message xmlns='jabber:client'/>"));
  EXPECT_FALSE(stream.parser.inside_element());
}

TEST(StreamParserLife, a_stream_is_not_parked_inside_an_element) {
  Stream stream;
  stream.give(header + "<message><body>half");
  EXPECT_TRUE(stream.parser.inside_element());
  EXPECT_FALSE(stream.parser.park());
  EXPECT_THAT(stream.give("-way</body></message>"),
              ElementsAre("<message xmlns='jabber:client'><body>half-way</body></message>"));
  EXPECT_TRUE(stream.parser.park());
}

TEST(StreamParserLife, declarations_of_the_header_hold_after_waking) {
  Stream stream;
  stream.give(
      "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:server' xmlns:db='jabber:server:dialback' "
      "xmlns:odd='urn:&apos;&lt;&amp;&#9;'>");
  EXPECT_TRUE(stream.parser.park());
  EXPECT_THAT(stream.give("<db:result/><odd:x/>"),
              ElementsAre("<result xmlns='jabber:server:dialback'/>", "<x xmlns='urn:&apos;&lt;&amp;&#9;'/>"));
  EXPECT_TRUE(stream.parser.park());
  EXPECT_THAT(stream.give("</s:stream>"), ElementsAre("close"));
}

TEST(StreamParserLife, the_end_tag_of_a_parked_stream_must_fit) {
  Stream stream;
  stream.give(header);
  stream.parser.park();
  EXPECT_THAT(stream.give("</stream:strewn>"), ElementsAre("error not_well_formed"));
}

TEST(StreamParserLife, what_one_element_declares_is_unknown_to_the_next) {
  Stream stream;
  stream.give("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p'>");
  EXPECT_THAT(stream.give("<p:a xmlns:inner='urn:inner' xmlns:p='urn:other'><inner:b/></p:a><p:a/>"),
              ElementsAre("<a xmlns='urn:other'><b xmlns='urn:inner'/></a>", "<a xmlns='urn:p'/>"));
  EXPECT_THAT(stream.give("<inner:a/>"), ElementsAre("error not_well_formed"));
}

TEST(StreamParserLife, a_long_stream_of_ever_new_names_goes_on) {
  Stream stream;
  stream.give("<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client' xmlns:p='urn:p'>");
  std::size_t bytes = 0;
  for (int i = 0; bytes < 1'000'000; ++i) {
    const std::string name = "name" + std::to_string(i) + std::string(80, 'x');
    const std::string stanza =
        "<p:" + name + "><q xmlns='jabber:client'>" + std::to_string(i) + "</q></p:" + name + ">";
    ASSERT_THAT(stream.give(stanza), ElementsAre("<" + name + " xmlns='urn:p'><q xmlns='jabber:client'>" +
                                                 std::to_string(i) + "</q></" + name + ">"));
    bytes += stanza.size();
  }
  EXPECT_THAT(stream.give("</s:stream>"), ElementsAre("close"));
}

TEST(StreamParserLife, what_was_not_used_can_be_taken_at_every_boundary_and_given_to_another_shard) {
  const std::string bytes = header + "<a/> <b>x</b><stream:c d='1'/>\n<e/></stream:stream>";
  const auto expected = events_of({bytes});
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    for (std::size_t move_after = 0; move_after <= expected.size(); ++move_after) {
      StreamParser parser(XmlLimits{});
      std::vector<std::string> lines;
      const std::string pieces[] = {bytes.substr(0, cut), bytes.substr(cut)};
      std::string rest;
      bool moved = false;
      for (const std::string& piece : pieces) {
        parser.feed(piece);
        for (;;) {
          if (!moved && lines.size() == move_after && parser.park()) {
            rest = parser.take_rest();
            StreamParser elsewhere(std::move(parser));
            parser = std::move(elsewhere);
            parser.feed(rest);
            moved = true;
          }
          const auto event = parser.next();
          ASSERT_TRUE(event) << cut << " " << move_after;
          if (std::holds_alternative<NeedMore>(*event)) break;
          if (const auto* open = std::get_if<StreamOpen>(&*event)) {
            lines.push_back("open " + open->default_ns + " " + to_string(open->header));
          } else if (const auto* element = std::get_if<Element>(&*event)) {
            lines.push_back(to_string(*element));
          } else {
            lines.emplace_back("close");
          }
        }
      }
      EXPECT_EQ(lines, expected) << cut << " " << move_after;
      EXPECT_TRUE(moved);
    }
  }
}

TEST(StreamParserLife, the_rest_is_exactly_what_follows_the_event) {
  const std::string bytes = header + "<a/>  <b";  // must stay until NeedMore
  Stream other;
  other.parser.feed(bytes);
  ASSERT_TRUE(std::holds_alternative<StreamOpen>(*other.parser.next()));
  ASSERT_TRUE(std::holds_alternative<Element>(*other.parser.next()));
  EXPECT_EQ(other.parser.take_rest(), "  <b");
  EXPECT_EQ(other.parser.take_rest(), "");
  EXPECT_THAT(other.give("<c/>"), ElementsAre("<c xmlns='jabber:client'/>"));
}

TEST(StreamParserLife, an_unfinished_tag_that_was_already_looked_at_is_part_of_the_rest) {
  Stream stream;
  stream.give(header + "<a/> <b c='1");
  EXPECT_TRUE(stream.parser.inside_element());
  EXPECT_EQ(stream.parser.take_rest(), "<b c='1");
  EXPECT_FALSE(stream.parser.inside_element());
  EXPECT_THAT(stream.give("<b c='1'/>"), ElementsAre("<b xmlns='jabber:client' c='1'/>"));
}

TEST(StreamParserLife, nothing_injected_before_tls_is_left_after_the_rest_is_thrown_away) {
  Stream stream;
  const std::string bytes =
      header + "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message><body>injected</body></message><a";
  stream.parser.feed(bytes);
  ASSERT_TRUE(std::holds_alternative<StreamOpen>(*stream.parser.next()));
  ASSERT_TRUE(std::holds_alternative<Element>(*stream.parser.next()));
  EXPECT_EQ(stream.parser.take_rest(), "<message><body>injected</body></message><a");
  stream.parser.restart();
  const auto event = stream.parser.next();
  ASSERT_TRUE(event);
  EXPECT_TRUE(std::holds_alternative<NeedMore>(*event));
  EXPECT_THAT(stream.give(header + "<b/>"), ElementsAre(::testing::StartsWith("open "), "<b xmlns='jabber:client'/>"));
}

TEST(StreamParserLife, a_restart_keeps_the_bytes_that_came_early_and_forgets_all_else) {
  Stream stream;
  const std::string bytes = header + "<auth/>" +
                            "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
                            "xmlns:stream='http://etherx.jabber.org/streams'><iq/>";
  stream.parser.feed(bytes);
  ASSERT_TRUE(std::holds_alternative<StreamOpen>(*stream.parser.next()));
  ASSERT_TRUE(std::holds_alternative<Element>(*stream.parser.next()));
  stream.parser.restart();
  std::vector<std::string> lines;
  collect(stream.parser, lines);
  EXPECT_THAT(lines, ElementsAre("open jabber:server <stream xmlns='http://etherx.jabber.org/streams'/>",
                                 "<iq xmlns='jabber:server'/>"));
}

TEST(StreamParserLife, a_restart_in_the_middle_of_an_element_or_after_an_error_starts_clean) {
  Stream stream;
  stream.give(header + "<a><b>");
  stream.parser.restart();
  EXPECT_THAT(stream.give(header + "<c/>"), ElementsAre(::testing::StartsWith("open "), "<c xmlns='jabber:client'/>"));
  EXPECT_THAT(stream.give("</x>"), ElementsAre("error not_well_formed"));
  stream.parser.restart();
  EXPECT_THAT(stream.give(header + "<c/>"), ElementsAre(::testing::StartsWith("open "), "<c xmlns='jabber:client'/>"));
}

TEST(StreamParserLife, a_dead_parser_keeps_nothing_of_what_it_is_fed) {
  Stream stream;
  stream.give(header + "</x>");
  EXPECT_THAT(stream.give("<a/>"), ElementsAre("error not_well_formed"));
  EXPECT_EQ(stream.parser.take_rest(), "");
}

TEST(StreamParserLife, bytes_fed_before_the_earlier_ones_are_used_are_put_after_them) {
  Stream stream;
  const std::string first = header + "<a/><b";
  const std::string second = "/><c/>";
  stream.parser.feed(first);
  ASSERT_TRUE(std::holds_alternative<StreamOpen>(*stream.parser.next()));
  stream.parser.feed(second);
  std::vector<std::string> lines;
  collect(stream.parser, lines);
  EXPECT_THAT(lines,
              ElementsAre("<a xmlns='jabber:client'/>", "<b xmlns='jabber:client'/>", "<c xmlns='jabber:client'/>"));
}

TEST(StreamParserLife, a_slow_header_counts_as_begun) {
  Stream stream;
  EXPECT_FALSE(stream.parser.inside_element());
  stream.give(" <?xml vers");
  EXPECT_TRUE(stream.parser.inside_element());
  stream.give("ion='1.0'?>");
  EXPECT_FALSE(stream.parser.inside_element());
  stream.give("<stream:str");
  EXPECT_TRUE(stream.parser.inside_element());
}

TEST(StreamParserLife, an_empty_feed_changes_nothing) {
  Stream stream;
  EXPECT_THAT(stream.give(""), IsEmpty());
  stream.give(header + "<a><b");
  EXPECT_THAT(stream.give(""), IsEmpty());
  EXPECT_THAT(stream.give("/></a>"), ElementsAre("<a xmlns='jabber:client'><b/></a>"));
}

}  // namespace
}  // namespace kith::xml
