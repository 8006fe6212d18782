// Bytes and cut points for the stream parser: fed at once, in pieces, and in pieces with parking, moving and taking the
// rest between them, a stream must be told the same way, the first fault in it and its place among the events too. The
// trees must be bounded by the bytes, and well-formed UTF-8.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"

namespace {

using namespace kith::xml;

void require(bool good) {
  if (!good) std::abort();
}

struct Told {
  std::vector<std::string> lines;
  std::size_t tree_bytes = 0;
};

/// What a tree holds, as a sum of what its parts take.
std::size_t size_of(const Element& element) {
  std::size_t size = sizeof(Element) + element.name().size();
  require(kith::is_utf8(element.name()) && kith::is_utf8(element.ns()));
  for (const Attribute& attribute : element.attributes()) {
    size += sizeof(Attribute) + attribute.name.view().size() + attribute.value.size();
    require(kith::is_utf8(attribute.name) && kith::is_utf8(attribute.value));
  }
  for (const Element::Child& child : element.children()) {
    if (const auto* text = std::get_if<std::string>(&child)) {
      require(!text->empty() && kith::is_utf8(*text));
      size += sizeof(Element::Child) + text->size();
    } else {
      size += size_of(std::get<Element>(child));
    }
  }
  return size;
}

/// Takes all events there are; false after an error.
bool take_events(StreamParser& parser, Told& told) {
  for (;;) {
    auto event = parser.next();
    if (!event) {
      told.lines.push_back("error " + std::to_string(static_cast<int>(event.error())));
      return false;
    }
    if (std::holds_alternative<NeedMore>(*event)) return true;
    if (const auto* open = std::get_if<StreamOpen>(&*event)) {
      require(open->header.children().empty());
      told.lines.push_back("open " + open->default_ns + to_string(open->header));
      told.tree_bytes += size_of(open->header);
    } else if (const auto* element = std::get_if<Element>(&*event)) {
      told.lines.push_back(to_string(*element));
      told.tree_bytes += size_of(*element);
    } else {
      told.lines.emplace_back("close");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::uint8_t step = data[0];
  const std::uint8_t habits = data[1];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  kith::XmlLimits limits;
  if ((habits & 8U) != 0) {
    limits = {.element_bytes = 300,
              .depth = 3,
              .attributes = 4,
              .name_bytes = 40,
              .attribute_value_bytes = 60,
              .children = 5};
  }

  Told at_once;
  {
    StreamParser parser(limits);
    parser.feed(bytes);
    take_events(parser, at_once);
  }
  // The dearest bytes are "<a/>" and " a=''": an Element for four, an Attribute for five.
  require(at_once.tree_bytes <= 40 * size + 1000);

  Told in_pieces;
  {
    StreamParser parser(limits);
    std::size_t at = 0;
    std::uint32_t state = step;
    while (at < bytes.size()) {
      state = state * 1103515245U + 12345U;
      const std::size_t length = step < 64 ? 1 : 1 + (state >> 16U) % step;
      const std::string piece(bytes.substr(at, length));
      at += piece.size();
      parser.feed(piece);
      if (!take_events(parser, in_pieces)) break;
      if ((habits & 1U) != 0) parser.park();
      std::string rest;
      if ((habits & 2U) != 0) rest = parser.take_rest();
      if ((habits & 4U) != 0) {
        StreamParser elsewhere(std::move(parser));
        parser = std::move(elsewhere);
      }
      if (!rest.empty()) {
        parser.feed(rest);
        if (!take_events(parser, in_pieces)) break;
      }
    }
  }
  require(in_pieces.lines == at_once.lines);
  return 0;
}
