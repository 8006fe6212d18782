#include "net/connection.h"

#include <csignal>
#include <stdexcept>

#include <gtest/gtest.h>

#include "net/recorder.h"

namespace kith::net::testing {
namespace {

using Begin = Connection::Begin;

std::string read_plain(const Socket& socket, std::size_t size) {
  std::string all;
  std::array<char, 4096> buffer{};
  while (all.size() < size) {
    const ssize_t got = ::recv(socket.get(), buffer.data(), std::min(buffer.size(), size - all.size()), 0);
    if (got <= 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return all;
}

void send_plain(const Socket& socket, std::string_view bytes) {
  ASSERT_EQ(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

/// True if the peer's end has come: no bytes, or a reset.
bool at_end(const Socket& socket) {
  char byte = 0;
  return ::recv(socket.get(), &byte, 1, 0) <= 0 && errno != EAGAIN;
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 1000) % 26);
  return text;
}

/// Answers <starttls/>. A client that does not wait for the answer mixes its handshake with what is sent in the clear.
void proceed(Recorder& recorder, std::string_view domain) {
  recorder.transport->write("<proceed/>");
  recorder.transport->start_tls(domain);
}

class ConnectionTest : public ::testing::Test {
 protected:
  TestCertificates certificates_{{"example.org", "example.net"}};
  ConnectionSettings settings_{.contexts = &certificates_.store, .alpn = "xmpp-client"};
  ShardThread shard_;
  Recorder server_{shard_};
};

TEST_F(ConnectionTest, bytes_go_both_ways_in_the_clear) {
  SocketPair pair = tcp_pair();
  server_.react = echo;
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  send_plain(pair.client, "hello");
  EXPECT_EQ(read_plain(pair.client, 5), "hello");
  server_.with([](Transport& transport) {
    EXPECT_EQ(transport.tls(), nullptr);
    EXPECT_EQ(transport.peer_address(), "127.0.0.1");
    EXPECT_EQ(transport.unsent(), 0U);
  });
}

TEST_F(ConnectionTest, what_one_turn_writes_leaves_in_one_record) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  ASSERT_TRUE(server_.wait_secure());
  server_.with([](Transport& transport) {
    for (int i = 0; i < 100; ++i) transport.write("0123456789");
  });
  EXPECT_EQ(client.read().size(), 1000U);
}

TEST_F(ConnectionTest, starttls_sends_the_answer_in_the_clear_and_then_speaks_tls) {
  SocketPair pair = tcp_pair();
  server_.react = [](Recorder& recorder, std::string_view bytes) {
    if (bytes != "<starttls/>") return echo(recorder, bytes);
    recorder.transport->write("<proceed/>");
    recorder.transport->start_tls({});
  };
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  send_plain(pair.client, "<starttls/>");
  EXPECT_EQ(read_plain(pair.client, 10), "<proceed/>");
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  ASSERT_TRUE(client.write("secret"));
  EXPECT_EQ(client.read_exactly(6), "secret");
  EXPECT_TRUE(server_.secure());
}

TEST_F(ConnectionTest, starttls_serves_the_certificate_of_the_stream_to_a_client_without_sni) {
  for (const auto& [asked, served] : std::map<std::string, std::string>{
           {"example.net", "example.net"}, {"", "example.org"}, {"no.example", "example.org"}}) {
    Recorder recorder(shard_);
    SocketPair pair = tcp_pair();
    recorder.react = [&](Recorder& self, std::string_view) { proceed(self, asked); };
    recorder.begin(std::move(pair.server), settings_, Begin::plain);
    send_plain(pair.client, "<starttls/>");
    EXPECT_EQ(read_plain(pair.client, 10), "<proceed/>");
    TlsClient client(std::move(pair.client), {.sni = ""});
    ASSERT_EQ(client.handshake(), "");
    EXPECT_EQ(client.served_name(), served);
  }
}

// A name that we do not know says nothing against the stream's.
TEST_F(ConnectionTest, an_unknown_sni_does_not_take_the_streams_certificate_away) {
  SocketPair pair = tcp_pair();
  server_.react = [](Recorder& recorder, std::string_view) { proceed(recorder, "example.net"); };
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  send_plain(pair.client, "<starttls/>");
  EXPECT_EQ(read_plain(pair.client, 10), "<proceed/>");
  TlsClient client(std::move(pair.client), {.sni = "xmpp.example"});
  ASSERT_EQ(client.handshake(), "");
  EXPECT_EQ(client.served_name(), "example.net");
}

TEST_F(ConnectionTest, what_is_written_during_the_handshake_leaves_after_it) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  server_.with([](Transport& transport) { transport.write("early"); });
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  EXPECT_EQ(client.read_exactly(5), "early");
}

// CVE-2011-0411 and its kin: what a man in the middle appends to <starttls/> must never be read as if it came through
// TLS.
TEST_F(ConnectionTest, plaintext_after_starttls_never_reaches_the_handler) {
  SocketPair pair = tcp_pair();
  server_.react = [](Recorder& recorder, std::string_view) {
    recorder.transport->write("<proceed/>");
    recorder.transport->start_tls({});
  };
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  send_plain(pair.client, "<starttls/>");
  EXPECT_EQ(read_plain(pair.client, 10), "<proceed/>");
  send_plain(pair.client, "<message to='juliet'/>");
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::tls_failed);
  EXPECT_EQ(server_.bytes(), "<starttls/>");
  EXPECT_FALSE(server_.secure());
  EXPECT_NE(server_.failure, "");
}

TEST_F(ConnectionTest, plaintext_together_with_starttls_is_the_handlers_to_see) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  send_plain(pair.client, "<starttls/><message/>");
  ASSERT_TRUE(server_.wait_bytes(21));
  EXPECT_EQ(server_.bytes(), "<starttls/><message/>");
}

