#include "stream/dialback.h"

#include "base/digest.h"
#include "base/encoding.h"
#include "sasl/hash.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::stream {

std::string dialback_key(const Secret& secret, std::string_view receiving, std::string_view originating,
                         std::string_view stream_id) {
  const std::string key = hex_encode(sha256(secret.reveal()));
  std::string text(receiving);
  text.append(" ").append(originating).append(" ").append(stream_id);
  return hex_encode(sasl::hmac(sasl::Hash::sha256, key, text).reveal());
}

bool is_dialback_key(const Secret& secret, std::string_view receiving, std::string_view originating,
                     std::string_view stream_id, std::string_view key) {
  return equal_in_constant_time(dialback_key(secret, receiving, originating, stream_id), key);
}

xml::Element dialback_element(std::string_view name, std::string_view from, std::string_view to,
                              std::string_view type) {
  xml::Element element(name, ns::dialback);
  element.set("from", std::string(from)).set("to", std::string(to));
  if (!type.empty()) element.set("type", std::string(type));
  return element;
}

void write_between_servers(std::string& out, const xml::Element& element) {
  if (element.ns() != ns::dialback) return xml::write(out, element, xmpp::ns::server);
  const std::string name = "db:" + std::string(element.name());
  out += "<" + name;
  for (const xml::Attribute& attribute : element.attributes()) {
    out.append(" ").append(std::string_view(attribute.name)).append("='");
    xml::escape_attribute(out, attribute.value);
    out += '\'';
  }
  out += '>';
  xml::escape_text(out, element.text());
  element.for_each_child([&](const xml::Element& child) { xml::write(out, child, xmpp::ns::server); });
  out += "</" + name + ">";
}

}  // namespace kith::stream
