#include "http/connection.h"

#include <algorithm>
#include <utility>

#include <boost/asio/ip/address.hpp>

#include "base/digest.h"
#include "base/encoding.h"
#include "http/reply_head.h"
#include "xmpp/jid.h"

namespace kith::http {

using module::HttpReply;

namespace {

/// How much of an answer may wait in memory before more of it is fetched, or the next request is read.
constexpr std::size_t most_unsent = 256 * 1024;
/// What a client may send ahead of the answer that it waits for.
constexpr std::size_t most_ahead = 32 * 1024;
/// RFC 6455 §1.3.
constexpr std::string_view websocket_guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Who a proxy says the client is: the last address of X-Forwarded-For that is not itself a trusted proxy.
std::string forwarded_for(const HttpService& service, const module::HttpRequest& request, const std::string& proxy) {
  std::string list;
  for (const module::HttpField& field : request.fields) {
    if (field.name == "x-forwarded-for") list += (list.empty() ? "" : ",") + field.value;
  }
  std::string client = proxy;
  while (!list.empty() && service.trusts(client)) {
    const std::size_t comma = list.rfind(',');
    std::string item = list.substr(comma == std::string::npos ? 0 : comma + 1);
    list.resize(comma == std::string::npos ? 0 : comma);
    std::erase(item, ' ');
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(item, error);
    if (error) break;
    client = address.to_string();
  }
  return client;
}

}  // namespace

/// What a feature holds of the connection: its number, not itself.
class HttpConnection::Line final : public module::HttpLine {
 public:
  Line(HttpService& service, std::weak_ptr<bool> here, std::uint64_t id, std::uint64_t turn)
      : service_(service), here_(std::move(here)), id_(id), turn_(turn) {}
  void reply(HttpReply reply) override {
    if (HttpConnection* self = find()) self->reply(turn_, std::move(reply));
  }
  void take_body(std::unique_ptr<module::HttpBody> body) override {
    if (HttpConnection* self = find()) self->take_body(turn_, std::move(body));
  }
  void hold_body(bool hold) override {
    if (HttpConnection* self = find()) self->hold_body(turn_, hold);
  }

