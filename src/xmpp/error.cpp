#include "xmpp/error.h"

#include <array>
#include <cstddef>

#include "xmpp/namespaces.h"

namespace kith::xmpp {
namespace {

struct ConditionRow {
  std::string_view word;
  ErrorType type;  // the one that RFC 6120 §8.3.3 names first
};

/// In the order of the enumerators.
constexpr std::array<ConditionRow, 22> conditions{{
    {"bad-request", ErrorType::modify},
    {"conflict", ErrorType::cancel},
    {"feature-not-implemented", ErrorType::cancel},
    {"forbidden", ErrorType::auth},
    {"gone", ErrorType::cancel},
    {"internal-server-error", ErrorType::cancel},
    {"item-not-found", ErrorType::cancel},
    {"jid-malformed", ErrorType::modify},
    {"not-acceptable", ErrorType::modify},
    {"not-allowed", ErrorType::cancel},
    {"not-authorized", ErrorType::auth},
    {"policy-violation", ErrorType::modify},
    {"recipient-unavailable", ErrorType::wait},
    {"redirect", ErrorType::modify},
    {"registration-required", ErrorType::auth},
    {"remote-server-not-found", ErrorType::cancel},
    {"remote-server-timeout", ErrorType::wait},
    {"resource-constraint", ErrorType::wait},
    {"service-unavailable", ErrorType::cancel},
    {"subscription-required", ErrorType::auth},
    {"undefined-condition", ErrorType::cancel},
    {"unexpected-request", ErrorType::wait},
}};
static_assert(conditions.size() == static_cast<std::size_t>(Condition::unexpected_request) + 1);

constexpr std::array<std::string_view, 5> error_types{"auth", "cancel", "continue", "modify", "wait"};
static_assert(error_types.size() == static_cast<std::size_t>(ErrorType::wait) + 1);

constexpr std::array<std::string_view, 25> stream_conditions{"bad-format",
                                                             "bad-namespace-prefix",
                                                             "conflict",
                                                             "connection-timeout",
                                                             "host-gone",
                                                             "host-unknown",
                                                             "improper-addressing",
                                                             "internal-server-error",
                                                             "invalid-from",
                                                             "invalid-namespace",
                                                             "invalid-xml",
                                                             "not-authorized",
                                                             "not-well-formed",
                                                             "policy-violation",
                                                             "remote-connection-failed",
                                                             "reset",
                                                             "resource-constraint",
                                                             "restricted-xml",
                                                             "see-other-host",
                                                             "system-shutdown",
                                                             "undefined-condition",
                                                             "unsupported-encoding",
                                                             "unsupported-feature",
                                                             "unsupported-stanza-type",
                                                             "unsupported-version"};
static_assert(stream_conditions.size() == static_cast<std::size_t>(StreamCondition::unsupported_version) + 1);

xml::Element text_element(std::string_view text, std::string_view ns) {
  xml::Element element("text", ns);
  element.set("lang", xml::ns_xml, "en").add_text(text);
  return element;
}

}  // namespace

StanzaError StanzaError::of(Condition condition, std::string text) {
  return {conditions[static_cast<std::size_t>(condition)].type, condition, std::move(text)};
}

StanzaError StanzaError::storage_failed() {
  return {ErrorType::wait, Condition::internal_server_error, "This could not be stored. Try again later."};
}

xml::Element StanzaError::to_element() const {
  xml::Element error("error", ns::client);
  error.set("type", std::string(wire_word(type)));
  if (legacy_code != 0) error.set("code", std::to_string(legacy_code));
  error.add(xml::Element(wire_word(condition), ns::stanza_errors));
  if (!text.empty()) error.add(text_element(text, ns::stanza_errors));
  if (detail) error.add(*detail);
  return error;
}

std::string_view wire_word(Condition condition) { return conditions[static_cast<std::size_t>(condition)].word; }
std::string_view wire_word(ErrorType type) { return error_types[static_cast<std::size_t>(type)]; }

std::optional<Condition> condition_from(std::string_view word) {
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    if (conditions[i].word == word) return static_cast<Condition>(i);
  }
  return std::nullopt;
}

std::optional<ErrorType> error_type_from(std::string_view word) {
  for (std::size_t i = 0; i < error_types.size(); ++i) {
    if (error_types[i] == word) return static_cast<ErrorType>(i);
  }
  return std::nullopt;
}

xml::Element StreamError::to_element() const {
  xml::Element error("error", ns::streams);
  error.add(xml::Element(wire_word(condition), ns::stream_errors));
  if (!text.empty()) error.add(text_element(text, ns::stream_errors));
  if (detail) error.add(*detail);
  return error;
}

std::string_view wire_word(StreamCondition condition) { return stream_conditions[static_cast<std::size_t>(condition)]; }

}  // namespace kith::xmpp
