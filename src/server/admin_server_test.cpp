// The admin socket and the metrics listener on real sockets, in a directory of their own.
#include "server/admin_server.h"

#include <fstream>
#include <future>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/metrics_server.h"

namespace kith::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

/// Answers `reload` at once, `status` never, keeps the rest waiting.
class FakeActions final : public AdminActions {
 public:
  std::string password;
  AdminAnswer<AdminStatus> waiting;
  std::promise<void> status_asked;

  void status(AdminAnswer<AdminStatus> then) override {
    waiting = std::move(then);
    status_asked.set_value();
  }
  void list_users(std::string, AdminAnswer<std::vector<AdminUser>>) override {}  // dropped without an answer
  void add_user(xmpp::BareJid, Secret secret, AdminAnswer<AdminDone> then) override {
    password = secret.reveal();
    then(AdminDone{});
  }
  void set_password(xmpp::BareJid, Secret, AdminAnswer<AdminDone>) override {}
  void remove_user(xmpp::BareJid, AdminAnswer<AdminDone> then) override {
    // From another thread, as a shard answers.
    std::jthread([then = std::move(then)]() mutable {
      then(std::unexpected(AdminError{404, "no-such-user", "There is no such user."}));
    });
  }
  void list_clients(xmpp::BareJid, AdminAnswer<std::vector<module::ClientInfo>>) override {}
  void end_client(xmpp::BareJid, std::string, AdminAnswer<AdminDone>) override {}
  void list_uploads(std::optional<xmpp::BareJid>, AdminAnswer<AdminUploads>) override {}
  void remove_upload(std::string, AdminAnswer<AdminDone>) override {}
  void list_pushes(xmpp::BareJid, AdminAnswer<std::vector<storage::PushRecord>>) override {}
  void check_keys(xmpp::BareJid, bool, AdminAnswer<AdminKeys>) override {}
  void list_sessions(std::optional<xmpp::BareJid>, AdminAnswer<std::vector<AdminSession>>) override {}
  void end_session(xmpp::FullJid, AdminAnswer<AdminDone>) override {}
  void federation(AdminAnswer<AdminFederation>) override {}
  void check_server(std::string, AdminAnswer<AdminCheck>) override {}
  void retry_server(std::string, AdminAnswer<AdminRetry>) override {}
  void block_server(std::string, bool, AdminAnswer<AdminDone>) override {}
  void list_rooms(AdminAnswer<std::vector<AdminRoom>>) override {}
  void room(xmpp::BareJid, module::RoomAdministration::Wish, std::string, std::string,
            AdminAnswer<AdminRoomLines>) override {}
  void reload(AdminAnswer<AdminReload> then) override { then(AdminReload{}); }
};

class SocketTest : public testing::Test {
 protected:
  /// Runs `work` on the io_context's thread and waits for it.
  template <class Work>
  auto on_loop(Work work) {
    return asio::post(io, asio::use_future(std::move(work))).get();
  }
  SocketTest() {
    std::string name = testing::TempDir() + "/kith-admin-XXXXXX";
    directory = mkdtemp(name.data());
    runner = std::jthread([this] { io.run(); });
  }
  ~SocketTest() override {
    on_loop([&] {
      admin.reset();
      metrics.reset();
    });
    guard.reset();
    runner.join();
    std::filesystem::remove_all(directory);
  }

  std::expected<void, std::string> start(SmallHttpLimits limits = {}) {
    return on_loop([&] {
      admin = std::make_unique<AdminServer>(io, api, limits);
      return admin->start(path());
    });
  }
  std::filesystem::path path() const { return directory / "kith.sock"; }

  stream_protocol::socket connect() {
    stream_protocol::socket socket(client_io);
    socket.connect(stream_protocol::endpoint(path().string()));
    return socket;
  }
  template <class Socket>
  http::response<http::string_body> read_reply(Socket& socket) {
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    error_code error;
    http::read(socket, buffer, response, error);
    if (error) response.result(599);
    return response;
  }
  template <class Socket>
  http::response<http::string_body> ask(Socket& socket, std::string_view text) {
    error_code ignored;
    asio::write(socket, asio::buffer(text), ignored);
    return read_reply(socket);
  }
  template <class Socket>
  bool is_closed_by_peer(Socket& socket) {
    char byte = 0;
    error_code error;
    socket.read_some(asio::buffer(&byte, 1), error);
    return static_cast<bool>(error);
  }