 private:
  HttpConnection* find() const { return here_.expired() ? nullptr : service_.find(id_); }
  HttpService& service_;
  const std::weak_ptr<bool> here_;
  const std::uint64_t id_;
  const std::uint64_t turn_;
};

HttpConnection::HttpConnection(HttpService& service, std::uint64_t id, std::unique_ptr<net::Transport> transport,
                               std::shared_ptr<void> place)
    : service_(service), id_(id), transport_(std::move(transport)), place_(std::move(place)), timer_([this] {
        on_timer();
      }) {}

HttpConnection::~HttpConnection() {
  if (transport_ && state_ != State::closed) transport_->abort();
}

void HttpConnection::start(bool tls) {
  const Limits& limits = service_.deps_.limits;
  schedule(limits.http_head_time + (tls ? limits.tls_handshake_time : std::chrono::seconds(0)));
}

void HttpConnection::stop() {
  stopping_ = true;
  keep_ = false;
  if (state_ == State::idle || state_ == State::head) close();
}

// --- bytes in

void HttpConnection::on_secure() {}

void HttpConnection::on_bytes(std::string_view bytes) {
  if (state_ == State::closed) return;
  if (state_ == State::body && in_.empty() && !held_) {
    // OPTIMIZATION: a body goes on without a copy.
    std::string_view rest = bytes;
    // A sink that answers ends the request, and the parser with it, but not while it is at work.
    std::unique_ptr<RequestParser> parser = std::move(parser_);
    const auto complete = parser->body(rest, [this](std::string_view piece) {
      body_bytes_ += piece.size();
      if (state_ != State::body) return;
      if (sink_) {
        sink_->take(piece);
      } else {
        request_->body.append(piece);
      }
    });
    if (state_ != State::body) return pump();
    in_.append(rest);
    parser_ = std::move(parser);
    if (!complete) return refuse(complete.error());
    if (*complete) body_ended();
    if (state_ == State::body && !sink_ && route_ != nullptr && body_bytes_ > route_->body_bytes) {
      return refuse({413, "That is too much."});
    }
  } else {
    in_.append(bytes);
  }
  pump();
}

void HttpConnection::pump() {
  if (pumping_) return;
  pumping_ = true;
  bool more = true;
  while (more) {
    switch (state_) {
      case State::idle:
      case State::head:
        more = read_head();
        break;
      case State::body:
        more = !held_ && !in_.empty();
        if (more) {
          const std::size_t before = in_.size();
          read_body();
          more = state_ != State::body || in_.size() != before;
        }
        break;
      default:
        more = false;
    }
  }
  pumping_ = false;
  set_reading();
}

void HttpConnection::set_reading() {
  if (state_ == State::closed || !transport_) return;
  const bool pause = held_ || in_.size() > most_ahead || draining_;
  if (pause == paused_) return;
  paused_ = pause;
  if (pause) {
    transport_->pause_reading();
  } else {
    transport_->resume_reading();
  }
}

/// True if there may be more to do.
bool HttpConnection::read_head() {
  if (in_.empty()) return false;
  if (transport_->unsent() > most_unsent) {
    // A client that asks and asks, and does not read.
    draining_ = true;
    send_more();
    return false;
  }
  const Limits& limits = service_.deps_.limits;
  if (state_ == State::idle) {
    state_ = State::head;
    schedule(limits.http_head_time);
  }
  if (!parser_) {
    parser_ =
        std::make_unique<RequestParser>(HeadLimits{.bytes = limits.http_head_bytes, .fields = limits.http_fields});
  }
  auto head = parser_->head(in_);
  if (!head) {
    refuse(head.error());
    return false;
  }
  if (!*head) return false;
  begin(*std::move(*head));
  return true;
}

void HttpConnection::read_body() {
  std::string bytes = std::exchange(in_, {});
  on_bytes(bytes);
}

// --- a request

void HttpConnection::begin(Head head) {
  ++turn_;
  service_.requests_.add();
  head_ = std::move(head);
  request_ = std::make_shared<module::HttpRequest>();
  route_ = nullptr;
  body_bytes_ = 0;
  body_complete_ = !head_.has_body();
  held_ = false;
  head_only_ = head_.method == "HEAD";
  keep_ = head_.keep_alive && !stopping_;
  state_ = body_complete_ ? State::answer : State::body;
  schedule(service_.deps_.limits.http_progress_time);
  module::HttpRequest& request = *request_;
  request.method = head_only_ ? "GET" : head_.method;
  request.fields = std::move(head_.fields);
  head_.fields.clear();
  const bool proxied = service_.trusts(transport_->peer_address());
  request.peer_address =
      proxied ? forwarded_for(service_, request, transport_->peer_address()) : transport_->peer_address();
  request.secure =
      transport_->tls() != nullptr || (proxied && request.field("x-forwarded-proto").value_or("") == "https");
  transport_->forget_facts();
  request.content_length = head_.content_length;
  if (!service_.may_ask(request.peer_address)) return refuse({429, "Too many requests. Try again later."});
  // SECURITY: a name that is not ours may be an attempt to have a page of ours under another's name.
  const auto host = host_of(head_.host);
  const auto prepared = host ? xmpp::prepare_domainpart(*host) : std::nullopt;
  if (!prepared) return refuse({400, "The Host is not well-formed."});
  request.host = *prepared;
  if (!service_.serves(request.host)) return refuse({421, "There is no such host here."});
  if (head_.target == "*" && head_.method == "OPTIONS") return options(nullptr);
  auto target = parse_target(head_.target);
  if (!target) return refuse(target.error());
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  const bool socket = service_.deps_.websockets != nullptr && request.path == module::websocket_path;
  if (socket && head_.method != "OPTIONS") return upgrade();
  const module::HttpHandler* handler = service_.handler(request.host, request.path);
  if (handler == nullptr) {
    if (socket) return options(nullptr);
    return reply(turn_, HttpReply::text(404, "There is nothing here."));
  }
  route_ = &handler->route;
  if (head_.method == "OPTIONS") return options(handler);
  if (std::ranges::find(route_->methods, request.method) == route_->methods.end()) {
    HttpReply reply_ = HttpReply::text(405, "That cannot be done here.");
    std::string allowed = "OPTIONS";
    for (const std::string& method : route_->methods) allowed += (method == "GET" ? ", GET, HEAD" : ", " + method);
    reply_.fields.push_back({"Allow", allowed});
    return reply(turn_, std::move(reply_));
  }
  if (!route_->streams && head_.content_length.value_or(0) > route_->body_bytes) {
    return refuse({413, "That is too much."});
  }
  if (!route_->streams && state_ == State::body) {
    say_continue();
    return;  // until the body is here
  }
  dispatch(*handler);
}

void HttpConnection::dispatch(const module::HttpHandler& handler) {
  const std::uint64_t turn = turn_;
  try {
    handler.handle(module::HttpExchange(request_, std::make_shared<Line>(service_, service_.here_, id_, turn)));
  } catch (const std::exception& fault) {
    if (service_.deps_.hooks.on_fault) service_.deps_.hooks.on_fault(fault.what());
  }
  if (turn != turn_ || state_ != State::body) return;
  if (!sink_) return refuse({413, "Nothing is taken here."});
  if (!held_) say_continue();
}

/// RFC 9110 §10.1.1: the client waits for a word before it sends its body.
void HttpConnection::say_continue() {
  if (std::exchange(head_.expects_continue, false)) transport_->write("HTTP/1.1 100 Continue\r\n\r\n");
}

void HttpConnection::options(const module::HttpHandler* handler) {
  HttpReply reply_{.status = 204};
  std::string allowed = "OPTIONS";
  if (handler == nullptr) allowed += ", GET, HEAD";
  if (handler != nullptr) {
    for (const std::string& method : handler->route.methods) {
      allowed += method == "GET" ? ", GET, HEAD" : ", " + method;
    }
  }
  reply_.fields.push_back({"Allow", allowed});
  if (handler != nullptr && handler->route.cross_origin) {
    reply_.fields.push_back({"Access-Control-Allow-Methods", allowed});
    reply_.fields.push_back({"Access-Control-Allow-Headers", "Authorization, Content-Type, Range"});
    reply_.fields.push_back({"Access-Control-Max-Age", "7200"});
  }
  reply(turn_, std::move(reply_));
}

void HttpConnection::take_body(std::uint64_t turn, std::unique_ptr<module::HttpBody> body) {
  if (turn != turn_ || state_ == State::closed || state_ == State::sending) return;
  sink_ = std::move(body);
  if (state_ == State::answer && body_complete_) sink_->end();
}

void HttpConnection::hold_body(std::uint64_t turn, bool hold) {
  if (turn != turn_ || state_ != State::body || held_ == hold) return;
  held_ = hold;
  schedule(service_.deps_.limits.http_progress_time);
  set_reading();
  if (hold) return;
  say_continue();
  if (in_.empty()) return;
  service_.deps_.shard.post([&service = service_, id = id_] {
    if (HttpConnection* self = service.find(id)) self->pump();
  });
}

void HttpConnection::body_ended() {
  body_complete_ = true;
  state_ = State::answer;
  timer_.cancel();
  if (sink_) {
    sink_->end();
    return;
  }
  if (body_bytes_ > route_->body_bytes) return refuse({413, "That is too much."});
  const module::HttpHandler* handler = service_.handler(request_->host, request_->path);
  if (handler != nullptr) dispatch(*handler);
}

// --- the answer

/// What calls us may be the very thing that is to go.
template <class T>
void HttpConnection::drop_later(std::unique_ptr<T> thing) {
  if (thing) service_.deps_.shard.post([thing = std::move(thing)] {});
}

void HttpConnection::refuse(const Refusal& refusal) {
  keep_ = false;
  HttpReply reply_ = HttpReply::text(refusal.status, refusal.words);
  if (refusal.status == 429) reply_.fields.push_back({"Retry-After", "10"});
  if (state_ == State::idle || state_ == State::head) {
    ++turn_;
    head_only_ = false;
    body_complete_ = false;
    route_ = nullptr;
    state_ = State::answer;
  }
  in_.clear();
  reply(turn_, std::move(reply_));
}

void HttpConnection::reply(std::uint64_t turn, HttpReply reply_) {
  if (turn != turn_ || (state_ != State::answer && state_ != State::body)) return;
  if (reply_.status >= 500) service_.failures_.add();
  // What of the body has not come yet cannot be told from the next request.
  if (!body_complete_) keep_ = false;
  keep_ = keep_ && !stopping_;
  held_ = false;
  state_ = State::sending;
  drop_later(std::move(sink_));
  const bool bodiless = reply_.status == 204 || reply_.status == 304 || reply_.status < 200;
  ReplyHead head{.status = reply_.status,
                 .length = {},
                 .keep_alive = keep_,
                 .cross_origin = route_ != nullptr && route_->cross_origin,
                 .now = service_.deps_.clock.wall()};
  if (!bodiless) head.length = reply_.source ? reply_.source_bytes : reply_.body.size();
  std::string out = write_head(head, reply_.fields);
  const bool with_body = !bodiless && !head_only_;
  if (with_body && !reply_.source) out += reply_.body;
  written_ += out.size();
  transport_->write(out);
  source_ = with_body ? std::move(reply_.source) : nullptr;
  source_left_ = source_ ? reply_.source_bytes : 0;
  if (!source_) return sent();
  moved_before_ = moved();
  schedule(service_.deps_.limits.http_progress_time);
  send_more();
}

/// Goes on with what waits for room, once it is clear how much of what was written has left.
void HttpConnection::send_more() {
  if (checking_ || state_ == State::closed) return;
  checking_ = true;
  service_.deps_.shard.post([&service = service_, id = id_] {
    HttpConnection* self = service.find(id);
    if (self == nullptr || self->state_ == State::closed) return;
    self->checking_ = false;
    if (self->transport_->unsent() > 0) {
      self->draining_ = true;
      self->transport_->ask_drained();
      return;
    }
    self->draining_ = false;
    if (!self->source_) return self->pump();
    if (self->fetching_) return;
    if (self->source_left_ == 0) {
      self->source_.reset();
      self->sent();
      return self->pump();
    }
    self->fetching_ = true;
    self->source_->next([&service, id, turn = self->turn_](std::optional<std::string> piece) {
      HttpConnection* then = service.find(id);
      if (then == nullptr || then->turn_ != turn || !then->source_) return;
      then->fetching_ = false;
      if (!piece || piece->empty() || piece->size() > then->source_left_) {
        // The client has been told how much comes: to cut it off is the one way to say that it does not.
        service.failures_.add();
        then->drop_later(std::move(then->source_));
        then->state_ = State::closed;
        then->transport_->abort();
        return service.remove_soon(id);
      }
      then->source_left_ -= piece->size();
      then->written_ += piece->size();
      then->transport_->write(*piece);
      then->send_more();
    });
  });
}

void HttpConnection::on_drained() {
  if (!std::exchange(draining_, false)) return;
  send_more();
  set_reading();
}

void HttpConnection::sent() {
  parser_.reset();
  request_.reset();
  route_ = nullptr;
  if (!keep_) return close();
  state_ = State::idle;
  schedule(service_.deps_.limits.http_idle_time);
  if (pumping_ || in_.empty()) return;
  // The client has asked on while it waited.
  service_.deps_.shard.post([&service = service_, id = id_] {
    if (HttpConnection* self = service.find(id)) self->pump();
  });
}

void HttpConnection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  in_.clear();
  timer_.cancel();
  if (paused_) transport_->resume_reading();
  transport_->close();
}

