#include "http/request_parser.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kith::http {
namespace {

using testing::Eq;
using testing::Optional;

/// The head of `text`, given whole; the status if it is refused, or 0 if it is not complete.
std::expected<Head, int> head_of(const std::string& text, HeadLimits limits = {}) {
  RequestParser parser(limits);
  std::string bytes = text;
  auto head = parser.head(bytes);
  if (!head) return std::unexpected(head.error().status);
  if (!*head) return std::unexpected(0);
  return *std::move(*head);
}

int status_of(const std::string& text, HeadLimits limits = {}) {
  const auto head = head_of(text, limits);
  return head ? 200 : head.error();
}

std::string with(const std::string& lines) { return "GET / HTTP/1.1\r\nHost: example.org\r\n" + lines + "\r\n"; }

TEST(RequestParser, a_head_is_read_whatever_its_pieces) {
  const std::string text =
      "PUT /a/b?c=d HTTP/1.1\r\nHost: example.org:5281\r\nContent-Length: 3\r\nX-A:  b \r\n\r\nabcGET";
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    RequestParser parser(HeadLimits{});
    std::string bytes = text.substr(0, cut);
    auto first = parser.head(bytes);
    ASSERT_TRUE(first) << cut;
    if (!*first) {
      bytes += text.substr(cut);
      first = parser.head(bytes);
    } else {
      bytes += text.substr(cut);
    }
    ASSERT_TRUE(first && *first) << cut;
    const Head& head = **first;
    EXPECT_EQ(head.method, "PUT");
    EXPECT_EQ(head.target, "/a/b?c=d");
    EXPECT_EQ(head.host, "example.org:5281");
    EXPECT_THAT(head.content_length, Optional(3U));
    EXPECT_TRUE(lists(head.fields, "x-a", "b"));
    EXPECT_TRUE(head.keep_alive);
    std::string body;
    std::string_view rest = bytes;
    const auto done = parser.body(rest, [&](std::string_view piece) { body += piece; });
    EXPECT_TRUE(done && *done);
    EXPECT_EQ(body, "abc");
    EXPECT_EQ(rest, "GET");
  }
}

TEST(RequestParser, chunks_are_read_whatever_their_pieces) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string text = "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nTrailer: no\r\n\r\nGET";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    RequestParser parser(HeadLimits{});
    std::string bytes = head;
    ASSERT_TRUE(parser.head(bytes));
    std::string body;
    std::string held;
    bool done = false;
    for (const std::string& piece : {text.substr(0, cut), text.substr(cut)}) {
      held += piece;
      if (done) continue;
      std::string_view rest = held;
      const auto result = parser.body(rest, [&](std::string_view part) { body += part; });
      ASSERT_TRUE(result) << cut;
      done = *result;
      held = std::string(rest);
    }
    EXPECT_TRUE(done) << cut;
    EXPECT_EQ(body, "abcd") << cut;
    EXPECT_EQ(held, "GET") << cut;
  }
}

TEST(RequestParser, a_chunk_that_is_none_is_refused) {
  const std::string long_line(HeadLimits{}.line_bytes() + 10, 'x');
  for (const std::string& body : {std::string("x\r\nabc"), std::string("3\r\nabcd\r\n\r\n"), std::string("-1\r\n"),
                                  std::string("10000000000000000\r\n"), "1;" + long_line, "0\r\nTrailer: " + long_line,
                                  std::string("3 \nabc\r\n")}) {
    RequestParser parser(HeadLimits{});
    std::string bytes = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    ASSERT_TRUE(parser.head(bytes));
    std::string_view rest = body;
    EXPECT_FALSE(parser.body(rest, [](std::string_view) {})) << body.substr(0, 30);
  }
}

