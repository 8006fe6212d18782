#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/service.h"
#include "net/memory_link.h"
#include "runtime/manual_loop.h"

namespace kith::http {
namespace {

using module::HttpExchange;
using module::HttpReply;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class OneHost final : public module::Hosts {
 public:
  bool is_local(std::string_view domainpart) const override { return domainpart == "example.org"; }
  std::vector<std::string> domains() const override { return {"example.org"}; }
  bool is_admin(const xmpp::BareJid&) const override { return false; }
  std::vector<xmpp::BareJid> admins() const override { return {}; }
  std::string web_origin(std::string_view) const override { return {}; }
};

/// A body that is written down, and answered at its end.
struct Diary final : module::HttpBody {
  explicit Diary(HttpExchange exchange_, std::string& text_, bool& gone_)
      : exchange(std::move(exchange_)), text(text_), gone(gone_) {}
  ~Diary() override { gone = true; }
  void take(std::string_view bytes) override {
    text += bytes;
    if (text.find("stop!") != std::string::npos) exchange.reply(HttpReply::text(403, "enough"));
  }
  void end() override { exchange.reply(HttpReply::text(201, "written")); }
  HttpExchange exchange;
  std::string& text;
  bool& gone;
};

/// So many bytes, out of nothing.
struct Zeros final : module::HttpSource {
  explicit Zeros(Executor& loop_, std::uint64_t fails_after_) : loop(loop_), fails_after(fails_after_) {}
  void next(std::move_only_function<void(std::optional<std::string>)> then) override {
    const bool fails = pieces++ >= fails_after;
    loop.post([then = std::move(then), fails]() mutable {
      then(fails ? std::nullopt : std::optional(std::string(1000, '0')));
    });
  }
  Executor& loop;
  std::uint64_t fails_after;
  std::uint64_t pieces = 0;
};

class Http : public testing::Test {
 protected:
  Http() : events(loop.clock(), LogLevel::error, [](LogLevel, std::string_view) {}), rates(loop.clock(), 100) {
    limits.http_requests_per_address = {.per_second = 1, .burst = 20};
    hooks.on_http({.path = "/echo", .methods = {"GET", "POST"}, .cross_origin = true, .body_bytes = 10}, this,
                  &Http::echo);
    hooks.on_http({.path = "/tree", .subtree = true}, this, &Http::tree);
    hooks.on_http({.path = "/write", .methods = {"PUT"}, .streams = true}, this, &Http::write);
    hooks.on_http({.path = "/zeros"}, this, &Http::zeros);
    hooks.on_http({.path = "/throw"}, this, &Http::fail);
    hooks.on_http({.path = "/later"}, this, &Http::later);
    service = std::make_unique<HttpService>(
        HttpDeps{loop, loop.clock(), events, loop.timers(), limits, hosts, hooks, rates, nullptr},
        HttpSettings{.trusted_proxies = {"127.0.0.1"}});
    connect();
  }
  ~Http() override { loop.run_until_idle(); }

  void connect(const std::string& address = "192.0.2.1") {
    net::Link link = net::make_link(loop, {.peer_address = address});
    client = std::move(link.client);
    service->accept(std::move(link.server), false, nullptr);
  }
  std::string ask(const std::string& bytes) {
    client->send(bytes);
    loop.run_until_idle();
    return client->take();
  }
  static std::string get(const std::string& path, const std::string& fields = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: example.org\r\n" + fields + "\r\n";
  }

  void echo(HttpExchange exchange) {
    const std::string text = exchange.request().body + exchange.request().query + "|" +
                             exchange.request().peer_address + (exchange.request().secure ? "|secure" : "");
    exchange.reply(HttpReply{.fields = {{"X-Evil", "a\r\nb: c"}}, .body = text});
  }
  void tree(HttpExchange exchange) { exchange.reply(HttpReply::text(200, exchange.request().path)); }
  void write(HttpExchange exchange) {
    auto diary = std::make_unique<Diary>(std::move(exchange), written, gone);
    HttpExchange& its = diary->exchange;
    its.take_body(std::move(diary));
  }
  void zeros(HttpExchange exchange) {
    const bool broken = exchange.request().query == "broken";
    HttpReply reply;
    reply.source = std::make_unique<Zeros>(loop, broken ? 3 : 1000);
    reply.source_bytes = 100'000;
    exchange.reply(std::move(reply));
  }
  void fail(HttpExchange) { throw std::runtime_error("it broke"); }
  void later(HttpExchange exchange) { waiting = std::make_unique<HttpExchange>(std::move(exchange)); }