TEST_F(ConnectionTest, a_slow_reader_leaves_bytes_unsent_and_gets_them_all) {
  SocketPair pair = tcp_pair(64 * 1024);
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  ASSERT_TRUE(server_.wait_secure());
  const std::string much = pattern(8 * 1024 * 1024);
  server_.with([&](Transport& transport) { transport.write(much); });
  shard_.settle();
  server_.with([&](Transport& transport) {
    EXPECT_GT(transport.unsent(), 1024U * 1024U);
    // The kernel's buffer is full, too.
    EXPECT_GT(transport.unacknowledged(), transport.unsent());
    transport.write("and this");
  });
  EXPECT_EQ(server_.drained(), 0);
  EXPECT_TRUE(client.read_exactly(much.size()) == much);
  EXPECT_EQ(client.read_exactly(8), "and this");
  ASSERT_TRUE(server_.wait_drained());
  server_.with([](Transport& transport) { EXPECT_EQ(transport.unsent(), 0U); });
  EXPECT_EQ(server_.drained(), 1);
}

TEST_F(ConnectionTest, a_slow_reader_in_the_clear_gets_all_too) {
  SocketPair pair = tcp_pair(64 * 1024);
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  const std::string much = pattern(4 * 1024 * 1024);
  server_.with([&](Transport& transport) { transport.write(much); });
  shard_.settle();
  server_.with([](Transport& transport) { EXPECT_GT(transport.unsent(), 0U); });
  EXPECT_TRUE(read_plain(pair.client, much.size()) == much);
  EXPECT_TRUE(server_.wait_drained());
}

TEST_F(ConnectionTest, a_pause_holds_bytes_back_until_reading_resumes) {
  SocketPair pair = tcp_pair();
  server_.react = [](Recorder& recorder, std::string_view) { recorder.transport->pause_reading(); };
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  // More than one record: the rest must be held as ciphertext, or stay in the kernel.
  const std::string much = pattern(300'000);
  std::jthread writer([&] { EXPECT_TRUE(client.write(much)); });
  ASSERT_TRUE(server_.wait_bytes(1));
  shard_.settle();
  const std::size_t first = server_.bytes().size();
  EXPECT_LE(first, runtime::BufferPool::buffer_bytes);
  shard_.settle();
  EXPECT_EQ(server_.bytes().size(), first);
  server_.react = nullptr;
  server_.with([](Transport& transport) { transport.resume_reading(); });
  ASSERT_TRUE(server_.wait_bytes(much.size()));
  EXPECT_TRUE(server_.bytes() == much);
}

TEST_F(ConnectionTest, a_peer_that_closes_cleanly_is_told_as_peer) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  ASSERT_TRUE(client.write("last words"));
  SSL_shutdown(client.ssl());
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::peer);
  EXPECT_EQ(server_.bytes(), "last words");
  EXPECT_EQ(server_.closings(), 1);
}

TEST_F(ConnectionTest, a_half_open_peer_is_told_as_peer) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  send_plain(pair.client, "bye");
  ::shutdown(pair.client.get(), SHUT_WR);
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::peer);
  EXPECT_EQ(server_.bytes(), "bye");
  EXPECT_TRUE(at_end(pair.client));
}

TEST_F(ConnectionTest, a_reset_is_told_as_error) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  const linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(pair.client.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  pair.client.close();
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::error);
  EXPECT_NE(server_.failure, "");
}

