#include "modules/last_activity/last_activity.h"

#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::bare;
using module::testing::element;
using module::testing::error_of;
using module::testing::Stage;
using module::testing::stanza;
using std::chrono::minutes;
using std::chrono::seconds;

class LastActivityTest : public testing::Test {
 protected:
  LastActivityTest() {
    stage.use<LastActivity>();
    stage.account("juliet@capulet.lit");
    stage.subscribe("juliet@capulet.lit", "romeo@montague.lit", xmpp::Subscription::from);
  }
  xmpp::Stanza ask(std::string_view from, std::string_view to) {
    stage.iq_from(from, "<iq id='last1' type='get' to='" + std::string(to) + "'><query xmlns='jabber:iq:last'/></iq>");
    return stage.answer();
  }
  std::string seconds_of(const xmpp::Stanza& reply) {
    EXPECT_EQ(reply.type(), xmpp::StanzaType::result) << error_of(reply);
    return reply.payload() == nullptr ? "" : std::string(reply.payload()->attribute("seconds").value_or("?"));
  }
  /// Leaves as the presence feature writes it down.
  void leave(std::string status = {}) {
    stage.accounts.set_last_seen(bare("juliet@capulet.lit"), {stage.clock.wall(), std::move(status)});
  }
  module::Outcome to_client(module::Session& session, std::string_view from, std::string_view text) {
    auto iq = stanza(text);
    iq.set_from(module::testing::jid(from));
    module::IqToSession event{session, iq, {}};
    return stage.hooks.run(event);
  }

  Stage stage;
};

TEST_F(LastActivityTest, the_server_tells_its_uptime) {
  stage.clock.advance(seconds(123456));
  stage.clock.jump_wall(std::chrono::hours(-3));
  const auto reply = ask("romeo@montague.lit/orchard", "capulet.lit");
  EXPECT_EQ(*reply.payload(), element("<query xmlns='jabber:iq:last' seconds='123456'/>"));
}

TEST_F(LastActivityTest, xep0012_offline_user_with_last_words) {
  leave("Heading Home");
  stage.clock.advance(seconds(903));
  EXPECT_EQ(*ask("romeo@montague.lit/orchard", "juliet@capulet.lit").payload(),
            element("<query xmlns='jabber:iq:last' seconds='903'>Heading Home</query>"));
}

TEST_F(LastActivityTest, without_last_words_there_is_no_text) {
  leave();
  stage.clock.advance(minutes(1));
  EXPECT_EQ(*ask("romeo@montague.lit/orchard", "juliet@capulet.lit").payload(),
            element("<query xmlns='jabber:iq:last' seconds='60'/>"));
}

TEST_F(LastActivityTest, a_long_status_is_cut_between_characters) {
  const std::string most(LastActivity::status_bytes - 1, 'a');
  leave(most + "\u00e4\u00e4");
  EXPECT_EQ(ask("romeo@montague.lit/orchard", "juliet@capulet.lit").payload()->text(), most);
}

TEST_F(LastActivityTest, who_is_available_was_active_now) {
  stage.bind_available("juliet@capulet.lit/balcony");
  stage.clock.advance(minutes(10));
  EXPECT_EQ(*ask("romeo@montague.lit/orchard", "juliet@capulet.lit").payload(),
            element("<query xmlns='jabber:iq:last' seconds='0'/>"));
}

TEST_F(LastActivityTest, who_hides_is_as_if_away) {
  stage.bind("juliet@capulet.lit/balcony");
  stage.clock.advance(minutes(10));
  EXPECT_EQ(seconds_of(ask("romeo@montague.lit/orchard", "juliet@capulet.lit")), "600");
}

TEST_F(LastActivityTest, who_never_came_is_away_since_the_account_was_made) {
  stage.clock.advance(std::chrono::hours(1));
  EXPECT_EQ(seconds_of(ask("juliet@capulet.lit/balcony", "juliet@capulet.lit")), "3600");
}

TEST_F(LastActivityTest, a_clock_set_back_gives_no_negative_time) {
  leave();
  stage.clock.jump_wall(-std::chrono::hours(2));
  EXPECT_EQ(seconds_of(ask("romeo@montague.lit/orchard", "juliet@capulet.lit")), "0");
}

TEST_F(LastActivityTest, xep0012_a_stranger_is_forbidden_to_ask_whether_the_account_exists_or_not) {
  stage.subscribe("juliet@capulet.lit", "tybalt@montague.lit", xmpp::Subscription::to);
  EXPECT_EQ(error_of(ask("tybalt@montague.lit/x", "juliet@capulet.lit")), "forbidden");
  EXPECT_EQ(error_of(ask("tybalt@montague.lit/x", "nobody@capulet.lit")), "forbidden");
  stage.bind_available("juliet@capulet.lit/balcony");
  EXPECT_EQ(error_of(ask("tybalt@montague.lit/x", "juliet@capulet.lit")), "forbidden");
}

TEST_F(LastActivityTest, storage_trouble_is_an_error_to_try_again) {
  stage.disk.failing_reads = true;
  const auto reply = ask("romeo@montague.lit/orchard", "juliet@capulet.lit");
  EXPECT_EQ(error_of(reply), "internal-server-error");
  EXPECT_EQ(reply.element().child("error", xmpp::ns::client)->attribute("type"), "wait");
}

TEST_F(LastActivityTest, xep0012_a_request_to_a_client_needs_the_right_to_see_it) {
  auto& balcony = stage.bind_available("juliet@capulet.lit/balcony");
  const std::string ask_client =
      "<iq type='get' id='x' to='juliet@capulet.lit/balcony'><query xmlns='jabber:iq:last'/></iq>";
  EXPECT_TRUE(std::holds_alternative<module::Next>(to_client(balcony, "romeo@montague.lit/orchard", ask_client)));
  EXPECT_TRUE(std::holds_alternative<module::Next>(to_client(balcony, "juliet@capulet.lit/chamber", ask_client)));
  const auto refused = to_client(balcony, "tybalt@montague.lit/x", ask_client);
  ASSERT_TRUE(std::holds_alternative<xmpp::StanzaError>(refused));
  EXPECT_EQ(std::get<xmpp::StanzaError>(refused).condition, xmpp::Condition::forbidden);

  balcony.directed().insert(module::testing::jid("tybalt@montague.lit/x"));
  EXPECT_TRUE(std::holds_alternative<module::Next>(to_client(balcony, "tybalt@montague.lit/x", ask_client)));
}

TEST_F(LastActivityTest, other_iqs_to_a_client_pass) {
  auto& balcony = stage.bind_available("juliet@capulet.lit/balcony");
  for (const char* iq :
       {"<iq type='get' id='x'><query xmlns='jabber:iq:version'/></iq>",
        "<iq type='result' id='x'><query xmlns='jabber:iq:last' seconds='1'/></iq>", "<iq type='result' id='x'/>"}) {
    EXPECT_TRUE(std::holds_alternative<module::Next>(to_client(balcony, "tybalt@montague.lit/x", iq))) << iq;
  }
}

}  // namespace
}  // namespace kith::modules
