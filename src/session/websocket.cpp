#include "session/websocket.h"

#include <algorithm>
#include <array>
#include <utility>

#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;

namespace {

constexpr std::string_view ns_framing = "urn:ietf:params:xml:ns:xmpp-framing";
constexpr std::string_view ns_streams = "http://etherx.jabber.org/streams";
constexpr std::string_view stream_start = "<stream:stream";
constexpr std::string_view closing_tag = "</stream:stream>";

/// The name in the tag that `text` begins with, without its prefix; empty if there is none.
std::string_view local_name(std::string_view text) {
  if (!text.starts_with('<')) return {};
  std::string_view name = text.substr(1, text.find_first_of(" \t\r\n/>", 1) - 1);
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) name.remove_prefix(colon + 1);
  return name;
}

/// Where the tag ends that `text` begins with: behind its ">". Our writer escapes all but the last.
std::size_t tag_end(std::string_view text) {
  const std::size_t end = text.find('>');
  return end == std::string_view::npos ? text.size() : end + 1;
}

/// Where the element ends that `text` begins with. Text of our writer: no comments, no CDATA, every ">" ends a tag.
std::size_t element_end(std::string_view text) {
  std::size_t at = 0;
  std::size_t depth = 0;
  do {
    at = text.find('<', at);
    if (at == std::string_view::npos) return text.size();
    const std::size_t end = at + tag_end(text.substr(at));
    const std::string_view tag = text.substr(at, end - at);
    if (tag.starts_with("</")) {
      --depth;
    } else if (!tag.ends_with("/>")) {
      ++depth;
    }
    at = end;
  } while (depth > 0 && at < text.size());
  return at;
}

void append_open(std::string& out, std::string_view tag) {
  // RFC 7395 §3.4: the attributes of the header, without its declarations.
  std::string message = "<open xmlns='";
  message.append(ns_framing).append("'");
  std::string_view rest = tag.substr(stream_start.size());
  while (true) {
    const std::size_t start = rest.find_first_not_of(" ");
    const std::size_t equals = rest.find("='");
    if (start == std::string_view::npos || equals == std::string_view::npos) break;
    const std::size_t end = rest.find('\'', equals + 2);
    const std::string_view attribute = rest.substr(start, end + 1 - start);
    if (!attribute.starts_with("xmlns")) message.append(" ").append(attribute);
    rest.remove_prefix(end + 1);
  }
  http::write_text_frame(out, message + "/>");
}

void append_element(std::string& out, std::string_view element) {
  // §3.3.3: a message stands for itself. What the header would have declared is declared here.
  const std::size_t name_end = element.find_first_of(" />");
  std::string message(element.substr(0, name_end));
  const std::string_view rest = element.substr(name_end);
  const bool prefixed = element.starts_with("<stream:");
  if (prefixed || !rest.starts_with(" xmlns='")) message.append(" xmlns='").append(ns::client).append("'");
  if (prefixed || element.find("<stream:") != std::string_view::npos) {
    message.append(" xmlns:stream='").append(ns_streams).append("'");
  }
  message += rest;
  http::write_text_frame(out, message);
}

}  // namespace

std::string to_stream(std::string_view message) {
  const std::string_view name = local_name(message);
  if (name != "open" && name != "close") return std::string(message);
  const auto element = xml::parse_element(message, {}, XmlLimits{});
  if (!element || element->ns() != ns_framing) return std::string(message);
  if (name == "close") return std::string(closing_tag);
  std::string out(stream_start);
  out.append(" xmlns='").append(ns::client).append("' xmlns:stream='").append(ns_streams).append("'");
  for (const xml::Attribute& attribute : element->attributes()) {
    if (!attribute.ns.empty() && attribute.ns != "http://www.w3.org/XML/1998/namespace") continue;
    out.append(attribute.ns.empty() ? " " : " xml:").append(attribute.name).append("='");
    xml::escape_attribute(out, attribute.value);
    out += '\'';
  }
  out += '>';
  return out;
}

void to_messages(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t end = 0;
    if (bytes.starts_with("<?xml")) {
      end = tag_end(bytes);
    } else if (bytes.starts_with(stream_start)) {
      end = tag_end(bytes);
      append_open(out, bytes.substr(0, end));
    } else if (bytes.starts_with(closing_tag)) {
      end = closing_tag.size();
      http::write_text_frame(out, std::string("<close xmlns='").append(ns_framing).append("'/>"));
    } else {
      end = element_end(bytes);
      append_element(out, bytes.substr(0, end));
    }
    bytes.remove_prefix(end);
  }
}

// --- the connection

class WebSocket::Detached final : public net::DetachedTransport {
 public:
  Detached(std::unique_ptr<net::DetachedTransport> inner, State state)
      : inner_(std::move(inner)), state_(std::move(state)) {}
  std::unique_ptr<net::Transport> attach(Executor& shard) override {
    return std::unique_ptr<net::Transport>(new WebSocket(shard, inner_->attach(shard), std::move(state_)));
  }

 private:
  std::unique_ptr<net::DetachedTransport> inner_;
  State state_;
};

WebSocket::WebSocket(Executor& shard, const Clock& clock, const Limits& limits, http::Upgraded upgraded)
    : WebSocket(shard, std::move(upgraded.transport),
                State{.reader = http::FrameReader(limits.xml_before_login.element_bytes, limits.websocket_fragments),
                      .pings = TokenBucket(limits.websocket_pings, clock.now()),
                      .clock = &clock,
                      .peer_address = std::move(upgraded.peer_address),
                      .in = std::move(upgraded.bytes),
                      .secured = !upgraded.own_tls}) {}

