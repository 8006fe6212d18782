#include "stream/authenticate.h"

#include <algorithm>

#include "base/encoding.h"
#include "stream/management.h"
#include "stream/upgrade.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::stream {

namespace ns = xmpp::ns;

namespace {

constexpr std::size_t uuid_length = 36;

/// XEP-0388 §2.3: a UUID. SECURITY: it becomes a key of what is stored, so nothing else is taken.
std::optional<std::string> read_uuid(std::string_view text) {
  if (text.size() != uuid_length) return std::nullopt;
  std::string uuid(text);
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    char& c = uuid[i];
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (dash ? c != '-' : !hex) return std::nullopt;
  }
  return uuid;
}

/// Cut at a character's end.
std::string shown(std::string text) {
  if (text.size() <= UserAgent::most_bytes) return text;
  std::size_t end = UserAgent::most_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text.resize(end);
  return text;
}

std::string text_of(const xml::Element& parent, std::string_view name) {
  const xml::Element* child = parent.child(name, ns::sasl2);
  return child == nullptr ? std::string() : shown(child->text());
}

}  // namespace

std::expected<Authenticate, sasl::Failure> read_authenticate(const xml::Element& authenticate) {
  Authenticate read{.mechanism = std::string(authenticate.attribute("mechanism").value_or(""))};
  if (const xml::Element* initial = authenticate.child("initial-response", ns::sasl2))
    read.initial_response = initial->text();
  Wishes& wishes = read.wishes;
  if (const xml::Element* agent = authenticate.child("user-agent", ns::sasl2)) {
    if (const auto id = agent->attribute("id")) {
      const auto uuid = read_uuid(*id);
      if (!uuid) return std::unexpected(sasl::Failure::malformed_request);
      wishes.agent.id = *uuid;
    }
    wishes.agent.software = text_of(*agent, "software");
    wishes.agent.device = text_of(*agent, "device");
  }
  if (const xml::Element* resume = authenticate.child("resume", ns::sm)) {
    const auto previd = resume->attribute("previd");
    const auto h = read_h(*resume);
    if (!previd || !h) return std::unexpected(sasl::Failure::malformed_request);
    wishes.resume = Resume{std::string(*previd), *h};
  }
  if (const xml::Element* bind = authenticate.child("bind", ns::bind2)) wishes.bind = *bind;
  wishes.upgrades = read_upgrades(authenticate);
  if (const xml::Element* request = authenticate.child("request-token", ns::fast))
    wishes.token_mechanism = request->attribute("mechanism").value_or("");
  if (const xml::Element* fast = authenticate.child("fast", ns::fast)) {
    // XEP-0484 §4.1: tokens are a client's, so it must say which it is.
    if (wishes.agent.id.empty()) return std::unexpected(sasl::Failure::malformed_request);
    const auto invalidate = fast->attribute("invalidate");
    wishes.fast = true;
    wishes.invalidate = invalidate == "1" || invalidate == "true";
  }
  return read;
}

std::string resource_of(const xml::Element& bind, std::string_view suffix) {
  const xml::Element* tag = bind.child("tag", ns::bind2);
  const std::string text = tag == nullptr ? std::string() : shown(tag->text());
  if (!text.empty()) {
    if (const auto resource = xmpp::prepare_resourcepart(text + "/" + std::string(suffix))) return *resource;
  }
  return std::string(suffix);
}

xml::Element authentication_feature(const std::vector<std::string>& mechanisms,
                                    const std::vector<std::string>& token_mechanisms, xml::Element bind_inline) {
  xml::Element feature("authentication", ns::sasl2);
  for (const std::string& name : mechanisms) feature.add_text_child("mechanism", name);
  xml::Element inner("inline", ns::sasl2);
  inner.add(xml::Element("sm", ns::sm));
  xml::Element bind("bind", ns::bind2);
  bind.add(std::move(bind_inline));
  inner.add(std::move(bind));
  if (!token_mechanisms.empty()) {
    xml::Element fast("fast", ns::fast);
    for (const std::string& name : token_mechanisms) fast.add_text_child("mechanism", name);
    inner.add(std::move(fast));
  }
  feature.add(std::move(inner));
  offer_upgrades(feature);
  return feature;
}

xml::Element token_element(std::string_view token, std::string_view expiry) {
  xml::Element element("token", ns::fast);
  element.set("token", std::string(token)).set("expiry", std::string(expiry));
  return element;
}

xml::Element success_element(std::string_view data, std::string_view identifier, std::vector<xml::Element> inner) {
  xml::Element success("success", ns::sasl2);
  if (!data.empty()) success.add_text_child("additional-data", base64_encode(data));
  success.add_text_child("authorization-identifier", identifier);
  for (xml::Element& element : inner) success.add(std::move(element));
  return success;
}

}  // namespace kith::stream
