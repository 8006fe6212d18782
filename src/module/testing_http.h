// Requests over HTTP to the features on a Stage (module/testing.h), without the room http/: what a handler answers, at
// once or when the stage has settled. Not part of the program. One thread.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "module/http.h"
#include "module/testing.h"

namespace kith::module::testing {

/// A request that is on its way.
struct Asked {
  std::optional<HttpReply> reply;
  std::unique_ptr<HttpBody> body;
  bool held = false;

  /// Brings some of the body, as the connection would; nothing while it is held, or when it was answered.
  void send(std::string_view bytes) {
    if (!body || reply) throw std::logic_error("nobody takes a body");
    body->take(bytes);
  }
  void end() {
    if (body && !reply) body->end();
  }
  /// The client has gone.
  void cut() { body.reset(); }
};

class FakeLine final : public HttpLine {
 public:
  explicit FakeLine(std::shared_ptr<Asked> asked) : asked_(std::move(asked)) {}
  void reply(HttpReply reply) override { asked_->reply = std::move(reply); }
  void take_body(std::unique_ptr<HttpBody> body) override { asked_->body = std::move(body); }
  void hold_body(bool hold) override { asked_->held = hold; }

 private:
  std::shared_ptr<Asked> asked_;
};

/// Gives the request to the feature that answers for its path. Methods and sizes are looked at as the server does.
inline std::shared_ptr<Asked> begin(Stage& stage, HttpRequest request) {
  const HttpHandler* best = nullptr;
  for (const HttpHandler& page : stage.hooks.pages()) {
    const bool fits =
        request.path == page.route.path || (page.route.subtree && request.path.starts_with(page.route.path + "/"));
    const bool hosted = page.route.on_host ? page.route.on_host(request.host) : stage.hosts.is_local(request.host);
    if (fits && hosted && (best == nullptr || page.route.path.size() > best->route.path.size())) best = &page;
  }
  if (best == nullptr) throw std::logic_error("nobody answers for " + request.path);
  auto asked = std::make_shared<Asked>();
  best->handle(HttpExchange(std::make_shared<HttpRequest>(std::move(request)), std::make_shared<FakeLine>(asked)));
  return asked;
}

/// The same, to its answer.
inline HttpReply ask(Stage& stage, HttpRequest request) {
  const std::shared_ptr<Asked> asked = begin(stage, std::move(request));
  stage.settle();
  asked->end();
  stage.settle();
  if (!asked->reply) throw std::logic_error("no answer");
  return std::move(*asked->reply);
}

}  // namespace kith::module::testing