  runtime::ManualLoop loop;
  Events events;
  Limits limits;
  OneHost hosts;
  module::Hooks hooks;
  RateTable rates;
  std::string written;
  bool gone = false;
  std::unique_ptr<HttpExchange> waiting;
  std::unique_ptr<HttpService> service;
  std::unique_ptr<net::LinkClient> client;
};

TEST_F(Http, a_request_is_answered_and_the_connection_stays) {
  const std::string answer = ask(get("/echo?hello"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 15\r\nConnection: keep-alive\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: default-src 'none'"));
  EXPECT_THAT(answer, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Evil: a  b: c\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nhello|192.0.2.1"));
  EXPECT_THAT(ask(get("/echo?again")), EndsWith("again|192.0.2.1"));
  EXPECT_THAT(ask(get("/echo", "Connection: close\r\n")), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(client->closed());
}

TEST_F(Http, requests_in_one_piece_are_answered_in_order) {
  const std::string answers = ask(get("/echo?1") + get("/later") + get("/echo?2"));
  EXPECT_THAT(answers, EndsWith("1|192.0.2.1"));
  ASSERT_TRUE(waiting);
  waiting->reply(HttpReply::text(200, "between"));
  loop.run_until_idle();
  EXPECT_THAT(client->take(), ContainsRegex("between\n(.|\r|\n)*2.192.0.2.1$"));
}

TEST_F(Http, bytes_may_come_one_by_one) {
  std::string answer;
  for (const char c : std::string("POST /echo HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\n\r\nhello")) {
    answer += ask(std::string(1, c));
  }
  EXPECT_THAT(answer, EndsWith("hello|192.0.2.1"));
}

TEST_F(Http, head_gets_the_length_and_no_body) {
  EXPECT_THAT(ask("HEAD /echo?hello HTTP/1.1\r\nHost: example.org\r\n\r\n"),
              testing::AllOf(HasSubstr("Content-Length: 15\r\n"), EndsWith("\r\n\r\n")));
  EXPECT_THAT(ask("HEAD /zeros HTTP/1.1\r\nHost: example.org\r\n\r\n"),
              testing::AllOf(HasSubstr("Content-Length: 100000\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(Http, what_is_not_there_or_not_allowed_has_its_status) {
  EXPECT_THAT(ask(get("/none")), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask(get("/tree/a/b")), EndsWith("/tree/a/b\n"));
  EXPECT_THAT(ask(get("/tree")), EndsWith("/tree\n"));
  EXPECT_THAT(ask(get("/trees")), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask("DELETE /echo HTTP/1.1\r\nHost: example.org\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: OPTIONS, GET, HEAD, POST\r\n")));
  EXPECT_THAT(ask(get("/throw")), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(ask("OPTIONS /echo HTTP/1.1\r\nHost: example.org\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 204 "), HasSubstr("Access-Control-Allow-Methods: "),
                             Not(HasSubstr("Content-Length"))));
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: example.net\r\n\r\n"), StartsWith("HTTP/1.1 421 "));
  EXPECT_TRUE(client->closed());
}

TEST_F(Http, a_refusal_ends_the_connection) {
  for (const std::string& bad :
       {std::string("nonsense\r\n\r\n"), get("/a", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        get("/../secret"), std::string("POST /echo HTTP/1.1\r\nHost: example.org\r\nContent-Length: 11\r\n\r\n")}) {
    connect();
    EXPECT_THAT(ask(bad + get("/echo?smuggled")), testing::AllOf(StartsWith("HTTP/1.1 4"), Not(HasSubstr("smuggled|"))))
        << bad;
    EXPECT_TRUE(client->closed()) << bad;
  }
}

TEST_F(Http, a_chunked_body_that_is_too_large_is_refused) {
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "6\r\n123456\r\n6\r\n123456\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_TRUE(client->closed());
}

TEST_F(Http, a_body_goes_to_its_sink_as_it_comes) {
  EXPECT_THAT(ask("PUT /write HTTP/1.1\r\nHost: example.org\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n"),
              "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(ask("abc"), "");
  EXPECT_EQ(written, "abc");
  EXPECT_THAT(ask("def" + get("/echo?next")), ContainsRegex("201 Created(.|\r|\n)*next.192.0.2.1$"));
  EXPECT_EQ(written, "abcdef");
}

TEST_F(Http, a_sink_may_answer_before_the_end) {
  EXPECT_THAT(ask("PUT /write HTTP/1.1\r\nHost: example.org\r\nContent-Length: 600\r\n\r\nplease stop! now"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_TRUE(gone);
  EXPECT_TRUE(client->closed());
}

TEST_F(Http, a_sink_hears_that_its_client_has_gone) {
  ask("PUT /write HTTP/1.1\r\nHost: example.org\r\nContent-Length: 600\r\n\r\nabc");
  EXPECT_FALSE(gone);
  client->close();
  loop.run_until_idle();
  EXPECT_TRUE(gone);
  EXPECT_EQ(service->size(), 0U);
}

TEST_F(Http, a_large_answer_is_fetched_no_faster_than_it_is_read) {
  client->set_window(2000);
  std::string all = ask(get("/zeros"));
  EXPECT_LT(all.size(), 10'000U);
  for (int i = 0; i < 200; ++i) {
    loop.run_until_idle();
    all += client->take();
  }
  EXPECT_EQ(all.size() - all.find("\r\n\r\n") - 4, 100'000U);
  client->set_window(1'000'000);
  EXPECT_THAT(ask(get("/echo?next")), EndsWith("next|192.0.2.1"));
}

TEST_F(Http, an_answer_that_cannot_be_read_on_is_cut_off) {
  EXPECT_THAT(ask(get("/zeros?broken")), HasSubstr("Content-Length: 100000"));
  EXPECT_TRUE(client->closed());
  EXPECT_EQ(service->size(), 0U);
}

TEST_F(Http, who_is_slow_does_not_hold_a_place) {
  ask("GET / HT");
  loop.advance(limits.http_head_time + std::chrono::seconds(1));
  EXPECT_THAT(client->take(), StartsWith("HTTP/1.1 408 "));
  connect();
  for (int i = 0; i < 12; ++i) {
    ask(i == 0 ? "PUT /write HTTP/1.1\r\nHost: example.org\r\nContent-Length: 600000\r\n\r\n" : "x");
    loop.advance(std::chrono::seconds(5));
  }
  EXPECT_THAT(client->take() + ask(""), testing::AnyOf(StartsWith("HTTP/1.1 408 "), ""));
  EXPECT_TRUE(client->closed());
  EXPECT_TRUE(gone);
  connect();
  ask(get("/echo"));
  loop.advance(limits.http_idle_time + std::chrono::seconds(1));
  EXPECT_TRUE(client->closed());
  connect();
  client->set_window(1000);
  client->send(get("/zeros"));
  loop.run_until_idle();
  loop.advance(limits.http_progress_time + std::chrono::seconds(1));
  EXPECT_TRUE(client->closed());
  loop.run_until_idle();
  EXPECT_EQ(service->size(), 0U);
}

TEST_F(Http, one_address_may_not_ask_without_end) {
  std::string last;
  for (int i = 0; i < 25; ++i) {
    if (client->closed()) connect();
    last = ask(get("/echo"));
  }
  EXPECT_THAT(last, testing::AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("Retry-After: ")));
  connect("192.0.2.2");
  EXPECT_THAT(ask(get("/echo")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Http, a_proxy_is_believed_only_if_it_is_trusted) {
  const std::string fields = "X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n";
  EXPECT_THAT(ask(get("/echo", fields)), EndsWith("\r\n\r\n|192.0.2.1"));
  connect("127.0.0.1");
  EXPECT_THAT(ask(get("/echo", fields)), EndsWith("\r\n\r\n|198.51.100.7|secure"));
  EXPECT_THAT(ask(get("/echo", "X-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n")), EndsWith("\r\n\r\n|203.0.113.9"));
  EXPECT_THAT(ask(get("/echo", "X-Forwarded-For: nonsense\r\n")), EndsWith("\r\n\r\n|127.0.0.1"));
}

TEST_F(Http, an_exchange_outlives_its_connection_and_the_server) {
  ask(get("/later"));
  client->cut();
  loop.run_until_idle();
  EXPECT_EQ(service->size(), 0U);
  waiting->reply(HttpReply::text(200, "too late"));
  connect();
  ask(get("/later"));
  loop.run_until_idle();
  service.reset();
  loop.drop_tasks();
  waiting.reset();
}

TEST_F(Http, a_server_that_stops_closes_what_waits) {
  ask(get("/echo"));
  service->shut_down();
  loop.run_until_idle();
  EXPECT_TRUE(client->closed());
}

}  // namespace
}  // namespace kith::http