// Each of these is read by some proxy in another way than by some server.
TEST(RequestParser, what_can_be_read_in_two_ways_is_refused) {
  EXPECT_EQ(status_of(with("")), 200);
  EXPECT_EQ(status_of(with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(status_of(with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n")), 400);
  EXPECT_EQ(status_of(with("Content-Length: 1\r\nContent-Length: 1\r\n")), 400);
  EXPECT_EQ(status_of(with("Content-Length: 1\r\nContent-Length: 2\r\n")), 400);
  EXPECT_EQ(status_of(with("Content-Length: 1, 1\r\n")), 400);
  EXPECT_EQ(status_of(with("Content-Length: +1\r\n")), 400);
  EXPECT_EQ(status_of(with("Content-Length: 0x1\r\n")), 400);
  EXPECT_EQ(status_of(with("Content-Length: -1\r\n")), 400);
  EXPECT_EQ(status_of(with("Content-Length:\r\n")), 400);
  EXPECT_EQ(status_of(with("Content-Length: 99999999999999999999999\r\n")), 400);
  EXPECT_NE(status_of(with("Transfer-Encoding: chunked, identity\r\n")), 200);
  EXPECT_EQ(status_of(with("Transfer-Encoding: gzip, chunked\r\n")), 501);
  EXPECT_NE(status_of(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")), 200);
  EXPECT_EQ(status_of(with("Transfer-Encoding : chunked\r\n")), 400);
  EXPECT_EQ(status_of(with("Transfer-Encoding\t: chunked\r\n")), 400);
  EXPECT_EQ(status_of(with("X: a\r\n b\r\n")), 400);
  EXPECT_EQ(status_of(with("X: a\r\n\tb\r\n")), 400);
  EXPECT_EQ(status_of(with("X: a\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(status_of(with("X: a\rTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(status_of(with(std::string("X: a\0b\r\n", 8))), 400);
  EXPECT_EQ(status_of(with("X: a\vb\r\n")), 400);
  EXPECT_EQ(status_of(with(": a\r\n")), 400);
  EXPECT_EQ(status_of(with("no colon\r\n")), 400);
  EXPECT_EQ(status_of(with("Host: example.net\r\n")), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a\n\n"), 400);
  EXPECT_NE(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 200);
  EXPECT_NE(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 200);
  EXPECT_EQ(status_of("\x16\x03\x01\n\n"), 400);
  EXPECT_EQ(status_of(with("Expect: the-unexpected\r\n")), 417);
}

TEST(RequestParser, a_head_has_its_limits) {
  const HeadLimits limits{.bytes = 4096, .fields = 16};
  std::string many;
  for (int i = 0; i < 15; ++i) many += "X: y\r\n";
  EXPECT_EQ(status_of(with(many), limits), 200);
  EXPECT_EQ(status_of(with(many + "X: y\r\n"), limits), 431);
  EXPECT_EQ(status_of(with("X: " + std::string(1100, 'y') + "\r\n"), limits), 431);
  EXPECT_EQ(status_of("GET /" + std::string(1100, 'y') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits), 414);
  // One that never ends.
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n" + std::string(5000, 'y'), limits), 431);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHo", limits), 0);
}

TEST(RequestParser, the_connection_stays_or_ends_as_the_client_says) {
  EXPECT_TRUE(head_of(with(""))->keep_alive);
  EXPECT_FALSE(head_of(with("Connection: upgrade, Close\r\n"))->keep_alive);
  EXPECT_FALSE(head_of("GET / HTTP/1.0\r\nHost: a\r\n\r\n")->keep_alive);
  EXPECT_TRUE(head_of("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
}

TEST(RequestParser, an_absolute_target_names_the_host) {
  const auto head = head_of("GET https://example.net:1/a?b HTTP/1.1\r\nHost: example.org\r\n\r\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->host, "example.net:1");
  EXPECT_EQ(head->target, "/a?b");
  EXPECT_EQ(head_of("GET http://example.net HTTP/1.1\r\nHost: a\r\n\r\n")->target, "/");
}

TEST(ParseTarget, a_path_is_decoded_once) {
  const auto target = parse_target("/a%20b/%C3%BC?q=%2F&x");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/a b/ü");
  EXPECT_EQ(target->query, "q=%2F&x");
  EXPECT_EQ(parse_target("/%2541")->path, "/%41");
  EXPECT_EQ(parse_target("/")->path, "/");
  EXPECT_EQ(parse_target("/a/")->path, "/a/");
  EXPECT_EQ(parse_target("/..a/.b")->path, "/..a/.b");
}

TEST(ParseTarget, what_could_lead_elsewhere_is_refused) {
  for (const char* bad : {"",     "a",   "*",     "/..",    "/../etc/passwd", "/a/../b", "/%2e%2e/b", "/.%2E/b",
                          "/./a", "//a", "/a//b", "/a%2fb", "/a%5Cb",         "/a\\b",   "/%00",      "/a%0d%0aX",
                          "/%",   "/%4", "/%zz",  "/%ff",   "/%c0%ae%c0%ae/", "/a#b"}) {
    EXPECT_FALSE(parse_target(bad)) << bad;
  }
}

TEST(HostOf, a_port_is_left_out_and_nonsense_is_refused) {
  EXPECT_THAT(host_of("EXAMPLE.org:5281"), Optional(Eq("example.org")));
  EXPECT_THAT(host_of("example.org."), Optional(Eq("example.org")));
  EXPECT_THAT(host_of("[::1]:80"), Optional(Eq("::1")));
  for (const char* bad : {"", ":80", "a:b", "a:80:80", "a/b", "a@b", "a b", "a:99999", "[::1"}) {
    EXPECT_FALSE(host_of(bad)) << bad;
  }
}

}  // namespace
}  // namespace kith::http
