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

/// How far a server goes with us before it falls silent.
class SilentServer : public FederationTest, public testing::WithParamInterface<int> {};

TEST_P(SilentServer, is_given_up_wherever_it_stops) {
  juliet->send("<iq type='get' id='q' to='romeo@far.example'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.settle();
  const auto server = world.dialled("192.0.2.1");
  ASSERT_NE(server, nullptr);
  const std::string header = server_header("far.example", "localhost");
  const std::string steps[] = {header,
                               "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
                               proceed, header, "<stream:features/>"};
  for (int i = 0; i < GetParam(); ++i) {
    server->send(steps[i]);
    world.settle();
  }
  world.advance(seconds(20));
  EXPECT_EQ(heard(), "");
  world.advance(seconds(11));
  EXPECT_NE(heard().find("<remote-server-timeout"), std::string::npos);
  world.advance(seconds(10));
  EXPECT_TRUE(server->closed());
}

INSTANTIATE_TEST_SUITE_P(AfterSteps, SilentServer, testing::Range(0, 6));

/// The same of one that has called us.
class SilentCaller : public FederationTest, public testing::WithParamInterface<int> {};

TEST_P(SilentCaller, is_sent_away_wherever_it_stops) {
  const auto server = world.connect_server();
  const std::string header = server_header("far.example", "localhost");
  const std::string steps[] = {header, starttls, header,
                               // Whoever is to be asked about it does not answer, either.
                               "<result xmlns='jabber:server:dialback' from='far.example' to='localhost'>key</result>"};
  for (int i = 0; i < GetParam(); ++i) {
    server->send(steps[i]);
    world.settle();
  }
  world.advance(seconds(20));
  EXPECT_FALSE(server->closed());
  world.advance(seconds(20));
  EXPECT_TRUE(server->closed());
  const std::string last = server->take();
  EXPECT_TRUE(last.find("<connection-timeout") != std::string::npos ||
              last.find("<not-authorized") != std::string::npos)
      << last;
}

INSTANTIATE_TEST_SUITE_P(AfterSteps, SilentCaller, testing::Range(0, 5));

TEST_F(FederationTest, a_key_that_was_good_once_is_asked_about_again) {
  const auto first = calling();
  const auto asked = proves(*first);
  ASSERT_NE(asked, nullptr);
  // Somebody who has overheard it shows it on a stream of his own.
  const auto thief = calling();
  thief->send("<result xmlns='jabber:server:dialback' from='far.example' to='localhost'>key</result>");
  const std::string question = between(taken(*asked), "<db:verify ", "</db:verify>");
  ASSERT_NE(question, "");
  // An answer to the old question, which had another stream's number, is none to this.
  asked->send("<verify xmlns='jabber:server:dialback' from='far.example' to='localhost' type='valid' id='i1'/>");
  world.settle();
  thief->send("<message from='romeo@far.example' to='juliet@localhost'><body>forged</body></message>");
  EXPECT_NE(taken(*thief).find("<not-authorized"), std::string::npos);
  EXPECT_EQ(heard(), "");
}

TEST_F(FederationTest, an_invalid_key_ends_the_stream_of_who_showed_it_and_no_other) {
  const auto first = calling();
  const auto asked = proves(*first);
  ASSERT_NE(asked, nullptr);
  const auto thief = calling();
  thief->send("<result xmlns='jabber:server:dialback' from='far.example' to='localhost'>key</result>");
  const std::string id = between(between(taken(*asked), "<db:verify ", "</db:verify>"), "id='", "'");
  asked->send("<verify xmlns='jabber:server:dialback' from='far.example' to='localhost' type='invalid' id='" + id +
              "'/>");
  world.settle();
  EXPECT_NE(thief->take().find("type='invalid'"), std::string::npos);
  first->send("<message from='romeo@far.example' to='juliet@localhost'><body>true</body></message>");
  world.settle();
  EXPECT_NE(heard().find("<body>true</body>"), std::string::npos);
}

/// Of whom the server of far.example says that he writes.
class ForgedSender : public FederationTest, public testing::WithParamInterface<const char*> {};

TEST_P(ForgedSender, a_domain_proven_by_dialback_speaks_for_no_other) {
  const auto server = calling();
  const auto asked = proves(*server);
  ASSERT_NE(asked, nullptr);
  server->send("<message from='"s + GetParam() + "' to='juliet@localhost'><body>forged</body></message>");
  EXPECT_NE(taken(*server).find("<invalid-from"), std::string::npos);
  EXPECT_EQ(heard(), "");
}

INSTANTIATE_TEST_SUITE_P(Senders, ForgedSender,
                         testing::Values("paris@two.example", "juliet@localhost", "localhost", "romeo@sub.far.example",
                                         "romeo@far.example.evil.example"));

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
