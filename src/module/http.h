// What a feature sees of HTTP (RFC 9110): requests that are sound already, and the ways to answer them. No sockets
// here: the room http/ reads and writes. All calls on the shard that has the connection.
//
// A feature answers for paths (Hooks::on_http). Its handler gets an HttpExchange, as an iq's handler gets an IqRequest,
// and answers it once, now or later. HEAD, OPTIONS, methods that are not served, bodies that are too large and the
// headers that keep browsers safe are the server's work, not the feature's.
//
// Limits: base/limits.h (http_…) for heads, times and rates; a body as the route says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace kith::module {

/// Where clients in browsers connect (RFC 7395); no feature's path.
inline constexpr std::string_view websocket_path = "/xmpp-websocket";

struct HttpField {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method{};  ///< "GET", "POST"; HEAD comes as GET
  /// Decoded, in UTF-8; begins with a slash; no empty segment but a last one, no dots, no control characters.
  std::string path{};
  std::string query{};         ///< as sent, without the question mark
  std::string host{};          ///< whom it was sent to, prepared as a domainpart, without a port; one that is served
  std::string peer_address{};  ///< the client's: what a trusted proxy said, if there is one
  bool secure = false;         ///< it came over TLS, to us or to a trusted proxy
  std::vector<HttpField> fields{};  ///< names in lower case
  std::optional<std::uint64_t> content_length{};
  std::string body{};  ///< whole; empty on a route that takes bodies as they come

  /// The first field of that name (in lower case).
  std::optional<std::string_view> field(std::string_view name) const;
  /// A parameter of the query, decoded; nothing if it is not there or not well-formed.
  std::optional<std::string> parameter(std::string_view name) const;
};

/// The parameter of a query or of a form (application/x-www-form-urlencoded), decoded.
std::optional<std::string> form_parameter(std::string_view form, std::string_view name);
/// `text` with %XX decoded; nothing if an escape is wrong or the result is no UTF-8.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
/// Encodes all but the unreserved characters of RFC 3986 §2.3.
std::string percent_encode(std::string_view text);

/// A body that is too large to be in memory, on its way to the client.
class HttpSource {
 public:
  virtual ~HttpSource() = default;
  /// The next piece, at most some 256 KiB; nothing if it cannot be read: then the connection is cut. Called again when
  /// the piece has left. `then` is called once, never inside the call; both go when the client does.
  virtual void next(std::move_only_function<void(std::optional<std::string> piece)> then) = 0;
};

struct HttpReply {
  int status = 200;
  std::vector<HttpField> fields{};  ///< "Content-Type" and the like; a field that the server sets is replaced
  std::string body{};
  std::unique_ptr<HttpSource> source{};  ///< instead of `body`, if it is set
  std::uint64_t source_bytes = 0;        ///< how much comes out of it

  /// Plain words for a person or a program.
  static HttpReply text(int status, std::string_view words);
};

/// What takes a body as it comes. Destroyed without end(): the client has gone, was too slow, or has been answered.
class HttpBody {
 public:
  virtual ~HttpBody() = default;
  virtual void take(std::string_view bytes) = 0;
  /// All of it has come.
  virtual void end() = 0;
};

/// The connection's side of an exchange.
class HttpLine {
 public:
  virtual ~HttpLine() = default;
  virtual void reply(HttpReply reply) = 0;
  virtual void take_body(std::unique_ptr<HttpBody> body) = 0;
  virtual void hold_body(bool hold) = 0;
};

/// A request and the one answer to it. Dropped unanswered, the client gets status 500. It may outlive the connection.
class HttpExchange {
 public:
  HttpExchange(std::shared_ptr<const HttpRequest> request, std::shared_ptr<HttpLine> line)
      : request_(std::move(request)), line_(std::move(line)) {}
  HttpExchange(HttpExchange&&) noexcept = default;
  HttpExchange& operator=(HttpExchange&&) = delete;
  ~HttpExchange() {
    if (line_) line_->reply(HttpReply::text(500, "The server has failed to answer."));
  }

  const HttpRequest& request() const { return *request_; }
  void reply(HttpReply reply) {
    if (const auto line = std::exchange(line_, nullptr)) line->reply(std::move(reply));
  }
  /// On a route that takes bodies as they come: this one goes there, from now on. Once, inside the handler. An answer
  /// before the body's end closes the connection behind it.
  void take_body(std::unique_ptr<HttpBody> body) {
    if (line_) line_->take_body(std::move(body));
  }
  /// Nothing more of the body comes (but for what is on its way within the call of take()) until it is let go on.
  void hold_body(bool hold) {
    if (line_) line_->hold_body(hold);
  }

 private:
  std::shared_ptr<const HttpRequest> request_;
  std::shared_ptr<HttpLine> line_;
};

/// What a feature answers for.
struct HttpRoute {
  std::string path;                         ///< "/invite"; the longest that fits a request gets it
  bool subtree = false;                     ///< and what lies below it: "/invite/…"
  std::vector<std::string> methods{"GET"};  ///< in capitals; HEAD comes along with GET
  bool cross_origin = false;                ///< any web page may ask, without credentials (CORS)
  std::size_t body_bytes = 0;               ///< the most that a body may have
  bool streams = false;                     ///< it takes bodies as they come: `body_bytes` is for the handler to watch
  /// The hosts that it answers on; the server's own domains, if it is not set. What it says here is served, too.
  std::function<bool(std::string_view host)> on_host{};
};

struct HttpHandler {
  HttpRoute route;
  std::function<void(HttpExchange)> handle;
};

/// "Fri, 27 Nov 2026 19:30:00 GMT" (RFC 9110 §5.6.7), and back: that form only.
std::string format_http_date(WallTime time);
std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace kith::module