  std::filesystem::path directory;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
  asio::io_context client_io;
  FakeActions actions;
  AdminApi api{actions};
  std::unique_ptr<AdminServer> admin;
  std::unique_ptr<MetricsServer> metrics;
  std::jthread runner;
};

using AdminServerTest = SocketTest;
using MetricsServerTest = SocketTest;

constexpr std::string_view reload = "POST /v1/reload HTTP/1.1\r\nHost: kith\r\nContent-Length: 0\r\n\r\n";

TEST_F(AdminServerTest, answers_several_requests_on_one_connection) {
  ASSERT_TRUE(start());
  auto socket = connect();
  for (int i = 0; i < 3; ++i) {
    const auto reply = ask(socket, reload);
    EXPECT_EQ(reply.result_int(), 200U);
    EXPECT_EQ(reply[http::field::content_type], "application/json");
    EXPECT_EQ(reply.body(), R"({"notes":[]})");
  }
}

TEST_F(AdminServerTest, hands_the_body_over) {
  ASSERT_TRUE(start());
  auto socket = connect();
  const std::string body = R"({"jid":"a@example.org","password":"geheim"})";
  const auto reply =
      ask(socket, "POST /v1/users HTTP/1.1\r\nHost: kith\r\nContent-Length: " + std::to_string(body.size()) +
                      "\r\n\r\n" + body);
  EXPECT_EQ(reply.result_int(), 201U);
  EXPECT_EQ(actions.password, "geheim");
}

TEST_F(AdminServerTest, takes_an_answer_from_another_thread) {
  ASSERT_TRUE(start());
  auto socket = connect();
  const auto reply = ask(socket, "DELETE /v1/users/a%40example.org HTTP/1.1\r\nHost: kith\r\n\r\n");
  EXPECT_EQ(reply.result_int(), 404U);
  EXPECT_EQ(reply.body(), R"({"error":{"code":"no-such-user","message":"There is no such user."}})");
}

