#include "net/memory_link.h"

#include <functional>
#include <optional>

#include <gtest/gtest.h>

#include "runtime/manual_loop.h"

namespace kith::net {
namespace {

/// Remembers what it was told; may own and destroy its transport.
class Listener final : public TransportHandler {
 public:
  void take(std::unique_ptr<Transport> taken) {
    transport = std::move(taken);
    transport->set_handler(this);
  }
  void on_bytes(std::string_view piece) override {
    bytes += piece;
    if (react) react(piece);
  }
  void on_secure() override { ++secure; }
  void on_drained() override { ++drained; }
  void on_closed(CloseReason reason) override {
    closed = reason;
    if (destroy_at_end) transport.reset();
  }

  std::unique_ptr<Transport> transport;
  std::string bytes;
  int secure = 0;
  int drained = 0;
  std::optional<CloseReason> closed;
  bool destroy_at_end = false;
  std::function<void(std::string_view)> react;
};

class MemoryLinkTest : public ::testing::Test {
 protected:
  void link(LinkOptions options = {}) {
    Link made = make_link(loop_, std::move(options));
    client_ = std::move(made.client);
    server_.take(std::move(made.server));
  }
  runtime::ManualLoop loop_;
  Listener server_;
  std::unique_ptr<LinkClient> client_;
};

TEST_F(MemoryLinkTest, nothing_arrives_before_the_loop_runs) {
  link();
  client_->send("one ");
  client_->send("two");
  server_.transport->write("answer");
  EXPECT_EQ(server_.bytes, "");
  EXPECT_EQ(client_->arrived(), "");
  EXPECT_EQ(server_.transport->unsent(), 6U);
  loop_.run_until_idle();
  EXPECT_EQ(server_.bytes, "one two");
  EXPECT_EQ(client_->take(), "answer");
  EXPECT_EQ(client_->take(), "");
}

TEST_F(MemoryLinkTest, starttls_answers_in_the_clear_and_tells_its_facts) {
  LinkOptions options;
  options.tls.sni = "example.org";
  link(options);
  server_.react = [&](std::string_view) {
    server_.transport->write("<proceed/>");
    server_.transport->start_tls({});
    EXPECT_EQ(server_.transport->tls(), nullptr);
  };
  client_->send("<starttls/>");
  loop_.run_until_idle();
  EXPECT_EQ(client_->take(), "<proceed/>");
  EXPECT_TRUE(client_->secure());
  EXPECT_EQ(server_.secure, 1);
  ASSERT_NE(server_.transport->tls(), nullptr);
  EXPECT_EQ(server_.transport->tls()->sni, "example.org");
}

TEST_F(MemoryLinkTest, what_comes_in_the_clear_after_starttls_fails_tls) {
  link();
  server_.react = [&](std::string_view) {
    server_.transport->start_tls({});
    client_->send("injected");
  };
  client_->send("<starttls/>");
  loop_.run_until_idle();
  EXPECT_EQ(server_.closed, CloseReason::tls_failed);
  EXPECT_EQ(server_.bytes, "<starttls/>");
  EXPECT_NE(server_.transport->failure(), "");
}

TEST_F(MemoryLinkTest, direct_tls_is_secure_first) {
  link({.direct_tls = true});
  loop_.run_until_idle();
  EXPECT_EQ(server_.secure, 1);
  EXPECT_NE(server_.transport->tls(), nullptr);
}

TEST_F(MemoryLinkTest, a_slow_reader_leaves_bytes_unsent) {
  link({.window_bytes = 4});
  server_.transport->write("0123456789");
  loop_.run_until_idle();
  EXPECT_EQ(server_.transport->unsent(), 6U);
  EXPECT_EQ(client_->take(), "0123");
  loop_.run_until_idle();
  EXPECT_EQ(client_->take(), "4567");
  EXPECT_EQ(server_.drained, 0);
  loop_.run_until_idle();
  EXPECT_EQ(client_->take(), "89");
  EXPECT_EQ(server_.drained, 1);
}

TEST_F(MemoryLinkTest, a_pause_holds_bytes_back) {
  link();
  server_.transport->pause_reading();
  client_->send("later");
  client_->close();
  loop_.run_until_idle();
  EXPECT_EQ(server_.bytes, "");
  EXPECT_FALSE(server_.closed.has_value());
  server_.transport->resume_reading();
  loop_.run_until_idle();
  EXPECT_EQ(server_.bytes, "later");
  EXPECT_EQ(server_.closed, CloseReason::peer);
}

TEST_F(MemoryLinkTest, close_sends_what_was_written) {
  link();
  server_.transport->write("bye");
  server_.transport->close();
  EXPECT_FALSE(server_.closed.has_value());
  loop_.run_until_idle();
  EXPECT_EQ(server_.closed, CloseReason::local);
  EXPECT_TRUE(client_->closed());
  EXPECT_EQ(client_->take(), "bye");
}

TEST_F(MemoryLinkTest, a_cut_loses_what_was_on_its_way) {
  link();
  client_->send("lost");
  client_->cut();
  loop_.run_until_idle();
  EXPECT_EQ(server_.bytes, "");
  EXPECT_EQ(server_.closed, CloseReason::error);
}

TEST_F(MemoryLinkTest, abort_makes_no_more_calls) {
  link();
  client_->send("never read");
  server_.transport->abort();
  loop_.run_until_idle();
  EXPECT_EQ(server_.bytes, "");
  EXPECT_FALSE(server_.closed.has_value());
  EXPECT_TRUE(client_->closed());
}

TEST_F(MemoryLinkTest, the_transport_may_go_inside_a_call) {
  link();
  server_.react = [&](std::string_view) { server_.transport.reset(); };
  client_->send("x");
  loop_.run_until_idle();
  EXPECT_EQ(server_.transport, nullptr);
  EXPECT_TRUE(client_->closed());

  link();
  server_.react = nullptr;
  server_.destroy_at_end = true;
  client_->close();
  loop_.run_until_idle();
  EXPECT_EQ(server_.transport, nullptr);
}

TEST_F(MemoryLinkTest, a_move_takes_everything_along) {
  link({.window_bytes = 4});
  server_.react = [&](std::string_view) {};
  client_->send("first");
  loop_.run_until_idle();
  server_.transport->write("0123456789");
  loop_.run_until_idle();
  std::unique_ptr<DetachedTransport> parts = server_.transport->detach();
  server_.transport.reset();
  client_->send("while moving");
  loop_.run_until_idle();
  EXPECT_FALSE(client_->closed());

  runtime::ManualLoop other;
  server_.take(parts->attach(other));
  loop_.run_until_idle();
  EXPECT_EQ(server_.bytes, "first");
  other.run_until_idle();
  EXPECT_EQ(server_.bytes, "firstwhile moving");
  std::string got;
  for (int i = 0; i < 3; ++i) {
    got += client_->take();
    other.run_until_idle();
  }
  EXPECT_EQ(got, "0123456789");
  EXPECT_EQ(server_.drained, 1);
  server_.transport.reset();
}

TEST_F(MemoryLinkTest, a_detached_link_that_nobody_attaches_closes) {
  link();
  server_.transport->detach();
  EXPECT_TRUE(client_->closed());
}

}  // namespace
}  // namespace kith::net
