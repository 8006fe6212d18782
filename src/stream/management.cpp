#include "stream/management.h"

#include "base/encoding.h"
#include "xmpp/namespaces.h"

namespace kith::stream {

namespace ns = xmpp::ns;

EnableRequest read_enable(const xml::Element& enable) {
  EnableRequest request;
  const auto resume = enable.attribute("resume");
  request.resume = resume == "true" || resume == "1";
  if (const auto max = parse_number<std::uint32_t>(enable.attribute("max").value_or("")); max && *max != 0)
    request.max = std::chrono::seconds(*max);
  return request;
}

std::optional<std::uint32_t> read_h(const xml::Element& element) {
  return parse_number<std::uint32_t>(element.attribute("h").value_or(""));
}

xml::Element enabled_element(std::string_view id, std::optional<std::chrono::seconds> max) {
  xml::Element enabled("enabled", ns::sm);
  if (max) {
    enabled.set("id", std::string(id)).set("resume", "true");
    enabled.set("max", std::to_string(max->count()));
  }
  return enabled;
}

xml::Element acknowledgement(std::uint32_t h) {
  xml::Element a("a", ns::sm);
  a.set("h", std::to_string(h));
  return a;
}

xml::Element acknowledgement_request() { return {"r", ns::sm}; }

xml::Element resumed_element(std::string_view previd, std::uint32_t h) {
  xml::Element resumed("resumed", ns::sm);
  resumed.set("previd", std::string(previd)).set("h", std::to_string(h));
  return resumed;
}

xml::Element sm_failed_element(xmpp::Condition condition, std::optional<std::uint32_t> h) {
  xml::Element failed("failed", ns::sm);
  if (h) failed.set("h", std::to_string(*h));
  failed.add(xml::Element(xmpp::wire_word(condition), ns::stanza_errors));
  return failed;
}

xmpp::StreamError handled_count_too_high(std::uint32_t h, std::uint32_t sent) {
  xml::Element detail("handled-count-too-high", ns::sm);
  detail.set("h", std::to_string(h)).set("send-count", std::to_string(sent));
  return {xmpp::StreamCondition::undefined_condition, "More stanzas were acknowledged than were sent.",
          std::move(detail)};
}

}  // namespace kith::stream
