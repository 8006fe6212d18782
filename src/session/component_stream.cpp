#include "session/component_stream.h"

#include <optional>
#include <utility>
#include <variant>

#include "base/digest.h"
#include "base/encoding.h"
#include "stream/negotiation.h"
#include "xml/writer.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;
using xmpp::StreamCondition;
using xmpp::StreamError;

namespace {
constexpr std::string_view ns_component = "jabber:component:accept";
constexpr Duration farewell_time = std::chrono::seconds(5);
}  // namespace

ComponentStream::ComponentStream(Components& service, std::uint64_t number, std::unique_ptr<net::Transport> transport)
    : service_(service),
      number_(number),
      transport_(std::move(transport)),
      parser_(service.deps_.limits.xml_before_login),
      bytes_(service.deps_.limits.bytes_from_server, service.deps_.clock.now()),
      timer_([this] { on_timer(); }),
      pause_([this] {
        if (!closed_) transport_->resume_reading();
      }) {
  service_.deps_.timers.schedule(timer_, service_.deps_.limits.login_time);
}

ComponentStream::~ComponentStream() = default;

void ComponentStream::on_bytes(std::string_view bytes) {
  if (closed_) return;
  const Duration wait = bytes_.take_in_debt(static_cast<double>(bytes.size()), service_.deps_.clock.now());
  if (wait > Duration::zero() && !pause_.waiting()) {
    service_.deps_.events.limit_hit("bytes_from_component");
    transport_->pause_reading();
    service_.deps_.timers.schedule(pause_, wait);
  }
  parser_.feed(bytes);
  while (!closed_) {
    std::expected<xml::StreamEvent, xml::ParseError> event = parser_.next();
    if (!event) return fail(stream::stream_error_of(event.error()));
    if (std::holds_alternative<xml::NeedMore>(*event)) return;
    if (auto* header = std::get_if<xml::StreamOpen>(&*event)) {
      open(*header);
    } else if (auto* element = std::get_if<xml::Element>(&*event)) {
      take(std::move(*element));
    } else {
      closed_ = true;
      if (header_sent_) transport_->write("</stream:stream>");
      transport_->close();
      service_.deps_.timers.schedule(timer_, farewell_time);
    }
  }
}

// XEP-0114 §3
void ComponentStream::open(const xml::StreamOpen& header) {
  if (header_sent_) return fail({StreamCondition::bad_format, "A stream header inside a stream."});
  if (!header.header.is("stream", ns::streams) || header.default_ns != ns_component)
    return fail({StreamCondition::invalid_namespace});
  const std::optional<std::string> to = xmpp::prepare_domainpart(header.header.attribute("to").value_or(""));
  // SECURITY: whoever has no secret learns which domains have one; they are in disco#items anyway.
  if (!to || service_.deps_.places.secret_of(*to) == nullptr) return fail({StreamCondition::host_unknown});
  domain_ = *to;
  id_ = service_.deps_.random.token();
  std::string out;
  xml::write_stream_open(out, ns_component, {{"from", domain_}, {"id", id_}});
  transport_->write(out);
  header_sent_ = true;
}

void ComponentStream::take(xml::Element element) {
  if (!header_sent_) return fail({StreamCondition::bad_format});
  if (!proven_) {
    if (!element.is("handshake", ns_component)) return fail({StreamCondition::not_authorized});
    return shake_hands(element);
  }
  const bool stanza = element.ns() == ns_component &&
                      (element.name() == "message" || element.name() == "presence" || element.name() == "iq");
  if (!stanza) return fail({StreamCondition::unsupported_stanza_type});
  const std::optional<xmpp::Jid> from = xmpp::Jid::parse(element.attribute("from").value_or(""));
  const std::optional<xmpp::Jid> to = xmpp::Jid::parse(element.attribute("to").value_or(""));
  if (!from || !to) return fail({StreamCondition::improper_addressing});
  // SECURITY: in the name of its own domain only.
  if (from->domainpart() != domain_) return fail({StreamCondition::invalid_from});
  element.replace_namespace(ns_component, ns::client);
  service_.deps_.router.from_server(std::move(element));
}

// XEP-0114 §3: SHA-1 of the stream's id and the secret, in hexadecimal digits.
void ComponentStream::shake_hands(const xml::Element& handshake) {
  std::string secret = id_ + std::string(service_.deps_.places.secret_of(domain_)->reveal());
  const std::string expected = hex_encode(sha1(secret));
  wipe(secret);
  if (!equal_in_constant_time(expected, handshake.text())) {
    service_.deps_.events.record(LogLevel::warning, "component_refused", {{"domain", domain_}});
    return fail({StreamCondition::not_authorized});
  }
  proven_ = true;
  timer_.cancel();
  parser_.set_limits(service_.deps_.limits.xml_after_login);
  write(xml::Element("handshake", ns_component));
  service_.proven(*this);
}

bool ComponentStream::send(const xmpp::Stanza& stanza) {
  if (closed_ || transport_->unsent() > service_.deps_.limits.s2s_queue_bytes) return false;
  xml::Element element = stanza.element();
  element.replace_namespace(ns::client, ns_component);
  write(element);
  return true;
}

void ComponentStream::write(const xml::Element& element) {
  std::string out;
  xml::write(out, element, ns_component);
  transport_->write(out);
}

void ComponentStream::fail(const StreamError& error) {
  if (closed_) return;
  closed_ = true;
  service_.deps_.events.record(LogLevel::info, "component_stream_ended",
                               {{"domain", domain_}, {"condition", std::string(wire_word(error.condition))}});
  std::string out;
  if (!header_sent_) xml::write_stream_open(out, ns_component, {{"id", service_.deps_.random.token()}});
  xml::write(out, error.to_element(), ns_component);
  out += "</stream:stream>";
  transport_->write(out);
  transport_->close();
  service_.deps_.timers.schedule(timer_, farewell_time);
}

void ComponentStream::on_closed(net::CloseReason) { over(); }

void ComponentStream::over() {
  closed_ = true;
  timer_.cancel();
  pause_.cancel();
  if (!std::exchange(over_, true)) service_.gone(number_);
}

void ComponentStream::on_timer() {
  if (!closed_) return fail({StreamCondition::connection_timeout});
  transport_->abort();
  over();
}

}  // namespace kith::session
