// Other servers that do what no good one does: what it costs, and that nothing vanishes for it.
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "federated.h"

namespace kith::scenario {
namespace {

using namespace std::string_literals;
using std::chrono::seconds;

class FederationTest : public Federated {
 protected:
  using Federated::Federated;
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
  juliet->send("<iq type='get' id='q' to='romeo@far.example'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.advance(seconds(31));
  EXPECT_NE(heard().find("<remote-server-timeout"), std::string::npos);
}

TEST_F(FederationTest, an_address_at_which_nobody_answers_does_not_hide_the_next) {
  write("romeo@two.example");
  const auto silent = world.dialled("192.0.2.2");
  ASSERT_NE(silent, nullptr);
  EXPECT_EQ(world.dialled("192.0.2.3"), nullptr);
  world.advance(seconds(5));
  const auto server = ready("two.example", "192.0.2.3");
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(silent->closed());
  EXPECT_NE(taken(*server).find("<body>hi</body>"), std::string::npos);
}

TEST_F(FederationTest, a_server_that_does_not_read_is_left_and_called_again) {
  write("romeo@far.example");
  const auto server = ready();
  taken(*server);
  world.advance(seconds(30));
  server->set_window(0);
  write("romeo@far.example", std::string(200'000, 'x'));
  write("romeo@far.example", "behind it");
  juliet->send("<iq type='get' id='q' to='romeo@far.example'><ping xmlns='urn:xmpp:ping'/></iq>");
  EXPECT_EQ(heard(), "");
  world.advance(seconds(100));
  const std::string came = heard();
  EXPECT_EQ(count_of(came, "<remote-server-timeout"), 1U) << came.substr(0, 1000);
  EXPECT_TRUE(server->closed());
  const auto next = ready();
  ASSERT_NE(next, nullptr);
  const std::string again = taken(*next);
  EXPECT_NE(again.find("xxx"), std::string::npos);
  EXPECT_NE(again.find("behind it"), std::string::npos);
  EXPECT_EQ(count_of(again, "<message"), 2U);
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
  world.advance(seconds(30));
  heard();
  server->send(closing);
  write("romeo@far.example", "waits");
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
  const auto asked = proves(*server);
  ASSERT_NE(asked, nullptr);
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
