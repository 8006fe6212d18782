#include "xml/stream_parser.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xml/writer.h"

namespace kith::xml {
namespace {

constexpr std::string_view c2s_header =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' "
    "version='1.0'>";

std::string word(ParseError error) {
  switch (error) {
    case ParseError::not_well_formed:
      return "not_well_formed";
    case ParseError::restricted_xml:
      return "restricted_xml";
    case ParseError::unsupported_encoding:
      return "unsupported_encoding";
    case ParseError::limit_bytes:
      return "limit_bytes";
    case ParseError::limit_structure:
      return "limit_structure";
    case ParseError::bad_format:
      return "bad_format";
  }
  return "?";
}

/// All events as text, one line each, until nothing more comes; an error is the last line.
void collect(StreamParser& parser, std::vector<std::string>& lines) {
  for (;;) {
    auto event = parser.next();
    if (!event) {
      const std::string line = "error " + word(event.error());
      if (lines.empty() || lines.back() != line) lines.push_back(line);
      return;
    }
    if (std::holds_alternative<NeedMore>(*event)) return;
    if (const auto* open = std::get_if<StreamOpen>(&*event)) {
      lines.push_back("open " + open->default_ns + " " + to_string(open->header));
    } else if (const auto* element = std::get_if<Element>(&*event)) {
      lines.push_back(to_string(*element));
    } else {
      lines.emplace_back("close");
    }
  }
}

enum class Between { nothing, park };

std::vector<std::string> events_of(const std::vector<std::string>& pieces, const XmlLimits& limits = {},
                                   Between between = Between::nothing) {
  ExpatPool pool;
  StreamParser parser(pool, limits);
  std::vector<std::string> lines;
  for (const std::string& piece : pieces) {
    parser.feed(piece);
    collect(parser, lines);
    if (between == Between::park) parser.park();
  }
  return lines;
}

std::vector<std::string> bytes_of(std::string_view text) {
  std::vector<std::string> pieces;
  for (const char c : text) pieces.emplace_back(1, c);
  return pieces;
}

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

}  // namespace
}  // namespace kith::xml
