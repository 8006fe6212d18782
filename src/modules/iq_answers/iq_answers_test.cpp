#include "modules/iq_answers/iq_answers.h"

#include <string>

#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::Stage;
using module::testing::stanza;

class IqAnswersTest : public ::testing::Test {
 protected:
  IqAnswersTest() { stage.use<IqAnswers>(); }
  void asks(const std::string& to, const std::string& id, const std::string& type = "get") {
    xmpp::Stanza iq =
        stanza("<iq type='" + type + "' id='" + id + "' to='" + to + "'><query xmlns='jabber:iq:version'/></iq>");
    iq.set_from(juliet.jid());
    module::IqFromClient event{juliet, iq};
    EXPECT_TRUE(std::holds_alternative<module::Next>(stage.hooks.run(event)));
  }
  bool passes(const std::string& from, const std::string& id, const std::string& type = "result") {
    xmpp::Stanza iq = stanza("<iq type='" + type + "' id='" + id + "' to='juliet@capulet.lit/balcony' from='" + from +
                             "'><query xmlns='jabber:iq:version'/></iq>");
    module::IqToSession event{juliet, iq, {}};
    return std::holds_alternative<module::Next>(stage.hooks.run(event));
  }
  Stage stage;
  Session& juliet = stage.bind("juliet@capulet.lit/balcony");
};

TEST_F(IqAnswersTest, an_answer_that_was_asked_for_passes_once) {
  asks("romeo@montague.lit/orchard", "v1");
  EXPECT_TRUE(passes("romeo@montague.lit/orchard", "v1"));
  EXPECT_FALSE(passes("romeo@montague.lit/orchard", "v1"));
}

TEST_F(IqAnswersTest, an_error_is_an_answer) {
  asks("romeo@montague.lit/orchard", "v1", "set");
  EXPECT_FALSE(passes("romeo@montague.lit/orchard", "v2", "error"));
  EXPECT_TRUE(passes("romeo@montague.lit/orchard", "v1", "error"));
}

TEST_F(IqAnswersTest, somebody_elses_answer_with_the_right_id_is_dropped) {
  asks("romeo@montague.lit/orchard", "v1");
  EXPECT_FALSE(passes("mallory@montague.lit/orchard", "v1"));
  EXPECT_FALSE(passes("romeo@montague.lit/cell", "v1"));
  EXPECT_FALSE(passes("romeo@montague.lit", "v1"));
  EXPECT_FALSE(passes("montague.lit", "v1"));
  EXPECT_TRUE(passes("romeo@montague.lit/orchard", "v1"));
}

TEST_F(IqAnswersTest, an_answer_of_a_client_is_no_request) {
  asks("romeo@montague.lit/orchard", "v1", "result");
  EXPECT_FALSE(passes("romeo@montague.lit/orchard", "v1"));
}

TEST_F(IqAnswersTest, requests_pass_from_anybody) {
  EXPECT_TRUE(passes("mallory@montague.lit/orchard", "v1", "get"));
  EXPECT_TRUE(passes("mallory@montague.lit/orchard", "v1", "set"));
}

TEST_F(IqAnswersTest, the_own_account_and_the_own_server_need_no_request) {
  EXPECT_TRUE(passes("juliet@capulet.lit", "v1"));
  EXPECT_TRUE(passes("juliet@capulet.lit/chamber", "v1"));
  EXPECT_TRUE(passes("capulet.lit", "v1"));
  EXPECT_FALSE(passes("nurse@capulet.lit", "v1"));
}

TEST_F(IqAnswersTest, who_may_see_the_presence_needs_no_request) {
  stage.subscribe("juliet@capulet.lit", "romeo@montague.lit", xmpp::Subscription::from);
  stage.subscribe("juliet@capulet.lit", "paris@montague.lit", xmpp::Subscription::to);
  EXPECT_TRUE(passes("romeo@montague.lit/orchard", "v1"));
  EXPECT_FALSE(passes("paris@montague.lit/orchard", "v1"));
}

TEST_F(IqAnswersTest, only_the_newest_requests_are_remembered) {
  for (std::size_t i = 0; i <= IqAnswers::most_requests; ++i)
    asks("romeo@montague.lit/orchard", "v" + std::to_string(i));
  EXPECT_FALSE(passes("romeo@montague.lit/orchard", "v0"));
  EXPECT_TRUE(passes("romeo@montague.lit/orchard", "v1"));
  EXPECT_TRUE(passes("romeo@montague.lit/orchard", "v" + std::to_string(IqAnswers::most_requests)));
}

TEST_F(IqAnswersTest, long_ids_take_no_more_than_their_share_of_memory) {
  const std::string filler(IqAnswers::most_bytes / 4, 'i');
  for (int i = 0; i < 4; ++i) asks("romeo@montague.lit/orchard", filler + std::to_string(i));
  EXPECT_FALSE(passes("romeo@montague.lit/orchard", filler + "0"));
  for (int i = 1; i < 4; ++i) EXPECT_TRUE(passes("romeo@montague.lit/orchard", filler + std::to_string(i)));
  // What was answered makes room again.
  for (int i = 0; i < 3; ++i) asks("romeo@montague.lit/orchard", filler + std::to_string(i));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(passes("romeo@montague.lit/orchard", filler + std::to_string(i)));
}

TEST_F(IqAnswersTest, each_session_has_its_own_list) {
  Session& chamber = stage.bind("juliet@capulet.lit/chamber");
  asks("romeo@montague.lit/orchard", "v1");
  xmpp::Stanza iq =
      stanza("<iq type='result' id='v1' to='juliet@capulet.lit/chamber' from='romeo@montague.lit/orchard'/>");
  module::IqToSession event{chamber, iq, {}};
  EXPECT_TRUE(std::holds_alternative<module::Done>(stage.hooks.run(event)));
}

}  // namespace
}  // namespace kith::modules
