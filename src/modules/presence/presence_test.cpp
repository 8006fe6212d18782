#include "modules/presence/presence.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing_scene.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::bare;
using module::testing::Scene;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using xmpp::Subscription;

class PresenceTest : public ::testing::Test {
 protected:
  PresenceTest() {
    scene.stage.use<PresenceFeature>();
    scene.stage.subscribe(juliet, "both@montague.lit", Subscription::both);
    scene.stage.subscribe(juliet, "from@montague.lit", Subscription::from);
    scene.stage.subscribe(juliet, "to@montague.lit", Subscription::to);
    scene.stage.subscribe(juliet, "none@montague.lit", Subscription::none);
  }
  Session& there(const char* full) {
    Session& session = scene.bind(full);
    scene.says(session, "<presence/>");
    scene.forget_all();
    return session;
  }
  static constexpr const char* juliet = "juliet@capulet.lit";
  Scene scene;
};

testing::Matcher<std::string> to(const char* contact, const char* what) {
  return AllOf(HasSubstr("to='" + std::string(contact) + "'"), HasSubstr(what));
}

TEST_F(PresenceTest, initial_presence_goes_to_who_may_see_it_and_asks_who_may_be_seen) {
  Session& phone = scene.bind("juliet@capulet.lit/phone");
  scene.says(phone, "<presence id='p'><show>chat</show><c xmlns='x'/></presence>");
  EXPECT_THAT(scene.outside,
              UnorderedElementsAre(to("both@montague.lit", "<show>chat</show><c xmlns='x'/>"),
                                   to("from@montague.lit", "<show>chat</show>"),
                                   to("both@montague.lit", "type='probe'"), to("to@montague.lit", "type='probe'")));
  for (const auto& line : scene.outside) EXPECT_THAT(line, HasSubstr("from='juliet@capulet.lit/phone'"));
  // §4.2.2: and to itself.
  EXPECT_THAT(scene.got(phone),
              ElementsAre(AllOf(HasSubstr("from='juliet@capulet.lit/phone'"), HasSubstr("<show>chat</show>"))));
}

TEST_F(PresenceTest, the_account_s_sessions_see_one_another) {
  Session& phone = there("juliet@capulet.lit/phone");
  Session& silent = scene.bind("juliet@capulet.lit/silent");
  Session& desk = scene.bind("juliet@capulet.lit/desk");
  scene.says(desk, "<presence><show>dnd</show></presence>");
  EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(HasSubstr("from='juliet@capulet.lit/desk'"), HasSubstr("dnd"))));
  EXPECT_THAT(scene.got(desk),
              ElementsAre(HasSubstr("from='juliet@capulet.lit/desk'"), HasSubstr("from='juliet@capulet.lit/phone'")));
  EXPECT_THAT(scene.got(silent), IsEmpty());
}

TEST_F(PresenceTest, a_change_is_broadcast_without_probes) {
  Session& phone = there("juliet@capulet.lit/phone");
  scene.says(phone, "<presence><show>away</show></presence>");
  EXPECT_THAT(scene.outside, UnorderedElementsAre(to("both@montague.lit", "away"), to("from@montague.lit", "away")));
}

TEST_F(PresenceTest, unavailable_goes_to_the_same_people_with_its_status) {
  Session& phone = there("juliet@capulet.lit/phone");
  Session& desk = there("juliet@capulet.lit/desk");
  scene.says(phone, "<presence type='unavailable'><status>bye</status></presence>");
  EXPECT_THAT(scene.outside, UnorderedElementsAre(to("both@montague.lit", "bye"), to("from@montague.lit", "bye")));
  EXPECT_THAT(scene.got(desk), ElementsAre(AllOf(HasSubstr("type='unavailable'"), HasSubstr("bye"))));
  EXPECT_THAT(scene.got(phone), IsEmpty());
  EXPECT_FALSE(phone.available());
  scene.outside.clear();
  scene.says(phone, "<presence type='unavailable'/>");
  scene.ends(phone);
  EXPECT_THAT(scene.outside, IsEmpty());
}

TEST_F(PresenceTest, a_session_that_ends_is_unavailable) {
  Session& phone = there("juliet@capulet.lit/phone");
  scene.ends(phone);
  EXPECT_THAT(scene.outside, UnorderedElementsAre(to("both@montague.lit", "type='unavailable'"),
                                                  to("from@montague.lit", "type='unavailable'")));
}

TEST_F(PresenceTest, a_session_that_was_never_available_ends_in_silence) {
  Session& phone = scene.bind("juliet@capulet.lit/phone");
  scene.ends(phone);
  EXPECT_THAT(scene.outside, IsEmpty());
}

