// Components (XEP-0114): programs with domains of their own, through a whole server.
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "talk.h"

namespace kith::scenario {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ComponentsTest : public testing::Test {
 protected:
  ComponentsTest() : world({.components = {{"irc.localhost", "hush"}, {"sms.localhost", "tush"}}}) {
    world.add_account("juliet@localhost", "secret");
    juliet = available(world, "juliet@localhost", "balcony");
  }
  std::string said(net::LinkClient& component) {
    world.settle();
    return component.take();
  }
  std::string say(net::LinkClient& component, const std::string& text) {
    component.send(text);
    return said(component);
  }
  static std::string header(const std::string& domain) {
    return "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='" +
           domain + "'>";
  }
  static std::string handshake(const std::string& id, const std::string& secret) {
    return "<handshake>" + hex_encode(sha1(id + secret)) + "</handshake>";
  }
  std::unique_ptr<net::LinkClient> connected(const std::string& domain = "irc.localhost",
                                             const std::string& secret = "hush") {
    auto component = world.connect_component();
    const std::string id = between(say(*component, header(domain)), " id='", "'");
    EXPECT_EQ(say(*component, handshake(id, secret)), "<handshake/>");
    return component;
  }
  std::string heard() {
    std::string all;
    for (const std::string& one : got(world, *juliet)) all += one;
    return all;
  }

  World world;
  std::unique_ptr<WorldClient> juliet;
};

TEST_F(ComponentsTest, stanzas_go_to_a_component_and_come_from_it) {
  const auto component = connected();
  juliet->send(message("#verona%net@irc.localhost", "hi"));
  EXPECT_THAT(said(*component), AllOf(HasSubstr("<message"), HasSubstr("to='#verona%net@irc.localhost'"),
                                      HasSubstr("from='juliet@localhost/balcony'"), HasSubstr("<body>hi</body>"),
                                      Not(HasSubstr("xmlns="))));
  component->send("<message from='romeo@irc.localhost' to='juliet@localhost' type='chat'><body>ho</body></message>");
  EXPECT_THAT(heard(), AllOf(HasSubstr("from='romeo@irc.localhost'"), HasSubstr("<body>ho</body>")));
  juliet->send("<iq type='get' id='q1' to='irc.localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
  EXPECT_THAT(said(*component), AllOf(HasSubstr("id='q1'"), HasSubstr("disco#info")));
  component->send("<iq type='result' id='q1' from='irc.localhost' to='juliet@localhost/balcony'/>");
  EXPECT_THAT(heard(), HasSubstr("id='q1'"));
}

TEST_F(ComponentsTest, the_server_lists_them) {
  juliet->send("<iq type='get' id='q1' to='localhost'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
  EXPECT_THAT(heard(), AllOf(HasSubstr("jid='irc.localhost'"), HasSubstr("jid='sms.localhost'")));
}

TEST_F(ComponentsTest, what_is_for_one_that_is_not_there_comes_back) {
  juliet->send(message("romeo@irc.localhost", "hi"));
  EXPECT_THAT(heard(), HasSubstr("<remote-server-timeout"));
  auto component = connected();
  component.reset();
  world.settle();
  juliet->send(message("romeo@irc.localhost", "hi again"));
  EXPECT_THAT(heard(), HasSubstr("<remote-server-timeout"));
}

TEST_F(ComponentsTest, who_does_not_know_the_secret_says_nothing) {
  for (const std::string& first :
       {"<handshake>" + std::string(40, '0') + "</handshake>", std::string("<handshake/>"),
        std::string("<message from='romeo@irc.localhost' to='juliet@localhost'><body>b</body></message>")}) {
    const auto component = world.connect_component();
    say(*component, header("irc.localhost"));
    EXPECT_THAT(say(*component, first), HasSubstr("<not-authorized"));
    EXPECT_TRUE(component->closed());
  }
  // The secret of one is not that of another.
  const auto component = world.connect_component();
  const std::string id = between(say(*component, header("sms.localhost")), " id='", "'");
  EXPECT_THAT(say(*component, handshake(id, "hush")), HasSubstr("<not-authorized"));
  const auto unknown = world.connect_component();
  EXPECT_THAT(say(*unknown, header("www.localhost")), HasSubstr("<host-unknown"));
  const auto client = world.connect_component();
  EXPECT_THAT(say(*client, header_to("irc.localhost")), HasSubstr("<invalid-namespace"));
  EXPECT_EQ(heard(), "");
}

TEST_F(ComponentsTest, one_speaks_for_its_own_domain_only) {
  for (const char* from : {"juliet@localhost", "sms.localhost", "romeo@irc.localhost.evil.example"}) {
    const auto component = connected();
    component->send("<message from='" + std::string(from) + "' to='juliet@localhost'><body>b</body></message>");
    EXPECT_THAT(said(*component), HasSubstr("<invalid-from")) << from;
  }
  const auto component = connected();
  component->send("<message to='juliet@localhost'><body>b</body></message>");
  EXPECT_THAT(said(*component), HasSubstr("<improper-addressing"));
  EXPECT_EQ(heard(), "");
}

TEST_F(ComponentsTest, a_newer_connection_takes_the_place_of_the_older) {
  for (int i = 0; i < 5; ++i) {
    const auto older = connected();
    const auto newer = connected();
    EXPECT_THAT(said(*older), HasSubstr("<conflict"));
    juliet->send(message("romeo@irc.localhost", "hi"));
    EXPECT_THAT(said(*newer), HasSubstr("<body>hi</body>"));
    world.accept_next_on(static_cast<unsigned>(i));
  }
}

TEST_F(ComponentsTest, one_that_does_not_prove_itself_in_time_is_sent_away) {
  const auto component = world.connect_component();
  say(*component, header("irc.localhost"));
  world.advance(seconds(31));
  EXPECT_THAT(component->take(), HasSubstr("<connection-timeout"));
}

TEST_F(ComponentsTest, one_that_does_not_read_is_not_written_to_without_end) {
  const auto component = connected();
  component->set_window(0);
  const std::string big(200'000, 'x');
  for (int i = 0; i < 30; ++i) {
    juliet->send(message("romeo@irc.localhost", big));
    world.advance(seconds(5));
    juliet->poll();
  }
  EXPECT_THAT(heard(), HasSubstr("<resource-constraint"));
}

}  // namespace
}  // namespace kith::scenario
