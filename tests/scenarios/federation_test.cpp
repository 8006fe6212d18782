// Other servers that do what no good one does: what it costs, and that nothing vanishes for it.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "talk.h"

namespace kith::scenario {
namespace {

using namespace std::string_literals;
using std::chrono::seconds;

constexpr const char* proceed = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

std::string server_header(const std::string& from, const std::string& to) {
  return "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='i1' "
         "from='" +
         from + "' to='" + to + "'>";
}

class FederationTest : public testing::Test {
 protected:
  explicit FederationTest(Limits limits = {})
      : world({.shards = 1,
               .limits = limits,
               .servers = {{{"far.example", {"192.0.2.1"}}, {"two.example", {"192.0.2.2", "192.0.2.3"}}}}}) {
    world.add_account("juliet@localhost", "secret");
    juliet = available(world, "juliet@localhost", "balcony");
  }
  void write(const std::string& to, const std::string& body = "hi") {
    juliet->send(message(to, body));
    world.settle();
  }
  /// Plays the server of far.example up to the moment that it takes stanzas, by dialback.
  std::unique_ptr<net::LinkClient> ready(const std::string& domain = "far.example",
                                         const std::string& address = "192.0.2.1") {
    auto server = world.dialled(address);
    if (server == nullptr) return nullptr;
    server->send(server_header(domain, "localhost") +
                 "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>");
    world.settle();
    server->send(proceed);
    world.settle();
    server->send(server_header(domain, "localhost") + "<stream:features/>");
    world.settle();
    server->send("<result xmlns='jabber:server:dialback' from='" + domain + "' to='localhost' type='valid'/>");
    world.settle();
    return server;
  }
  /// Plays far.example's own stream to us, up to the moment that it may ask for dialback.
  std::unique_ptr<net::LinkClient> calling() {
    auto server = world.connect_server();
    server->send(server_header("far.example", "localhost") + starttls);
    world.settle();
    server->send(server_header("far.example", "localhost"));
    world.settle();
    server->take();
    return server;
  }
  std::string taken(net::LinkClient& server) {
    world.settle();
    return server.take();
  }
  /// What came to Juliet, as text.
  std::string heard() {
    std::string all;
    for (const std::string& one : got(world, *juliet)) all += one;
    return all;
  }

