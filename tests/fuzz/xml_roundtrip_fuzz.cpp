// What is written reads as the same tree: for elements that were parsed, after a change of namespace between client and
// server, and for elements built from arbitrary text.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "xml/stream_parser.h"
#include "xml/writer.h"

namespace {

using namespace kith::xml;

void require(bool good) {
  if (!good) std::abort();
}

/// Wide enough for what escaping adds.
constexpr kith::XmlLimits wide{.element_bytes = 1U << 24U,
                               .depth = 100,
                               .attributes = 200,
                               .name_bytes = 1U << 20U,
                               .attribute_value_bytes = 1U << 24U,
                               .children = 100'000,
                               .tree_bytes = 1U << 30U};

void round_trip(const Element& element, std::string_view default_ns) {
  std::string text;
  write(text, element, default_ns);
  const auto back = parse_element(text, default_ns, wide);
  require(back.has_value() && *back == element);
  const auto alone = parse_element(to_string(element), {}, wide);
  require(alone.has_value() && *alone == element);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto element = parse_element(bytes, "jabber:client")) {
    round_trip(*element, "jabber:client");
    round_trip(*element, "jabber:server");
    element->replace_namespace("jabber:client", "jabber:server");
    round_trip(*element, "jabber:server");
  }
  // Whatever a text holds, the reader gets one element with that text, or with replacements, and never more.
  Element built("a", "jabber:client");
  built.set("b", std::string(bytes)).set("c", ns_xml, std::string(bytes)).set("d", "urn:d", "1").add_text(bytes);
  built.add(Element("e", "http://etherx.jabber.org/streams"));
  std::string text;
  write(text, built, "jabber:client");
  const auto back = parse_element(text, "jabber:client", wide);
  require(back.has_value() && back->child_element_count() == 1 && back->attributes().size() == 3);
  require(back->attribute("b") == back->attribute("c", ns_xml));
  round_trip(*back, "jabber:client");
  return 0;
}