TEST_F(ConnectionTest, what_a_peer_said_before_it_vanished_is_read_although_sending_fails) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  server_.with([](Transport& transport) { transport.pause_reading(); });
  send_plain(pair.client, "last stanza");
  ::shutdown(pair.client.get(), SHUT_WR);
  const linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(pair.client.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  pair.client.close();
  server_.with([](Transport& transport) {
    transport.write("into the void");
    transport.resume_reading();
  });
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.bytes(), "last stanza");
  EXPECT_EQ(server_.closed(), CloseReason::error);
}

TEST_F(ConnectionTest, a_peer_that_vanishes_in_the_handshake_fails_tls) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  send_plain(pair.client, std::string_view("\x16\x03\x01\x02\x00\x01", 6));
  pair.client.close();
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::tls_failed);
}

TEST_F(ConnectionTest, a_handshake_that_takes_too_long_fails) {
  settings_.handshake_time = std::chrono::seconds(0);
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::tls_failed);
  EXPECT_EQ(server_.failure, "the handshake took too long");
  EXPECT_TRUE(at_end(pair.client));
}

TEST_F(ConnectionTest, without_a_certificate_starttls_fails) {
  const SystemClock clock;
  const CertificateStore empty({}, clock);
  settings_.contexts = &empty;
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::tls_failed);
}