  World world;
  std::unique_ptr<WorldClient> juliet;
};

TEST_F(FederationTest, a_message_leaves_when_the_stream_is_ready) {
  write("romeo@far.example");
  const auto server = ready();
  ASSERT_NE(server, nullptr);
  const std::string sent = taken(*server);
  EXPECT_NE(sent.find("<body>hi</body>"), std::string::npos) << sent;
  EXPECT_NE(sent.find("from='juliet@localhost/balcony'"), std::string::npos) << sent;
  EXPECT_EQ(heard(), "");
}

TEST_F(FederationTest, a_server_that_never_answers_is_given_up) {
  write("romeo@far.example");
  world.advance(seconds(31));
  EXPECT_NE(heard().find("<remote-server-timeout"), std::string::npos);
}

TEST_F(FederationTest, an_address_at_which_nobody_answers_does_not_hide_the_next) {
  write("romeo@two.example");
  const auto silent = world.dialled("192.0.2.2");
  ASSERT_NE(silent, nullptr);
  EXPECT_EQ(world.dialled("192.0.2.3"), nullptr);
  world.advance(seconds(5));
  EXPECT_TRUE(silent->closed());
  const auto server = ready("two.example", "192.0.2.3");
  ASSERT_NE(server, nullptr);
  EXPECT_NE(taken(*server).find("<body>hi</body>"), std::string::npos);
}

TEST_F(FederationTest, what_a_server_that_does_not_read_was_not_yet_written_comes_back) {
  write("romeo@far.example");
  const auto server = ready();
  taken(*server);
  server->set_window(0);
  const std::string big(200'000, 'x');
  write("romeo@far.example", big);
  write("romeo@far.example", "behind it");
  EXPECT_EQ(heard(), "");
  world.advance(seconds(200));
  const std::string came = heard();
  EXPECT_EQ(count_of(came, "<remote-server-timeout"), 1U) << came.substr(0, 1000);
  EXPECT_TRUE(server->closed());
}

TEST_F(FederationTest, nothing_that_waits_is_forgotten_when_a_stream_has_been_idle) {
  write("romeo@far.example");
  const auto server = ready();
  taken(*server);
  for (int i = 0; i < 24; ++i) {
    world.advance(seconds(45));
    heard();  // and answers what the server asks, so as to stay
  }
  EXPECT_TRUE(server->closed());
  EXPECT_NE(server->take().find(closing), std::string::npos);
  write("romeo@far.example", "again");
  EXPECT_EQ(heard(), "");
  EXPECT_FALSE(juliet->stream_closed());
  const auto next = ready();
  ASSERT_NE(next, nullptr);
  EXPECT_NE(taken(*next).find("<body>again</body>"), std::string::npos);
}

TEST_F(FederationTest, a_stream_that_the_server_has_closed_is_followed_by_another) {
  write("romeo@far.example");
  const auto server = ready();
  taken(*server);
  server->set_window(0);
  write("romeo@far.example", std::string(200'000, 'x'));
  write("romeo@far.example", "waits");
  server->send(closing);
  world.settle();
  const auto next = ready();
  ASSERT_NE(next, nullptr);
  EXPECT_NE(taken(*next).find("<body>waits</body>"), std::string::npos);
  EXPECT_EQ(heard(), "");
}

TEST_F(FederationTest, a_flood_from_a_server_that_we_have_called_is_read_slowly) {
  write("romeo@far.example");
  const auto server = ready();
  taken(*server);
  const std::string spaces(1024 * 1024, ' ');
  for (int i = 0; i < 20; ++i) {
    server->send(spaces);
    world.settle();
  }
  EXPECT_GE(world.events().counter("kith_limit_hits_total", "", "limit=\"bytes_from_server\"").value(), 1U);
}

TEST_F(FederationTest, a_stanza_that_is_none_is_answered) {
  const auto server = calling();
  server->send("<result xmlns='jabber:server:dialback' from='far.example' to='localhost'>key</result>");
  world.settle();
  const auto asked = world.dialled("192.0.2.1");
  ASSERT_NE(asked, nullptr);
  asked->send(server_header("far.example", "localhost") +
              "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>");
  world.settle();
  asked->send(proceed);
  world.settle();
  asked->send(server_header("far.example", "localhost") + "<stream:features/>");
  world.settle();
  const std::string id = between(taken(*asked), "<verify ", "</verify>");
  asked->send("<verify xmlns='jabber:server:dialback' from='far.example' to='localhost' type='valid' id='" +
              between(id, "id='", "'") + "'/>" +
              "<result xmlns='jabber:server:dialback' from='far.example' to='localhost' type='valid'/>");
  world.settle();
  EXPECT_NE(server->take().find("type='valid'"), std::string::npos);
  server->send("<iq type='get' id='q1' from='romeo@far.example/x' to='juliet@localhost'/>");
  const std::string answer = taken(*asked);
  EXPECT_NE(answer.find("<bad-request"), std::string::npos) << answer;
  EXPECT_NE(answer.find("id='q1'"), std::string::npos) << answer;
}

class FewStreamsTest : public FederationTest {
 protected:
  static Limits few() {
    Limits limits;
    limits.s2s_streams = 3;
    return limits;
  }
  FewStreamsTest() : FederationTest(few()) {}
};

TEST_F(FewStreamsTest, streams_of_other_servers_have_a_limit) {
  std::vector<std::unique_ptr<net::LinkClient>> servers;
  for (int i = 0; i < 4; ++i) servers.push_back(world.connect_server());
  world.settle();
  EXPECT_FALSE(servers[2]->closed());
  EXPECT_TRUE(servers[3]->closed());
}

}  // namespace
}  // namespace kith::scenario
