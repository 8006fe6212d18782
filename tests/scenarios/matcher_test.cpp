#include "matcher.h"

#include <gtest/gtest.h>

#include "xml/stream_parser.h"

namespace kith::scenario {
namespace {

xml::Element element(const std::string& text) {
  const auto parsed =
      xml::parse_element("<e xmlns='jabber:client' xmlns:scansion='" + std::string(ns_scansion) + "'>" + text + "</e>");
  EXPECT_TRUE(parsed) << text;
  return *parsed->first_child();
}

std::string difference_of(const std::string& expected, const std::string& actual, Rules rules) {
  Captures captures;
  return difference(element(expected), element(actual), captures, rules);
}
bool matches(const std::string& expected, const std::string& actual, Rules rules) {
  return difference_of(expected, actual, rules).empty();
}

const std::string message = "<message from='a@b' to='c@d'><thread>t</thread><body>hi</body></message>";

TEST(Matcher, by_the_formats_rules_a_stanza_may_have_more_and_in_any_order) {
  EXPECT_TRUE(matches("<message><body>hi</body></message>", message, Rules::of_the_format));
  EXPECT_TRUE(matches("<message><body>hi</body><thread/></message>", message, Rules::of_the_format));
  EXPECT_EQ(difference_of("<message><body>ho</body></message>", message, Rules::of_the_format),
            "<message> has no child like <body>");
  EXPECT_EQ(difference_of("<message id='1'/>", message, Rules::of_the_format), "<message> has no attribute id");
}

TEST(Matcher, strictly_only_the_stanza_may_have_more_attributes) {
  EXPECT_TRUE(matches("<message><thread>t</thread><body>hi</body></message>", message, Rules::strict));
  EXPECT_EQ(difference_of("<message><body>hi</body></message>", message, Rules::strict),
            "<message> has 2 children, not 1");
  EXPECT_EQ(difference_of("<message><body>hi</body><thread>t</thread></message>", message, Rules::strict),
            "expected <body>, got <thread>");
  EXPECT_EQ(difference_of("<iq><error/></iq>", "<iq><error type='cancel'/></iq>", Rules::strict),
            "<error> has more attributes than expected");
}

TEST(Matcher, what_has_a_namespace_of_its_own_is_strict_by_both_rules) {
  const std::string query = "<iq><query xmlns='q'><a/><b/></query></iq>";
  for (const Rules rules : {Rules::of_the_format, Rules::strict}) {
    EXPECT_TRUE(matches(query, query, rules));
    EXPECT_EQ(difference_of("<iq><query xmlns='q'><b/></query></iq>", query, Rules::strict),
              "<query> has 2 children, not 1");
    EXPECT_FALSE(matches("<iq><query xmlns='q'><b/></query></iq>", query, rules));
    EXPECT_TRUE(matches("<iq><query xmlns='q' scansion:strict='false'><b/></query></iq>", query, rules));
    EXPECT_FALSE(matches("<iq><query xmlns='q'><b/><a/></query></iq>", query, rules));
    EXPECT_FALSE(matches("<iq><query xmlns='r'><a/><b/></query></iq>", query, rules));
  }
}

TEST(Matcher, a_stanza_that_says_that_it_is_strict_has_exactly_its_attributes) {
  for (const Rules rules : {Rules::of_the_format, Rules::strict}) {
    EXPECT_FALSE(matches("<presence scansion:strict='true' to='c@d'/>", "<presence from='a@b' to='c@d'/>", rules));
    EXPECT_TRUE(matches("<presence scansion:strict='true' to='c@d'/>", "<presence to='c@d'/>", rules));
  }
}

TEST(Matcher, a_captured_value_must_come_again) {
  Captures captures;
  const xml::Element expected = element("<presence id='{scansion:capture:x}' to='{scansion:any}'/>");
  EXPECT_EQ(difference(expected, element("<presence id='1'/>"), captures, Rules::of_the_format),
            "<presence> has no attribute to");
  EXPECT_EQ(captures.size(), 0U) << "what did not match captures nothing";
  EXPECT_EQ(difference(expected, element("<presence id='2' to='a'/>"), captures, Rules::of_the_format), "");
  EXPECT_EQ(difference(expected, element("<presence id='2' to='b'/>"), captures, Rules::of_the_format), "");
  EXPECT_NE(difference(expected, element("<presence id='3' to='b'/>"), captures, Rules::of_the_format), "");
}

}  // namespace
}  // namespace kith::scenario
