#include "xmpp/stanza.h"

#include <array>
#include <atomic>
#include <cassert>

#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::xmpp {
namespace {

constexpr std::string_view offline_reason = "Offline Storage";

std::optional<StanzaKind> kind_of(std::string_view name) {
  if (name == "message") return StanzaKind::message;
  if (name == "presence") return StanzaKind::presence;
  if (name == "iq") return StanzaKind::iq;
  return std::nullopt;
}

struct TypeWord {
  std::string_view word;
  StanzaType type;
};
constexpr std::array<TypeWord, 5> message_types{{{"chat", StanzaType::chat},
                                                 {"groupchat", StanzaType::groupchat},
                                                 {"headline", StanzaType::headline},
                                                 {"normal", StanzaType::normal},
                                                 {"error", StanzaType::error}}};
constexpr std::array<TypeWord, 7> presence_types{{{"unavailable", StanzaType::unavailable},
                                                  {"subscribe", StanzaType::subscribe},
                                                  {"subscribed", StanzaType::subscribed},
                                                  {"unsubscribe", StanzaType::unsubscribe},
                                                  {"unsubscribed", StanzaType::unsubscribed},
                                                  {"probe", StanzaType::probe},
                                                  {"error", StanzaType::error}}};
constexpr std::array<TypeWord, 4> iq_types{
    {{"get", StanzaType::get}, {"set", StanzaType::set}, {"result", StanzaType::result}, {"error", StanzaType::error}}};

template <std::size_t size>
std::optional<StanzaType> find_type(const std::array<TypeWord, size>& words, std::string_view word) {
  for (const TypeWord& row : words) {
    if (row.word == word) return row.type;
  }
  return std::nullopt;
}

std::optional<StanzaType> type_of(StanzaKind kind, std::optional<std::string_view> word) {
  switch (kind) {
    case StanzaKind::message:
      // RFC 6121 §5.2.2: a type that is missing or not known is `normal`.
      return word ? find_type(message_types, *word).value_or(StanzaType::normal) : StanzaType::normal;
    case StanzaKind::presence:
      return word ? find_type(presence_types, *word) : StanzaType::available;
    case StanzaKind::iq:
      return word ? find_type(iq_types, *word) : std::nullopt;
  }
  return std::nullopt;
}

/// The answer's element: name, namespace and id of `request`, addresses exchanged.
xml::Element answer_to(const Stanza& request, StanzaType type) {
  xml::Element answer(wire_word(request.kind()), request.content().ns());
  answer.set("type", std::string(wire_word(type)));
  if (const auto id = request.content().attribute("id")) answer.set("id", std::string(*id));
  return answer;
}

void exchange_addresses(Stanza& answer, const Stanza& request) {
  if (request.to()) answer.set_from(*request.to());
  if (request.from()) answer.set_to(*request.from());
}

}  // namespace

std::expected<Stanza, StanzaError> Stanza::from_element(xml::Element element) {
  const std::optional<StanzaKind> kind = kind_of(element.name());
  if (!kind) return std::unexpected(StanzaError::of(Condition::bad_request, "This is no stanza."));
  const std::optional<StanzaType> type = type_of(*kind, element.attribute("type"));
  if (!type) return std::unexpected(StanzaError::of(Condition::bad_request, "There is no such type."));

  Stanza stanza(*kind, *type);
  if (const auto to = element.attribute("to")) {
    stanza.to_ = Jid::parse(*to);
    if (!stanza.to_) return std::unexpected(StanzaError::of(Condition::jid_malformed, "'to' is not an address."));
  }
  if (const auto from = element.attribute("from")) {
    stanza.from_ = Jid::parse(*from);
    if (!stanza.from_) return std::unexpected(StanzaError::of(Condition::jid_malformed, "'from' is not an address."));
  }
  if (*kind == StanzaKind::iq) {
    // RFC 6120 §8.2.3, rules 1 and 3.
    if (!element.attribute("id")) return std::unexpected(StanzaError::of(Condition::bad_request, "An iq needs an id."));
    if (stanza.is_iq_request() && element.child_element_count() != 1) {
      return std::unexpected(StanzaError::of(Condition::bad_request, "An iq get or set has exactly one child."));
    }
  }
  stanza.element_ = std::make_shared<xml::Element>(std::move(element));
  return stanza;
}

Stanza Stanza::make(xml::Element element) {
  std::expected<Stanza, StanzaError> stanza = from_element(std::move(element));
  assert(stanza.has_value());
  return *std::move(stanza);
}

xml::Element& Stanza::edit() {
  if (common_) part();
  if (element_.use_count() > 1) {
    element_ = std::make_shared<xml::Element>(*element_);
  } else {
    // Another thread may have let go of it just now: what it read comes before what we write.
    std::atomic_thread_fence(std::memory_order_acquire);
  }
  return *element_;
}