WebSocket::WebSocket(Executor& shard, std::unique_ptr<net::Transport> inner, State state)
    : shard_(shard), inner_(std::move(inner)), state_(std::move(state)) {
  inner_->set_handler(this);
  pump_soon();
}

WebSocket::~WebSocket() { *here_ = false; }

void WebSocket::set_handler(net::TransportHandler* handler) { handler_ = handler; }

void WebSocket::write(std::string_view bytes) {
  if (state_.closing) return;
  std::string out;
  out.reserve(bytes.size() + 128);
  to_messages(out, bytes);
  inner_->write(out);
}

void WebSocket::pause_reading() {
  state_.paused = true;
  inner_->pause_reading();
}

void WebSocket::resume_reading() {
  if (!std::exchange(state_.paused, false)) return;
  inner_->resume_reading();
  pump_soon();
}

void WebSocket::close() {
  if (std::exchange(state_.closing, true)) return;
  if (!state_.lost) {
    std::string out;
    http::write_close_frame(out, http::CloseCode::normal);
    inner_->write(out);
  }
  inner_->close();
}

void WebSocket::abort() {
  handler_ = nullptr;
  state_.lost = true;
  inner_->abort();
}

std::unique_ptr<net::DetachedTransport> WebSocket::detach() {
  *here_ = false;
  here_ = std::make_shared<bool>(false);
  handler_ = nullptr;
  auto inner = inner_->detach();
  return std::make_unique<Detached>(std::move(inner), std::move(state_));
}

// --- bytes in

void WebSocket::on_bytes(std::string_view bytes) {
  if (state_.lost || state_.closing) return;
  state_.in.append(bytes);
  pump();
}

void WebSocket::pump_soon() {
  shard_.post([this, here = here_] {
    if (*here) pump();
  });
}

void WebSocket::pump() {
  if (pumping_ || handler_ == nullptr) return;
  pumping_ = true;
  const std::shared_ptr<bool> here = here_;
  if (!std::exchange(state_.secured, true)) {
    handler_->on_secure();
    if (!*here) return;
  }
  while (!state_.paused && !state_.lost && !state_.closing) {
    std::string_view rest = state_.in;
    auto event = state_.reader.next(rest);
    state_.in.erase(0, state_.in.size() - rest.size());
    if (!event) {
      end(event.error());
      break;
    }
    if (std::holds_alternative<http::WebSocketNothing>(*event)) break;
    if (!take(std::move(*event))) {
      if (!*here) return;
      break;
    }
  }
  pumping_ = false;
}

bool WebSocket::take(http::WebSocketEvent event) {
  const std::shared_ptr<bool> here = here_;
  if (auto* text = std::get_if<http::WebSocketText>(&event)) {
    const std::string bytes = to_stream(text->text);
    if (handler_ != nullptr) handler_->on_bytes(bytes);
    return *here;
  }
  if (auto* ping = std::get_if<http::WebSocketPing>(&event)) {
    if (!state_.pings.take(1, state_.clock->now())) {
      end(http::CloseCode::policy_violation);
      return false;
    }
    std::string out;
    http::write_pong_frame(out, ping->payload);
    inner_->write(out);
  } else if (auto* close = std::get_if<http::WebSocketClose>(&event)) {
    std::string out;
    http::write_close_answer(out, close->payload);
    inner_->write(out);
    state_.lost = true;
    inner_->close();
    return false;
  }
  return true;
}

/// The client broke the rules of WebSockets: its stream is lost, not ended, as if the network had done it.
void WebSocket::end(http::CloseCode code) {
  std::string out;
  http::write_close_frame(out, code);
  inner_->write(out);
  state_.lost = true;
  state_.in = {};
  inner_->close();
}

void WebSocket::on_drained() {
  if (handler_ != nullptr) handler_->on_drained();
}

void WebSocket::on_closed(net::CloseReason reason) {
  state_.lost = true;
  if (net::TransportHandler* const handler = std::exchange(handler_, nullptr)) handler->on_closed(reason);
}

// --- where they come from

bool WebSocketStreams::welcomes(std::string_view origin) const {
  if (origin.empty() || std::ranges::find(origins_, "*") != origins_.end()) return true;
  if (std::ranges::find(origins_, origin) != origins_.end()) return true;
  const std::vector<std::string> domains = hosts_.domains();
  return std::ranges::any_of(domains, [&](const std::string& domain) { return hosts_.web_origin(domain) == origin; });
}

std::move_only_function<void(http::Upgraded)> WebSocketStreams::admit(const std::string& peer_address) {
  auto place = admit_(peer_address);
  if (!place) return {};
  return [this, place = std::move(place)](http::Upgraded upgraded) mutable {
    // Behind a proxy it is as on a listener without TLS: there is nothing to bind a login to.
    const auto security =
        upgraded.own_tls ? stream::Negotiation::Security::direct_tls : stream::Negotiation::Security::clear_on_loopback;
    clients_.accept(std::make_unique<WebSocket>(shard_, clock_, limits_, std::move(upgraded)), security,
                    std::move(place));
  };
}

}  // namespace kith::session