TEST_F(AdminServerTest, socket_is_for_its_owner_only) {
  const std::filesystem::path deep = directory / "run" / "kith.sock";
  ASSERT_TRUE(on_loop([&] {
    admin = std::make_unique<AdminServer>(io, api);
    return admin->start(deep);
  }));
  struct stat status{};
  ASSERT_EQ(stat(deep.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(stat(deep.parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(AdminServerTest, stale_socket_is_replaced) {
  {
    stream_protocol::acceptor left_behind(client_io, stream_protocol::endpoint(path().string()));
  }
  ASSERT_TRUE(std::filesystem::exists(path()));
  ASSERT_TRUE(start());
  auto socket = connect();
  EXPECT_EQ(ask(socket, reload).result_int(), 200U);
}

TEST_F(AdminServerTest, socket_that_somebody_answers_is_left_alone) {
  stream_protocol::acceptor other(client_io, stream_protocol::endpoint(path().string()));
  const auto started = start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(),
            "Another kithd answers at " + path().string() + "; stop it or choose another admin socket.");
  on_loop([&] { admin.reset(); });
  EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(AdminServerTest, file_that_is_no_socket_is_left_alone) {
  std::ofstream(path()) << "precious";
  const auto started = start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find("is not a socket"), std::string::npos);
  on_loop([&] { admin.reset(); });
  EXPECT_EQ(std::filesystem::file_size(path()), 8U);
}

TEST_F(AdminServerTest, path_too_long_for_a_socket_is_refused) {
  const auto started = on_loop([&] {
    admin = std::make_unique<AdminServer>(io, api);
    return admin->start(directory / std::string(200, 'x'));
  });
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find("1 to 107 bytes"), std::string::npos);
}

TEST_F(AdminServerTest, stopped_removes_the_socket_and_ends_connections) {
  ASSERT_TRUE(start());
  auto socket = connect();
  EXPECT_EQ(ask(socket, reload).result_int(), 200U);
  on_loop([&] { admin->stop(); });
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_TRUE(is_closed_by_peer(socket));
}

TEST_F(AdminServerTest, stopped_while_an_answer_is_awaited_takes_it_without_harm) {
  ASSERT_TRUE(start());
  auto socket = connect();
  asio::write(socket, asio::buffer(std::string_view("GET /v1/status HTTP/1.1\r\nHost: kith\r\n\r\n")));
  actions.status_asked.get_future().wait();
  on_loop([&] { admin.reset(); });
  actions.waiting(AdminStatus{});
  EXPECT_TRUE(is_closed_by_peer(socket));
}

TEST_F(AdminServerTest, body_over_the_limit_is_refused) {
  ASSERT_TRUE(start());
  auto socket = connect();
  EXPECT_EQ(ask(socket, "POST /v1/users HTTP/1.1\r\nHost: kith\r\nContent-Length: 65537\r\n\r\n").result_int(), 413U);
  EXPECT_TRUE(is_closed_by_peer(socket));
}

TEST_F(AdminServerTest, headers_over_the_limit_are_refused) {
  ASSERT_TRUE(start());
  auto socket = connect();
  EXPECT_EQ(ask(socket, "GET / HTTP/1.1\r\nX: " + std::string(17 * 1024, 'x') + "\r\n\r\n").result_int(), 431U);
}

TEST_F(AdminServerTest, what_is_no_http_is_refused) {
  ASSERT_TRUE(start());
  auto socket = connect();
  EXPECT_EQ(ask(socket, "<?xml version='1.0'?><stream:stream>\r\n\r\n").result_int(), 400U);
}

TEST_F(AdminServerTest, two_lengths_are_refused) {
  ASSERT_TRUE(start());
  auto socket = connect();
  EXPECT_EQ(ask(socket, "POST /v1/reload HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nGET /").result_int(),
            400U);
}

TEST_F(AdminServerTest, slow_request_is_closed) {
  ASSERT_TRUE(start({.request_time = std::chrono::milliseconds(30)}));
  auto socket = connect();
  asio::write(socket, asio::buffer(std::string_view("GET /v1/sta")));
  EXPECT_TRUE(is_closed_by_peer(socket));
}

TEST_F(AdminServerTest, request_without_an_answer_ends_in_503) {
  ASSERT_TRUE(start({.request_time = std::chrono::milliseconds(30)}));
  auto socket = connect();
  const auto reply = ask(socket, "GET /v1/users HTTP/1.1\r\nHost: kith\r\n\r\n");
  EXPECT_EQ(reply.result_int(), 503U);
  EXPECT_NE(reply.body().find("\"overdue\""), std::string::npos);
  EXPECT_TRUE(is_closed_by_peer(socket));
}

TEST_F(AdminServerTest, connections_over_the_limit_are_closed) {
  ASSERT_TRUE(start({.connections = 2}));
  auto first = connect();
  auto second = connect();
  EXPECT_EQ(ask(first, reload).result_int(), 200U);
  EXPECT_EQ(ask(second, reload).result_int(), 200U);
  auto third = connect();
  EXPECT_TRUE(is_closed_by_peer(third));
  EXPECT_EQ(ask(first, reload).result_int(), 200U);
}

TEST_F(MetricsServerTest, metrics_are_read_in_openmetrics) {
  ASSERT_TRUE(on_loop([&] {
    metrics = std::make_unique<MetricsServer>(io, [] { return std::string("kith_up 1\n# EOF\n"); });
    return metrics->start("127.0.0.1", 0);
  }));
  tcp::socket socket(client_io);
  socket.connect({asio::ip::make_address("127.0.0.1"), metrics->port()});
  auto reply = ask(socket, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(reply.result_int(), 200U);
  EXPECT_EQ(reply[http::field::content_type], "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_EQ(reply.body(), "kith_up 1\n# EOF\n");
  EXPECT_EQ(ask(socket, "GET /v1/users HTTP/1.1\r\nHost: localhost\r\n\r\n").result_int(), 404U);
  EXPECT_EQ(ask(socket, "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n").result_int(), 405U);
}

TEST_F(MetricsServerTest, metrics_are_for_this_machine_only) {
  for (const char* address : {"0.0.0.0", "::", "192.0.2.1", "localhost", "", "::ffff:127.0.0.1"}) {
    const auto started = on_loop([&] {
      metrics = std::make_unique<MetricsServer>(io, [] { return std::string(); });
      return metrics->start(address, 0);
    });
    ASSERT_FALSE(started) << address;
    EXPECT_NE(started.error().find("this machine only"), std::string::npos);
  }
}

TEST_F(MetricsServerTest, taken_port_is_told) {
  tcp::acceptor taken(client_io, {asio::ip::make_address("127.0.0.1"), 0});
  const auto port = taken.local_endpoint().port();
  const auto started = on_loop([&] {
    metrics = std::make_unique<MetricsServer>(io, [] { return std::string(); });
    return metrics->start("127.0.0.1", port);
  });
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find(std::to_string(port)), std::string::npos);
}

}  // namespace
}  // namespace kith::server
