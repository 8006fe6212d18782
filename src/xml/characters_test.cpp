#include "xml/characters.h"

#include <string>

#include <expat.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "xml/stream_parser.h"

namespace kith::xml {
namespace {

constexpr char32_t last_of_all = 0x10ffff;

std::string utf8(char32_t point) {
  std::array<char, 4> bytes{};
  const std::size_t size = to_utf8(point, bytes);
  return {bytes.data(), size};
}

bool expat_accepts(const std::string& text) {
  XML_Parser parser = XML_ParserCreateNS("UTF-8", '\x01');
  const bool good = XML_Parse(parser, text.data(), static_cast<int>(text.size()), XML_TRUE) == XML_STATUS_OK;
  XML_ParserFree(parser);
  return good;
}

bool we_accept(const std::string& text) { return parse_element(text).has_value(); }

/// Every third character, and all near the edges of ranges, which the first 0x3200 are full of.
char32_t next_to_ask(char32_t point) { return point < 0x3200 ? point + 1 : point + 3; }

TEST(Characters, names_are_made_of_what_expat_takes_for_names) {
  for (char32_t point = 0x20; point <= 0xffff; point = next_to_ask(point)) {
    const std::string c = utf8(point);
    if (point == '/' || point == '>' || point == ':') continue;
    EXPECT_EQ(we_accept("<" + c + "/>"), expat_accepts("<" + c + "/>")) << std::hex << static_cast<unsigned>(point);
    EXPECT_EQ(we_accept("<a" + c + "/>"), expat_accepts("<a" + c + "/>")) << std::hex << static_cast<unsigned>(point);
  }
  EXPECT_FALSE(we_accept("<\xf0\x90\x80\x80/>")) << "the fifth edition's names only";
  EXPECT_FALSE(expat_accepts("<\xf0\x90\x80\x80/>"));
}

TEST(Characters, references_are_to_characters_of_xml_only) {
  for (const char32_t point :
       {0x0U,    0x1U,    0x8U,    0x9U,    0xaU,    0xbU,    0xdU,    0x1fU,    0x20U,    0x7fU,     0x80U,
        0xd7ffU, 0xd800U, 0xdfffU, 0xe000U, 0xfffdU, 0xfffeU, 0xffffU, 0x10000U, 0x1fffeU, 0x10ffffU, 0x110000U}) {
    const std::string text = "<a>&#" + std::to_string(point) + ";</a>";
    EXPECT_EQ(we_accept(text), expat_accepts(text)) << text;
    EXPECT_EQ(we_accept(text), is_character(point)) << text;
  }
  EXPECT_FALSE(we_accept("<a>&#99999999999999999999;</a>"));
  EXPECT_FALSE(we_accept("<a>&#4294967361;</a>")) << "2 to the 32nd and 'A'";
  EXPECT_FALSE(we_accept("<a>&#xfffffffff0000041;</a>"));
}

TEST(Characters, utf8_is_taken_byte_by_byte_as_it_is_taken_whole) {
  for (char32_t point = 0x80; point <= last_of_all; point += 7) {
    const std::string c = utf8(point);
    PartialCharacter character;
    bool good = true;
    for (const char byte : c) good = good && character.take(byte);
    EXPECT_EQ(good, is_character(point)) << std::hex << static_cast<unsigned>(point);
    EXPECT_EQ(whole_character(c.data(), c.data() + c.size()), good ? c.size() : 0);
    if (good) {
      EXPECT_FALSE(character.unfinished());
      EXPECT_EQ(character.point(), point);
    }
  }
}

TEST(Characters, no_three_bytes_are_taken_that_are_no_utf8) {
  std::string text(3, '\0');
  for (unsigned first = 0x80; first <= 0xff; ++first) {
    for (unsigned second = 0; second <= 0xff; ++second) {
      for (const unsigned third : {0x00U, 0x41U, 0x7fU, 0x80U, 0x8fU, 0x90U, 0xbdU, 0xbeU, 0xbfU, 0xc0U, 0xffU}) {
        text[0] = static_cast<char>(first);
        text[1] = static_cast<char>(second);
        text[2] = static_cast<char>(third);
        const std::size_t size = whole_character(text.data(), text.data() + 3);
        if (size != 0) {
          EXPECT_TRUE(is_utf8(text.substr(0, size)));
        }
        const bool noncharacter = text == "\xef\xbf\xbe" || text == "\xef\xbf\xbf";
        EXPECT_EQ(size == 3, first >= 0xe0 && is_utf8(text) && !noncharacter);
      }
    }
  }
}

}  // namespace
}  // namespace kith::xml
