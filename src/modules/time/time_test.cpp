#include "modules/time/time.h"

#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::element;
using module::testing::error_of;
using module::testing::Stage;

class TimeTest : public testing::Test {
 protected:
  TimeTest() { stage.use<Time>(); }
  Stage stage;
};

TEST_F(TimeTest, is_the_servers_clock_in_utc) {
  stage.clock.advance(std::chrono::hours(25));
  stage.iq_from("romeo@montague.lit/orchard",
                "<iq type='get' id='t' to='capulet.lit'><time xmlns='urn:xmpp:time'/></iq>");
  EXPECT_EQ(*stage.answer().payload(),
            element("<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2030-01-02T01:00:00Z</utc></time>"));
}

TEST_F(TimeTest, without_to_the_server_answers_for_the_account) {
  auto& juliet = stage.bind("juliet@capulet.lit/balcony");
  stage.iq(juliet, "<iq type='get' id='t'><time xmlns='urn:xmpp:time'/></iq>");
  EXPECT_EQ(stage.answer().type(), xmpp::StanzaType::result);
}

TEST_F(TimeTest, is_not_told_of_other_accounts) {
  stage.account("juliet@capulet.lit");
  stage.subscribe("juliet@capulet.lit", "romeo@montague.lit", xmpp::Subscription::both);
  stage.iq_from("romeo@montague.lit/orchard",
                "<iq type='get' id='t' to='juliet@capulet.lit'><time xmlns='urn:xmpp:time'/></iq>");
  EXPECT_EQ(error_of(stage.answer()), "service-unavailable");
}

}  // namespace
}  // namespace kith::modules
