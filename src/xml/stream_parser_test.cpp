#include "xml/stream_parser.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xml/test_support.h"

namespace kith::xml {
namespace {

using namespace test_support;
using ::testing::ElementsAre;

/// Streams of every kind, each to be told the same way however it is cut.
const std::vector<std::string> streams = {
    std::string(c2s_header) + "<message to='a@example.org'><body>hi</body></message>\n<presence/> </stream:stream>",
    "<?xml version='1.0'?>" + std::string(c2s_header) + "<iq id='1' type='get'><query xmlns='jabber:iq:roster'/></iq>",
    "<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes' ?>\n" + std::string(c2s_header) + "<a b='&lt;&#x41;'/>",
    std::string(c2s_header) + "<message><body>\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 &amp;&#x1F600;</body></message>",
    std::string(c2s_header) + "<message><body><![CDATA[<b>]]]]><![CDATA[>]]></body></message><presence/>",
    std::string(c2s_header) + "<x xmlns='urn:x' xmlns:y='urn:y' y:a='1' a=\"2>'\" xml:lang='de'><y:z /></x >",
    std::string(c2s_header) + "<message><body>a\r\nb\rc\td</body></message>",
    "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'/>",
    "<stream xmlns='http://etherx.jabber.org/streams'><message xmlns='jabber:client'/></stream>  \n",
    std::string(c2s_header) + "</stream:stream>",
    std::string(c2s_header) + "</stream:strewn>",
    std::string(c2s_header) + "</stream:stream><a/>",
    std::string(c2s_header) + "<a></b>",
    std::string(c2s_header) + "<presence/><a><b></a></b>",
    std::string(c2s_header) + "<presence/>text<presence/>",
    std::string(c2s_header) + "<presence/>&amp;<presence/>",
    std::string(c2s_header) + "<presence/><![CDATA[x]]><presence/>",
    std::string(c2s_header) + "<presence/>\xff",
    std::string(c2s_header) + "<a>\xc0\x80</a>",
    std::string(c2s_header) + "<a>\xed\xa0\x80</a>",
    std::string(c2s_header) + "<a>\xf4\x90\x80\x80</a>",
    std::string(c2s_header) + "<a>\xe2\x82</a>",
    std::string(c2s_header) + "<a b='\xc3'/>",
    std::string(c2s_header) + "<a>\x01</a>",
    std::string(c2s_header) + "<a>]]></a>",
    std::string(c2s_header) + "<a>x & y</a>",
    std::string(c2s_header) + "<a>&foo;</a>",
    std::string(c2s_header) + "<a b='&foo;'/>",
    std::string(c2s_header) + "<a>&#0;</a>",
    std::string(c2s_header) + "<y:a/>",
    std::string(c2s_header) + "<a y:b='1'/>",
    std::string(c2s_header) + "<a b='1' b='2'/>",
    std::string(c2s_header) + "<a b='<'/>",
    std::string(c2s_header) + "<a b=c/>",
    std::string(c2s_header) + "<a <b/>",
    std::string(c2s_header) + "<a/ >",
    std::string(c2s_header) + "< a/>",
    std::string(c2s_header) + "<a'>'</a>",
    std::string(c2s_header) + "<a><!-- c --></a>",
    std::string(c2s_header) + "<!-- c -->",
    std::string(c2s_header) + "<a><?pi ?></a>",
    std::string(c2s_header) + "<?xml version='1.0'?>",
    std::string(c2s_header) + "<!DOCTYPE a>",
    std::string(c2s_header) + "<![IGNORE[",
    std::string(c2s_header) + "<a><![CDATX[x]]></a>",
    "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>" + std::string(c2s_header),
    "<?xml version='1.0'?><!DOCTYPE x SYSTEM 'file:///etc/passwd'>" + std::string(c2s_header),
    "<?xml version='1.0' encoding='ISO-8859-1'?>" + std::string(c2s_header),
    "<?xml version='1.0' encoding='UTF-16'?>" + std::string(c2s_header),
    "<?xml-stylesheet href='x'?>" + std::string(c2s_header),
    "<?xml encoding='UTF-8'?>" + std::string(c2s_header),
    "<?xml version='1.0'?><?xml version='1.0'?>" + std::string(c2s_header),
    std::string("\xff\xfe<\0s\0", 6),
    std::string("\xfe\xff\0<\0s", 6),
    std::string("<\0s\0t\0r\0", 8),
    std::string("\0<\0s\0t\0r", 8),
    "\xef\xbb\xbf" + std::string(c2s_header),
    "hello",
    "</a>",
    "<a",
};

TEST(StreamParser, events_are_the_same_wherever_the_stream_is_cut_in_two) {
  for (const std::string& stream : streams) {
    const auto expected = events_of({stream});
    for (std::size_t at = 0; at <= stream.size(); ++at) {
      EXPECT_EQ(events_of({stream.substr(0, at), stream.substr(at)}), expected) << stream << " cut at " << at;
    }
  }
}

TEST(StreamParser, events_are_the_same_byte_by_byte) {
  for (const std::string& stream : streams) {
    EXPECT_EQ(events_of(bytes_of(stream)), events_of({stream})) << stream;
  }
}

TEST(StreamParser, events_are_the_same_when_the_parser_is_parked_after_every_byte) {
  for (const std::string& stream : streams) {
    EXPECT_EQ(events_of(bytes_of(stream), {}, Between::park), events_of({stream})) << stream;
  }
}

TEST(StreamParser, a_stream_opens_with_its_attributes_and_default_namespace) {
  StreamParser parser(XmlLimits{});
  parser.feed(
      "<?xml version='1.0'?><stream:stream to='example.org' xml:lang='de' xmlns='jabber:client' "
      "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>");
  const auto event = parser.next();
  ASSERT_TRUE(event);
  const auto* open = std::get_if<StreamOpen>(&*event);
  ASSERT_NE(open, nullptr);
  EXPECT_TRUE(open->header.is("stream", "http://etherx.jabber.org/streams"));
  EXPECT_EQ(open->header.attribute("to"), "example.org");
  EXPECT_EQ(open->header.attribute("lang", ns_xml), "de");
  EXPECT_EQ(open->header.attributes().size(), 3U);
  EXPECT_TRUE(open->header.children().empty());
  EXPECT_EQ(open->default_ns, "jabber:client");
}

TEST(StreamParser, elements_come_with_namespaces_text_and_attributes_resolved) {
  EXPECT_THAT(events_after_header("<message to='a@b'><body>1 &lt; 2 &amp; &#x1F600;</body><x xmlns='jabber:x:oob'/>"
                                  "</message>\n <presence/></stream:stream>"),
              ElementsAre("<message xmlns='jabber:client' to='a@b'><body>1 &lt; 2 &amp; \xf0\x9f\x98\x80</body>"
                          "<x xmlns='jabber:x:oob'/></message>",
                          "<presence xmlns='jabber:client'/>", "close"));
  EXPECT_THAT(events_after_header("<p:a xmlns:p='urn:p' p:b='1' b='2'><c xmlns=''/></p:a>"),
              ElementsAre("<a xmlns='urn:p' xmlns:n0='urn:p' n0:b='1' b='2'><c xmlns=''/></a>"));
}

TEST(StreamParser, cdata_and_line_ends_are_read_as_xml_says) {
  EXPECT_THAT(events_after_header("<a><![CDATA[<b>&amp;]]]]><![CDATA[>]]></a>"),
              ElementsAre("<a xmlns='jabber:client'>&lt;b&gt;&amp;amp;]]&gt;</a>"));
  EXPECT_THAT(events_after_header("<a b='x\r\ny\tz&#13;'>1\r\n2\r3&#13;</a>"),
              ElementsAre("<a xmlns='jabber:client' b='x y z&#13;'>1\n2\n3&#13;</a>"));
}

struct Attack {
  std::string after_header;
  std::string answer;
};

TEST(StreamParser, refuses_what_a_stream_must_not_contain) {
  const Attack attacks[] = {
      // RFC 6120 §11.1: restricted XML, wherever it stands.
      {"<!DOCTYPE a>", "restricted_xml"},
      {"<!D", "restricted_xml"},
      {"<!ENTITY a 'b'>", "restricted_xml"},
      {"<a><!DOCTYPE a [<!ENTITY b 'c'>]>&b;</a>", "restricted_xml"},
      {"<a>&lol;</a>", "restricted_xml"},
      {"<a b='&lol;'/>", "restricted_xml"},
      {"<!-", "restricted_xml"},
      {"<a><!-- c --></a>", "restricted_xml"},
      {"<?php", "restricted_xml"},
      {"<a><?pi?></a>", "restricted_xml"},
      {"<?xml version='1.0'?>", "restricted_xml"},
      // UTF-8 that is none (CVE-2022-25235): in text, attributes, names, between elements.
      {"<a>\xc0\xaf</a>", "not_well_formed"},
      {"<a>\xe0\x80\xaf</a>", "not_well_formed"},
      {"<a>\xed\xa0\x80</a>", "not_well_formed"},
      {"<a>\xf4\x90\x80\x80</a>", "not_well_formed"},
      {"<a>\xe2\x82</a>", "not_well_formed"},
      {"<a>\xff</a>", "not_well_formed"},
      {"<a>\xef\xbf\xbf</a>", "not_well_formed"},
      {"<a b='\xc3'/>", "not_well_formed"},
      {"<\xe0\x80\x80/>", "not_well_formed"},
      {"<a\xc3>", "not_well_formed"},
      {"\xff", "not_well_formed"},
      // Characters that XML does not have, CVE-2022-25236's separator among them.
      {std::string("<a>\0</a>", 8), "not_well_formed"},
      {"<a>\x01</a>", "not_well_formed"},
      {"<a xmlns='jabber:client\x01"
       "b'/>",
       "not_well_formed"},
      {"<a xmlns='jabber:client&#1;b'/>", "not_well_formed"},
      {"<a>&#0;</a>", "not_well_formed"},
      {"<a>&#xD800;</a>", "not_well_formed"},
      {"<a>&#x110000;</a>", "not_well_formed"},
      // Names and structure.
      {"<y:a/>", "not_well_formed"},
      {"<a y:b='1'/>", "not_well_formed"},
      {"<a xmlns:y=''/>", "not_well_formed"},
      {"<a xmlns:xml='urn:x'/>", "not_well_formed"},
      {"<a xmlns:xmlns='urn:x'/>", "not_well_formed"},
      {"<a b='1' b='2'/>", "not_well_formed"},
      {"<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", "not_well_formed"},
      {"<a></b>", "not_well_formed"},
      {"<a><b></a></b>", "not_well_formed"},
      {"<a><b></stream:stream>", "not_well_formed"},
      {"</message>", "not_well_formed"},
      {"<a b=c>", "not_well_formed"},
      {"<a b='<'", "not_well_formed"},
      {"<a <", "not_well_formed"},
      {"< a>", "not_well_formed"},
      {"<>", "not_well_formed"},
      {"<a/ >", "not_well_formed"},
      {"<1/>", "not_well_formed"},
      {"<a'>'</a>", "not_well_formed"},
      {"<a b='1'c='2'/>", "not_well_formed"},
      {"<a>]]></a>", "not_well_formed"},
      {"<a>AT&T</a>", "not_well_formed"},
      {"<a>x & y", "not_well_formed"},
      {"<a>&;</a>", "not_well_formed"},
      {"<a><![CDAT[", "not_well_formed"},
      {"<a><![cdata[x]]></a>", "not_well_formed"},
      {"<stream:stream></stream:stream></stream:stream><a/>", "not_well_formed"},
      // Text between stanzas.
      {"text", "bad_format"},
      {"&#32;", "bad_format"},
      {"<![CDATA[ ]]>", "bad_format"},
      {"\xc3\xa4", "bad_format"},
  };
  for (const auto& [stream, answer] : attacks) {
    const auto lines = events_after_header(stream);
    ASSERT_FALSE(lines.empty()) << stream;
    EXPECT_EQ(lines.back(), "error " + answer) << stream;
    // The same with what it has freed between them, and a byte at a time.
    const auto slowly = events_of(bytes_of(std::string(c2s_header) + stream), {}, Between::park);
    EXPECT_EQ(slowly.back(), "error " + answer) << stream;
  }
}

TEST(StreamParser, refuses_what_must_not_stand_before_the_header) {
  const std::string header(c2s_header);
  const std::string laughs =
      "<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;'>]>";
  const Attack attacks[] = {
      {laughs + header, "restricted_xml"},
      {"<?xml version='1.0'?>\n" + laughs + header, "restricted_xml"},
      {"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>", "restricted_xml"},
      {"<!-- hello -->" + header, "restricted_xml"},
      {"<?pi?>" + header, "restricted_xml"},
      {"<?xml version='1.0'?><?xml version='1.0'?>" + header, "restricted_xml"},
      {"<?xml-stylesheet href='x'?>" + header, "restricted_xml"},
      {"<?xml version='1.0' encoding='ISO-8859-1'?>", "unsupported_encoding"},
      {"<?xml version='1.0' encoding='us-ascii'?>", "unsupported_encoding"},
      {"<?xml version='1.0' encoding='UTF-16'?>", "unsupported_encoding"},
      {"<?xml version='1.0' encoding='x'?>", "unsupported_encoding"},
      {std::string("\xff\xfe<\0s\0", 6), "unsupported_encoding"},
      {std::string("\xfe\xff\0<\0s", 6), "unsupported_encoding"},
      {std::string("<\0s\0", 4), "unsupported_encoding"},
      {std::string("\0<\0s", 4), "unsupported_encoding"},
      {"\xef\xbb\xbf" + header, "not_well_formed"},
      {"<?xml?>" + header, "not_well_formed"},
      {"<?xml encoding='UTF-8'?>", "not_well_formed"},
      {"<?xml version='2.0'?>", "not_well_formed"},
      {"<?xml version='1.0' standalone='maybe'?>", "not_well_formed"},
      {"<?xml version='1.0' standalone='yes' encoding='UTF-8'?>", "not_well_formed"},
      {"<?xml version='1.0'encoding='UTF-8'?>", "not_well_formed"},
      {"<?xml version='1.0\"?>", "not_well_formed"},
      {"<?xml version='1.0' ?"
       "?>",
       "not_well_formed"},
      {"<?xml version='1.0'" + std::string(300, ' '), "not_well_formed"},
      {"GET / HTTP/1.1\r\n", "not_well_formed"},
      {"\x16\x03\x01", "not_well_formed"},
      {"</stream:stream>", "not_well_formed"},
      {"<![CDATA[x]]>", "not_well_formed"},
      {"<stream:stream xmlns='jabber:client'>", "not_well_formed"},
      {"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' a=b>", "not_well_formed"},
  };
  for (const auto& [stream, answer] : attacks) {
    EXPECT_THAT(events_of({stream}), ElementsAre("error " + answer)) << stream;
    EXPECT_THAT(events_of(bytes_of(stream), {}, Between::park), ElementsAre("error " + answer)) << stream;
  }
}

TEST(StreamParser, an_xml_declaration_in_utf_8_is_welcome_in_every_spelling) {
  for (const std::string declaration :
       {"<?xml version='1.0'?>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<?xml version='1.0' encoding='utf-8' ?>", "<?xml\tversion = '1.1'\nencoding = 'Utf-8' standalone = 'no'?>\r\n",
        "\n <?xml version='1.0' standalone='yes'?>"}) {
    EXPECT_EQ(events_of({declaration + std::string(c2s_header)}), events_of({std::string(c2s_header)})) << declaration;
  }
}

TEST(StreamParser, is_dead_after_an_error) {
  StreamParser parser(XmlLimits{});
  std::vector<std::string> lines;
  parser.feed(c2s_header);
  collect(parser, lines);
  parser.feed("<a></b><presence/>");
  EXPECT_EQ(parser.next().error(), ParseError::not_well_formed);
  EXPECT_EQ(parser.next().error(), ParseError::not_well_formed);
  parser.feed("<presence/>");
  EXPECT_EQ(parser.next().error(), ParseError::not_well_formed);
}

TEST(ParseElement, reads_one_element_and_nothing_else) {
  const auto element = parse_element(" <message to='a'><body>hi</body></message>\n", "jabber:client");
  ASSERT_TRUE(element);
  EXPECT_TRUE(element->is("message", "jabber:client"));
  EXPECT_EQ(element->child("body", "jabber:client")->text(), "hi");
  EXPECT_EQ(parse_element("<a/>")->ns(), "");
  EXPECT_EQ(parse_element("<?xml version='1.0' encoding='UTF-8'?><a xmlns='urn:a'/>")->ns(), "urn:a");
  EXPECT_EQ(parse_element("<stream:features/>")->ns(), "http://etherx.jabber.org/streams");
  EXPECT_EQ(parse_element("<a xmlns=''/>", "jabber:client")->ns(), "");
}

TEST(ParseElement, refuses_all_that_is_not_one_whole_element) {
  const std::pair<std::string_view, ParseError> texts[] = {
      {"", ParseError::not_well_formed},
      {" ", ParseError::not_well_formed},
      {"<a", ParseError::not_well_formed},
      {"<a>", ParseError::not_well_formed},
      {"<a/><b/>", ParseError::not_well_formed},
      {"<a/><b", ParseError::not_well_formed},
      {"<a/>x", ParseError::bad_format},
      {"x", ParseError::bad_format},
      {"</stream:stream>", ParseError::not_well_formed},
      {"<a/></stream:stream>", ParseError::not_well_formed},
      {"<?xml version='1.0'", ParseError::not_well_formed},
      {"<?xml version='1.0' encoding='latin1'?><a/>", ParseError::unsupported_encoding},
      {"<!DOCTYPE a><a/>", ParseError::restricted_xml},
  };
  for (const auto& [text, error] : texts) {
    const auto element = parse_element(text);
    ASSERT_FALSE(element) << text;
    EXPECT_EQ(element.error(), error) << text;
  }
}

TEST(ParseElement, a_default_namespace_of_odd_characters_is_kept) {
  EXPECT_EQ(parse_element("<a/>", "urn:'<&\">")->ns(), "urn:'<&\">");
}

}  // namespace
}  // namespace kith::xml
