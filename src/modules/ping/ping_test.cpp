#include "modules/ping/ping.h"

#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::error_of;
using module::testing::Stage;

class PingTest : public testing::Test {
 protected:
  PingTest() { stage.use<Ping>(); }
  xmpp::Stanza ping(std::string_view from, std::string_view to) {
    stage.iq_from(from, "<iq type='get' id='p1' to='" + std::string(to) + "'><ping xmlns='urn:xmpp:ping'/></iq>");
    return stage.answer();
  }
  Stage stage;
};

TEST_F(PingTest, xep0199_client_to_server) {
  auto& juliet = stage.bind("juliet@capulet.lit/balcony");
  stage.iq(juliet, "<iq to='capulet.lit' id='c2s1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
  const auto pong = stage.answer();
  EXPECT_EQ(pong.type(), xmpp::StanzaType::result);
  EXPECT_EQ(pong.id(), "c2s1");
  EXPECT_EQ(pong.from()->text(), "capulet.lit");
  EXPECT_EQ(pong.to()->text(), "juliet@capulet.lit/balcony");
  EXPECT_EQ(pong.payload(), nullptr);
}

TEST_F(PingTest, without_to_the_own_account_answers) {
  auto& juliet = stage.bind("juliet@capulet.lit/balcony");
  stage.iq(juliet, "<iq id='c2s1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
  const auto pong = stage.answer();
  EXPECT_EQ(pong.type(), xmpp::StanzaType::result);
  EXPECT_EQ(pong.from()->text(), "juliet@capulet.lit");
}

TEST_F(PingTest, xep0199_server_to_server) {
  EXPECT_EQ(ping("montague.lit", "capulet.lit").type(), xmpp::StanzaType::result);
}

TEST_F(PingTest, an_account_answers_who_may_see_its_presence_and_nobody_else) {
  stage.subscribe("juliet@capulet.lit", "romeo@montague.lit", xmpp::Subscription::from);
  stage.subscribe("juliet@capulet.lit", "tybalt@montague.lit", xmpp::Subscription::to);
  EXPECT_EQ(ping("romeo@montague.lit/orchard", "juliet@capulet.lit").type(), xmpp::StanzaType::result);
  EXPECT_EQ(error_of(ping("tybalt@montague.lit/x", "juliet@capulet.lit")), "service-unavailable");
  EXPECT_EQ(error_of(ping("tybalt@montague.lit/x", "nobody@capulet.lit")), "service-unavailable");
}

}  // namespace
}  // namespace kith::modules