TEST_F(ConnectionTest, close_sends_what_was_written_and_a_close_notify) {
  SocketPair pair = tcp_pair(64 * 1024);
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  ASSERT_TRUE(server_.wait_secure());
  // The client sends, too: unread bytes must not turn the end into a reset.
  ASSERT_TRUE(client.write(pattern(10'000)));
  const std::string much = pattern(1024 * 1024);
  server_.with([&](Transport& transport) {
    transport.write(much);
    transport.close();
    transport.write("not this");
  });
  ASSERT_TRUE(client.write(pattern(10'000)));
  EXPECT_TRUE(client.read_to_end() == much);
  EXPECT_TRUE(client.ended_cleanly());
  client.socket().close();
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::local);
  EXPECT_EQ(server_.closings(), 1);
}

TEST_F(ConnectionTest, close_gives_up_on_a_peer_that_neither_reads_nor_closes) {
  settings_.close_time = std::chrono::seconds(0);
  SocketPair pair = tcp_pair(64 * 1024);
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  server_.with([](Transport& transport) {
    transport.write(pattern(8 * 1024 * 1024));
    transport.close();
  });
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::local);
}

TEST_F(ConnectionTest, close_in_the_handshake_ends_at_once) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  shard_.settle();
  server_.with([](Transport& transport) { transport.close(); });
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::local);
}

TEST_F(ConnectionTest, abort_makes_no_more_calls) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  server_.with([](Transport& transport) {
    transport.write("never sent");
    transport.abort();
  });
  EXPECT_TRUE(at_end(pair.client));
  shard_.settle();
  EXPECT_EQ(server_.closings(), 0);
}

TEST_F(ConnectionTest, a_handler_may_destroy_the_transport_inside_any_call) {
  const auto destroy = [](Recorder& recorder) { recorder.transport.reset(); };
  for (int where = 0; where < 4; ++where) {
    Recorder server(shard_);
    SocketPair pair = tcp_pair(64 * 1024);
    if (where == 0) server.react = [&](Recorder& recorder, std::string_view) { destroy(recorder); };
    if (where == 1) server.react_secure = destroy;
    if (where == 2) server.react_drained = destroy;
    if (where == 3) server.react_closed = destroy;
    server.begin(std::move(pair.server), settings_, Begin::tls);
    TlsClient client(std::move(pair.client));
    ASSERT_EQ(client.handshake(), "");
    if (where == 2) {
      ASSERT_TRUE(server.wait_secure());
      server.with([](Transport& transport) { transport.write(pattern(6 * 1024 * 1024)); });
      shard_.settle();
      client.read_to_end();
    }
    if (where == 3) SSL_shutdown(client.ssl());
    if (where == 0) {
      client.write(pattern(50'000));
    }
    client.read_to_end();
    shard_.settle();
    shard_.run([&] { EXPECT_EQ(server.transport, nullptr) << where; });
  }
  EXPECT_TRUE(shard_.faults().empty());
}

TEST_F(ConnectionTest, a_handler_that_throws_ends_its_connection_and_not_the_shard) {
  SocketPair pair = tcp_pair();
  server_.react = [](Recorder&, std::string_view) { throw std::runtime_error("a bug"); };
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  ASSERT_TRUE(client.write("hello"));
  ASSERT_TRUE(server_.wait_closed());
  EXPECT_EQ(server_.closed(), CloseReason::error);
  shard_.settle();
  EXPECT_EQ(shard_.faults(), std::vector<std::string>{"a bug"});
}

TEST_F(ConnectionTest, a_flood_is_read_in_portions) {
  struct Portion final : runtime::TurnEnd {
    void at_turn_end() override {
      most = std::max(most, bytes);
      bytes = 0;
    }
    std::size_t bytes = 0;
    std::size_t most = 0;
  } portion;
  SocketPair pair = tcp_pair();
  server_.react = [&](Recorder&, std::string_view bytes) {
    portion.bytes += bytes.size();
    shard_.shard().call_at_turn_end(portion);
  };
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  server_.with([](Transport& transport) { transport.pause_reading(); });
  const std::string much = pattern(1024 * 1024);
  std::jthread writer([&] { EXPECT_TRUE(client.write(much)); });
  shard_.settle();
  server_.with([](Transport& transport) { transport.resume_reading(); });
  ASSERT_TRUE(server_.wait_bytes(much.size()));
  EXPECT_TRUE(server_.bytes() == much);
  shard_.settle();
  shard_.run([&] {
    EXPECT_GT(portion.most, 0U);
    EXPECT_LE(portion.most, settings_.read_bytes_per_turn + runtime::BufferPool::buffer_bytes);
  });
}

TEST_F(ConnectionTest, a_detached_connection_that_nobody_attaches_closes_its_socket) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::plain);
  std::unique_ptr<DetachedTransport> parts;
  server_.with([&](Transport& transport) { parts = transport.detach(); });
  parts.reset();
  EXPECT_TRUE(at_end(pair.client));
}

TEST_F(ConnectionTest, a_move_takes_unsent_bytes_and_the_pause_along) {
  SocketPair pair = tcp_pair(64 * 1024);
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  ASSERT_TRUE(server_.wait_secure());
  const std::string much = pattern(8 * 1024 * 1024);
  server_.with([&](Transport& transport) {
    transport.pause_reading();
    transport.write(much);
  });
  shard_.settle();
  ShardThread other(1);
  std::unique_ptr<DetachedTransport> parts;
  server_.with([&](Transport& transport) { parts = transport.detach(); });
  Recorder after(other);
  other.run([&] {
    after.transport = parts->attach(other.shard());
    after.transport->set_handler(&after);
    EXPECT_GT(after.transport->unsent(), 0U);
    after.transport->write("tail");
  });
  ASSERT_TRUE(client.write("while paused"));
  EXPECT_TRUE(client.read_exactly(much.size()) == much);
  EXPECT_EQ(client.read_exactly(4), "tail");
  EXPECT_TRUE(after.wait_drained());
  EXPECT_EQ(after.bytes(), "");
  after.with([](Transport& transport) { transport.resume_reading(); });
  ASSERT_TRUE(after.wait_bytes(12));
  EXPECT_EQ(after.bytes(), "while paused");
  EXPECT_EQ(server_.closings(), 0);
}

TEST_F(ConnectionTest, a_move_in_the_middle_of_reading_takes_the_unread_records_along) {
  SocketPair pair = tcp_pair();
  server_.begin(std::move(pair.server), settings_, Begin::tls);
  TlsClient client(std::move(pair.client));
  ASSERT_EQ(client.handshake(), "");
  ASSERT_TRUE(server_.wait_secure());
  server_.with([](Transport& transport) { transport.pause_reading(); });
  // Ten records that the kernel gives at once, and more than one call to the handler takes. Nothing comes after them,
  // so that no event tells of what is left.
  const std::string much = pattern(30'000);
  for (std::size_t i = 0; i < 10; ++i) ASSERT_TRUE(client.write(much.substr(i * 3000, 3000)));
  shard_.settle();
  ShardThread other(1);
  Recorder after(other);
  server_.react = [&](Recorder& recorder, std::string_view) {
    std::unique_ptr<DetachedTransport> parts = recorder.transport->detach();
    recorder.transport.reset();
    other.shard().post([&, moved = std::move(parts)] {
      after.transport = moved->attach(other.shard());
      after.transport->set_handler(&after);
    });
  };
  server_.with([](Transport& transport) { transport.resume_reading(); });
  ASSERT_TRUE(server_.wait_bytes(1));
  const std::string first = server_.bytes();
  EXPECT_LT(first.size(), much.size());
  ASSERT_TRUE(after.wait_bytes(much.size() - first.size()));
  EXPECT_TRUE(first + after.bytes() == much);
}

TEST_F(ConnectionTest, an_idle_connection_is_small) { EXPECT_LE(sizeof(Connection), 256U); }

}  // namespace
}  // namespace kith::net::testing