void HttpConnection::on_closed(net::CloseReason) {
  state_ = State::closed;
  timer_.cancel();
  sink_.reset();
  source_.reset();
  service_.remove_soon(id_);
}

// --- RFC 6455 §4.2

void HttpConnection::upgrade() {
  const module::HttpRequest& request = *request_;
  HttpReply wanted = HttpReply::text(426, "This is where XMPP clients connect by WebSocket (RFC 7395).");
  wanted.fields.push_back({"Upgrade", "websocket"});
  wanted.fields.push_back({"Sec-WebSocket-Version", "13"});
  wanted.fields.push_back({"Sec-WebSocket-Protocol", "xmpp"});
  const bool asked = head_.method == "GET" && !head_.http_1_0 && body_complete_ &&
                     lists(request.fields, "upgrade", "websocket") && lists(request.fields, "connection", "upgrade");
  if (!asked || request.field("sec-websocket-version") != "13") return reply(turn_, std::move(wanted));
  const auto key = request.field("sec-websocket-key");
  const auto nonce = key ? base64_decode(*key) : std::nullopt;
  if (!nonce || nonce->size() != 16) return reply(turn_, HttpReply::text(400, "The WebSocket's key is none."));
  if (!lists(request.fields, "sec-websocket-protocol", "xmpp")) {
    return reply(turn_, HttpReply::text(400, "The subprotocol must be xmpp."));
  }
  const std::string origin(request.field("origin").value_or(""));
  if (!service_.deps_.websockets->welcomes(origin)) {
    return reply(turn_, HttpReply::text(403, "Pages from there are not welcome."));
  }
  boost::system::error_code error;
  const auto peer = boost::asio::ip::make_address(request.peer_address, error);
  // SECURITY: in the clear only on this machine.
  if (!request.secure && (error || !peer.is_loopback())) {
    return reply(turn_, HttpReply::text(403, "This must be asked by https."));
  }
  auto take = service_.deps_.websockets->admit(request.peer_address);
  if (!take || stopping_) return refuse({429, "Too many connections. Try again later."});
  std::string answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  answer += "Sec-WebSocket-Accept: " + base64_encode(sha1(std::string(*key).append(websocket_guid))) + "\r\n";
  answer += "Sec-WebSocket-Protocol: xmpp\r\n\r\n";
  transport_->write(answer);
  Upgraded upgraded{.transport = nullptr,
                    .bytes = std::exchange(in_, {}),
                    .peer_address = request.peer_address,
                    .own_tls = transport_->tls() != nullptr};
  transport_->forget_facts();
  timer_.cancel();
  state_ = State::closed;
  if (paused_) transport_->resume_reading();
  transport_->set_handler(nullptr);
  upgraded.transport = std::move(transport_);
  place_.reset();
  service_.remove_soon(id_);
  take(std::move(upgraded));
}

// --- time

std::uint64_t HttpConnection::moved() const {
  if (state_ == State::sending) return written_ - std::min<std::uint64_t>(written_, transport_->unacknowledged());
  return body_bytes_;
}

void HttpConnection::schedule(Duration after) {
  moved_before_ = moved();
  service_.deps_.timers.schedule(timer_, after);
}

void HttpConnection::on_timer() {
  const Limits& limits = service_.deps_.limits;
  switch (state_) {
    case State::idle:
      return close();
    case State::head:
      return refuse({408, "The request took too long."});
    case State::body:
    case State::sending: {
      // SECURITY: whoever sends or reads a byte now and then must not hold a place for long.
      const bool waits_for_us = state_ == State::body ? held_ : fetching_;
      if (waits_for_us || moved() - moved_before_ >= limits.http_progress_bytes) {
        return schedule(limits.http_progress_time);
      }
      service_.deps_.events.limit_hit("http_progress_bytes");
      if (state_ == State::body) return refuse({408, "The request took too long."});
      source_.reset();
      state_ = State::closed;
      transport_->abort();
      return service_.remove_soon(id_);
    }
    default:
      return;
  }
}

}  // namespace kith::http
