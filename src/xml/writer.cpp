#include "xml/writer.h"

#include <array>

#include "base/encoding.h"

namespace kith::xml {
namespace {

constexpr std::string_view ns_streams = "http://etherx.jabber.org/streams";
/// What stands in for bytes that XML cannot carry: U+FFFD.
constexpr std::string_view replacement = "\xef\xbf\xbd";

enum class Place { text, attribute };

/// True for the bytes that go out as they are: printable ASCII but the five, and white space where it survives.
template <Place place>
constexpr std::array<bool, 256> plain_bytes() {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) plain.at(c) = true;
  plain['&'] = plain['<'] = plain['>'] = false;
  if constexpr (place == Place::attribute) {
    plain['"'] = plain['\''] = false;
  } else {
    plain['\t'] = plain['\n'] = true;
  }
  return plain;
}

template <Place place>
constexpr std::array<bool, 256> plain = plain_bytes<place>();

/// Appends the character at the start of `text`, which is not ASCII, and returns its length. Trees from the parser hold
/// nothing but well-formed UTF-8; what was built from elsewhere must not end the peer's stream.
std::size_t append_multibyte(std::string& out, std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  const std::string_view sequence = text.substr(0, length);
  const bool noncharacter = sequence == "\xef\xbf\xbe" || sequence == "\xef\xbf\xbf";
  if (sequence.size() < length || noncharacter || !is_utf8(sequence)) {
    out += replacement;
    return noncharacter ? length : 1;
  }
  out += sequence;
  return length;
}

template <Place place>
void escape(std::string& out, std::string_view text) {
  std::size_t from = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (plain<place>[c]) {
      ++at;
      continue;
    }
    out.append(text, from, at - from);
    std::size_t length = 1;
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      case '\t':
        out += "&#9;";
        break;
      case '\n':
        out += "&#10;";
        break;
      case '\r':
        out += "&#13;";
        break;
      default:
        if (c >= 0x80) {
          length = append_multibyte(out, text.substr(at));
        } else {
          out += replacement;  // a control character
        }
    }
    at += length;
    from = at;
  }
  out.append(text, from, at - from);
}

void append_attribute(std::string& out, std::string_view name, std::string_view value) {
  out.append(" ").append(name).append("='");
  escape<Place::attribute>(out, value);
  out += '\'';
}

void append_attributes(std::string& out, const std::vector<Attribute>& attributes) {
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    const Attribute& attribute = attributes[i];
    if (attribute.ns.empty()) {
      append_attribute(out, attribute.name, attribute.value);
      continue;
    }
    if (attribute.ns == ns_xml) {
      append_attribute(out, std::string("xml:").append(attribute.name), attribute.value);
      continue;
    }
    // A prefix for each namespace, named after the first attribute that needs it, and declared there.
    std::size_t first = 0;
    while (attributes[first].ns != attribute.ns) ++first;
    const std::string prefix = "n" + std::to_string(first);
    if (first == i) append_attribute(out, "xmlns:" + prefix, attribute.ns);
    append_attribute(out, prefix + ":" + std::string(attribute.name.view()), attribute.value);
  }
}

/// What stands before the element's name, its colon included; nothing if its namespace is to be the default.
/// SECURITY: Namespaces in XML 1.0 §3 lets nobody declare the namespace of `xml:` as the default. Every reader would
/// refuse that, and with one <xml:a/> in a message anyone could end another's stream.
std::string_view prefix_of(const Element& element, bool stream_prefix) {
  if (stream_prefix && element.ns() == ns_streams) return "stream:";
  return element.ns() == ns_xml ? "xml:" : "";
}

}  // namespace

void write(std::string& out, const Element& element, std::string_view default_ns, bool stream_prefix) {
  const std::string_view prefix = prefix_of(element, stream_prefix);
  const auto append_name = [&] { out.append(prefix).append(element.name()); };
  out += '<';
  append_name();
  std::string_view inner_ns = default_ns;
  if (prefix.empty() && element.ns() != default_ns) {
    append_attribute(out, "xmlns", element.ns());
    inner_ns = element.ns();
  }
  append_attributes(out, element.attributes());
  if (element.children().empty()) {
    out += "/>";
    return;
  }
  out += '>';
  for (const Element::Child& child : element.children()) {
    if (const auto* text = std::get_if<std::string>(&child)) {
      escape<Place::text>(out, *text);
    } else {
      write(out, std::get<Element>(child), inner_ns, stream_prefix);
    }
  }
  out += "</";
  append_name();
  out += '>';
}

std::string to_string(const Element& element, std::string_view default_ns) {
  std::string out;
  // The text must stand for itself, so nothing is taken for declared but the default namespace that was named.
  write(out, element, default_ns, false);
  return out;
}

void write_stream_open(std::string& out, std::string_view default_ns,
                       const std::vector<std::pair<std::string_view, std::string>>& attributes) {
  out += "<?xml version='1.0'?><stream:stream";
  append_attribute(out, "xmlns", default_ns);
  append_attribute(out, "xmlns:stream", ns_streams);
  for (const auto& [name, value] : attributes) append_attribute(out, name, value);
  out += '>';
}

void write_stream_close(std::string& out) { out += "</stream:stream>"; }

void escape_attribute(std::string& out, std::string_view text) { escape<Place::attribute>(out, text); }

void escape_text(std::string& out, std::string_view text) { escape<Place::text>(out, text); }

}  // namespace kith::xml