TEST_F(PresenceTest, when_the_last_session_goes_the_time_is_kept) {
  Session& phone = there("juliet@capulet.lit/phone");
  Session& desk = there("juliet@capulet.lit/desk");
  scene.says(phone, "<presence type='unavailable'><status>first</status></presence>");
  EXPECT_THAT(scene.stage.accounts.seen, IsEmpty());
  scene.stage.clock.advance(std::chrono::seconds(5));
  scene.says(desk, "<presence type='unavailable'><status>last</status></presence>");
  ASSERT_THAT(scene.stage.accounts.seen, SizeIs(1));
  EXPECT_EQ(scene.stage.accounts.seen.at(bare(juliet)).status, "last");
  EXPECT_EQ(scene.stage.accounts.seen.at(bare(juliet)).when, scene.stage.clock.wall());
}

TEST_F(PresenceTest, priorities_are_numbers_from_minus_128_to_127) {
  Session& phone = there("juliet@capulet.lit/phone");
  const std::pair<const char*, int> good[] = {{"0", 0},    {"127", 127}, {"-128", -128},
                                              {" 5\n", 5}, {"+7", 7},    {"007", 7}};
  for (const auto& [text, priority] : good) {
    SCOPED_TRACE(text);
    scene.says(phone, "<presence><priority>" + std::string(text) + "</priority></presence>");
    EXPECT_EQ(phone.priority(), priority);
  }
  scene.says(phone, "<presence/>");
  EXPECT_EQ(phone.priority(), 0);
  scene.forget_all();
  for (const char* text : {"128", "-129", "", " ", "x", "1x", "1.5", "--1", "+-1", "99999999999999999999"}) {
    SCOPED_TRACE(text);
    scene.says(phone, "<presence><priority>" + std::string(text) + "</priority></presence>");
    EXPECT_THAT(scene.got(phone), ElementsAre(HasSubstr("bad-request")));
    EXPECT_THAT(scene.outside, IsEmpty());
  }
}

// --- probes
// ------------------------------------------------------------------------------------------------------------------

TEST_F(PresenceTest, a_probe_is_answered_with_the_presence_of_every_available_session) {
  there("juliet@capulet.lit/phone");
  there("juliet@capulet.lit/desk");
  scene.bind("juliet@capulet.lit/silent");
  scene.arrives("<presence type='probe' from='from@montague.lit/x' to='juliet@capulet.lit'/>");
  EXPECT_THAT(scene.outside, ElementsAre(to("from@montague.lit/x", "from='juliet@capulet.lit/phone'"),
                                         to("from@montague.lit/x", "from='juliet@capulet.lit/desk'")));
}

TEST_F(PresenceTest, a_probe_for_who_is_away_is_answered_with_unavailable) {
  scene.arrives("<presence type='probe' from='both@montague.lit' to='juliet@capulet.lit'/>");
  EXPECT_THAT(scene.outside,
              ElementsAre(AllOf(HasSubstr("type='unavailable'"), HasSubstr("from='juliet@capulet.lit'"))));
}

TEST_F(PresenceTest, a_probe_of_one_who_is_not_let_in_is_refused_and_tells_nothing) {
  there("juliet@capulet.lit/phone");
  for (const char* asker : {"to@montague.lit", "none@montague.lit", "stranger@montague.lit"}) {
    for (const char* asked : {"juliet@capulet.lit", "juliet@capulet.lit/phone", "juliet@capulet.lit/nowhere"}) {
      SCOPED_TRACE(std::string(asker) + " " + asked);
      scene.outside.clear();
      scene.arrives("<presence type='probe' from='" + std::string(asker) + "' to='" + asked + "'/>");
      EXPECT_THAT(scene.outside, ElementsAre(AllOf(HasSubstr("type='unsubscribed'"),
                                                   HasSubstr("from='juliet@capulet.lit'"), Not(HasSubstr("phone")))));
    }
  }
}

TEST_F(PresenceTest, a_probe_of_one_whose_request_waits_is_not_taken_for_a_denial) {
  scene.stage.account(juliet).roster().put(
      {.contact = bare("asks@montague.lit"), .state = {.pending_in = true}, .in_roster = false});
  scene.arrives("<presence type='probe' from='asks@montague.lit' to='juliet@capulet.lit'/>");
  EXPECT_THAT(scene.outside, IsEmpty());
}

TEST_F(PresenceTest, a_probe_for_one_session_tells_of_that_session) {
  there("juliet@capulet.lit/phone");
  there("juliet@capulet.lit/desk");
  scene.arrives("<presence type='probe' from='both@montague.lit' to='juliet@capulet.lit/desk'/>");
  scene.arrives("<presence type='probe' from='both@montague.lit' to='juliet@capulet.lit/gone'/>");
  EXPECT_THAT(scene.outside, ElementsAre(AllOf(HasSubstr("from='juliet@capulet.lit/desk'"), Not(HasSubstr("type="))),
                                         AllOf(HasSubstr("from='juliet@capulet.lit/gone'"), HasSubstr("unavailable"))));
}

// --- directed presence
// -------------------------------------------------------------------------------------------------------

