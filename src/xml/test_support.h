// What the tests of this room share: the events of a stream as lines of text. For tests only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xml/stream_parser.h"
#include "xml/writer.h"

namespace kith::xml::test_support {

inline constexpr std::string_view c2s_header =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' "
    "version='1.0'>";

inline std::string word(ParseError error) {
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
inline void collect(StreamParser& parser, std::vector<std::string>& lines) {
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

inline std::vector<std::string> events_of(const std::vector<std::string>& pieces, const XmlLimits& limits = {},
                                          Between between = Between::nothing) {
  StreamParser parser(limits);
  std::vector<std::string> lines;
  for (const std::string& piece : pieces) {
    parser.feed(piece);
    collect(parser, lines);
    if (between == Between::park) parser.park();
  }
  return lines;
}

inline std::vector<std::string> bytes_of(std::string_view text) {
  std::vector<std::string> pieces;
  for (const char c : text) pieces.emplace_back(1, c);
  return pieces;
}

/// The events after the header of a client's stream.
inline std::vector<std::string> events_after_header(std::string_view stream, const XmlLimits& limits = {}) {
  std::vector<std::string> lines = events_of({std::string(c2s_header) + std::string(stream)}, limits);
  if (!lines.empty() && lines.front().starts_with("open ")) lines.erase(lines.begin());
  return lines;
}

}  // namespace kith::xml::test_support