std::optional<Stanza> Stanza::from_stored(std::string_view text) {
  auto element = xml::parse_stored_element(text, ns::client);
  if (!element || !kind_of(element->name())) return std::nullopt;
  auto stanza = from_element(*std::move(element));
  if (!stanza) return std::nullopt;
  return *std::move(stanza);
}

void Stanza::set_from(const Jid& from) {
  // OPTIMIZATION: most clients write their full address themselves; then there is nothing to change.
  if (element_->attribute("from") != from.text()) edit().set("from", from.text());
  from_ = from;
}

void Stanza::set_to(const Jid& to) {
  if (!common_ && element_->attribute("to") != to.text()) edit().set("to", to.text());
  to_ = to;
}

void Stanza::clear_to() {
  if (!common_ && element_->attribute("to")) edit().unset("to");
  to_.reset();
}

void Stanza::share() {
  if (common_ || element_->ns() != ns::client) return;
  if (element_->attribute("to")) edit().unset("to");
  std::string text = xml::to_string(*element_, ns::client);
  text.erase(0, 1 + element_->name().size());
  common_ = std::make_shared<const std::string>(std::move(text));
}

void Stanza::part() const {
  element_ = std::make_shared<xml::Element>(*element_);
  if (to_) element_->set("to", to_->text());
  common_.reset();
}

void Stanza::write_to(std::string& out) const {
  if (!common_) return xml::write(out, *element_, ns::client);
  out.append("<").append(element_->name());
  if (to_) {
    out += " to='";
    xml::escape_attribute(out, to_->text());
    out += '\'';
  }
  out += *common_;
}

std::string_view wire_word(StanzaKind kind) {
  switch (kind) {
    case StanzaKind::message:
      return "message";
    case StanzaKind::presence:
      return "presence";
    case StanzaKind::iq:
      return "iq";
  }
  return {};
}

std::string_view wire_word(StanzaType type) {
  switch (type) {
    case StanzaType::normal:
      return "normal";
    case StanzaType::chat:
      return "chat";
    case StanzaType::groupchat:
      return "groupchat";
    case StanzaType::headline:
      return "headline";
    case StanzaType::available:
      return {};
    case StanzaType::unavailable:
      return "unavailable";
    case StanzaType::subscribe:
      return "subscribe";
    case StanzaType::subscribed:
      return "subscribed";
    case StanzaType::unsubscribe:
      return "unsubscribe";
    case StanzaType::unsubscribed:
      return "unsubscribed";
    case StanzaType::probe:
      return "probe";
    case StanzaType::get:
      return "get";
    case StanzaType::set:
      return "set";
    case StanzaType::result:
      return "result";
    case StanzaType::error:
      return "error";
  }
  return {};
}

std::optional<Stanza> error_reply(const Stanza& stanza, const StanzaError& error) {
  // RFC 6120 §8.3.1, rule 8, and §8.2.3, rule 4: nothing that could go back and forth without end.
  if (stanza.type() == StanzaType::error || stanza.type() == StanzaType::result) return std::nullopt;
  xml::Element answer = answer_to(stanza, StanzaType::error);
  xml::Element child = error.to_element();
  child.replace_namespace(ns::client, stanza.content().ns());
  answer.add(std::move(child));
  Stanza reply = Stanza::make(std::move(answer));
  exchange_addresses(reply, stanza);
  return reply;
}

Stanza result_reply(const Stanza& request, std::optional<xml::Element> payload) {
  xml::Element answer = answer_to(request, StanzaType::result);
  if (payload) answer.add(*std::move(payload));
  Stanza reply = Stanza::make(std::move(answer));
  exchange_addresses(reply, request);
  return reply;
}

xml::Element delay_element(const Jid& from, std::string_view stamp) {
  xml::Element delay("delay", ns::delay);
  delay.set("from", from.text()).set("stamp", std::string(stamp));
  return delay;
}

xml::Element offline_delay_element(const Jid& server, std::string_view stamp) {
  xml::Element delay = delay_element(server, stamp);
  delay.add_text(offline_reason);
  return delay;
}

DelayBy delay_by(const Stanza& message, std::string_view domain) {
  DelayBy by = DelayBy::nobody;
  message.content().for_each_child([&](const xml::Element& child) {
    if (!child.is("delay", ns::delay) || child.attribute("from") != domain) return;
    if (by != DelayBy::offline_storage)
      by = child.text() == offline_reason ? DelayBy::offline_storage : DelayBy::server;
  });
  return by;
}

}  // namespace kith::xmpp