TEST_F(PresenceTest, who_was_told_directly_is_told_of_the_end) {
  Session& phone = there("juliet@capulet.lit/phone");
  scene.says(phone,
             "<presence to='room@chat.montague.lit/juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
  scene.says(phone, "<presence to='left@chat.montague.lit/juliet'/>");
  scene.says(phone, "<presence to='left@chat.montague.lit/juliet' type='unavailable'/>");
  EXPECT_THAT(scene.outside, SizeIs(3));
  scene.outside.clear();
  // Broadcasts are not for them.
  scene.says(phone, "<presence><show>away</show></presence>");
  EXPECT_THAT(scene.outside, SizeIs(2));
  scene.outside.clear();
  scene.ends(phone);
  EXPECT_THAT(scene.outside,
              UnorderedElementsAre(to("both@montague.lit", "unavailable"), to("from@montague.lit", "unavailable"),
                                   to("room@chat.montague.lit/juliet", "unavailable")));
}

TEST_F(PresenceTest, unavailable_broadcast_takes_directed_presence_back_once) {
  Session& phone = scene.bind("juliet@capulet.lit/phone");
  scene.says(phone, "<presence to='stranger@montague.lit'/>");
  scene.says(phone, "<presence to='both@montague.lit'/>");
  scene.says(phone, "<presence/>");
  scene.forget_all();
  scene.says(phone, "<presence type='unavailable'><status>bye</status></presence>");
  EXPECT_THAT(scene.outside, UnorderedElementsAre(to("both@montague.lit", "bye"), to("from@montague.lit", "bye"),
                                                  to("stranger@montague.lit", "bye")));
  scene.outside.clear();
  scene.ends(phone);
  EXPECT_THAT(scene.outside, IsEmpty());
}

TEST_F(PresenceTest, a_session_without_broadcast_presence_takes_back_what_it_directed) {
  Session& phone = scene.bind("juliet@capulet.lit/phone");
  scene.says(phone, "<presence to='both@montague.lit'/>");
  scene.outside.clear();
  scene.ends(phone);
  EXPECT_THAT(scene.outside, ElementsAre(to("both@montague.lit", "unavailable")));
}

TEST_F(PresenceTest, directed_presence_has_a_limit) {
  scene.stage.limits.directed_presences = 2;
  Session& phone = there("juliet@capulet.lit/phone");
  scene.says(phone, "<presence to='a@montague.lit'/>");
  scene.says(phone, "<presence to='b@montague.lit'/>");
  scene.says(phone, "<presence to='a@montague.lit'/>");
  EXPECT_THAT(scene.got(phone), IsEmpty());
  scene.outside.clear();
  scene.says(phone, "<presence to='c@montague.lit'/>");
  EXPECT_THAT(scene.got(phone), ElementsAre(HasSubstr("resource-constraint")));
  EXPECT_THAT(scene.outside, IsEmpty());
  EXPECT_THAT(phone.directed(), SizeIs(2));
}

TEST_F(PresenceTest, one_who_was_told_directly_is_not_told_off_for_a_probe_and_learns_nothing) {
  Session& phone = there("juliet@capulet.lit/phone");
  scene.says(phone, "<presence to='stranger@montague.lit'/>");
  scene.outside.clear();
  scene.arrives("<presence type='probe' from='stranger@montague.lit' to='juliet@capulet.lit'/>");
  EXPECT_THAT(scene.outside, IsEmpty());
}

// --- what comes in
// -----------------------------------------------------------------------------------------------------------

TEST_F(PresenceTest, presence_for_the_bare_jid_goes_to_all_available_sessions) {
  Session& phone = there("juliet@capulet.lit/phone");
  Session& desk = scene.bind("juliet@capulet.lit/desk");
  scene.says(desk, "<presence><priority>-5</priority></presence>");
  Session& silent = scene.bind("juliet@capulet.lit/silent");
  scene.forget_all();
  for (const char* type : {"", "type='unavailable'"}) {
    scene.arrives("<presence from='both@montague.lit/x' to='juliet@capulet.lit' " + std::string(type) + "/>");
    EXPECT_THAT(scene.got(phone), ElementsAre(HasSubstr("to='juliet@capulet.lit'")));
    EXPECT_THAT(scene.got(desk), SizeIs(1));
    EXPECT_THAT(scene.got(silent), IsEmpty());
  }
}

TEST_F(PresenceTest, presence_for_one_session_goes_there_or_nowhere) {
  Session& phone = there("juliet@capulet.lit/phone");
  Session& silent = scene.bind("juliet@capulet.lit/silent");
  for (const char* rest : {"/>", " type='unavailable'/>",
                           " type='error'><error type='cancel'><conflict "
                           "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"}) {
    scene.arrives("<presence from='room@chat.montague.lit/x' to='juliet@capulet.lit/silent'" + std::string(rest));
    scene.arrives("<presence from='room@chat.montague.lit/x' to='juliet@capulet.lit/gone'" + std::string(rest));
    EXPECT_THAT(scene.got(silent), SizeIs(1));
    EXPECT_THAT(scene.got(phone), IsEmpty());
  }
  EXPECT_THAT(scene.outside, IsEmpty());
}

}  // namespace
}  // namespace kith::modules
