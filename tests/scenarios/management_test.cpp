// Stream management (XEP-0198), through a whole server: acknowledgements, resumption, and what becomes of a session
// whose client does not come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "two_people.h"

namespace kith::scenario {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string enable(const std::string& more = " resume='true'") { return "<enable xmlns='urn:xmpp:sm:3'" + more + "/>"; }
const std::string ask = "<r xmlns='urn:xmpp:sm:3'/>";
std::string a(unsigned h) { return "<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(h) + "'/>"; }
std::string id_of(const std::string& enabled) { return between(enabled, " id='", "'"); }

class ManagementTest : public TwoPeople {
 protected:
  Raw managed(const std::string& user, const std::string& resource, std::string& previd) {
    Raw raw(*world);
    raw.to_login(user, "secret");
    raw.say(bind_iq(resource));
    previd = id_of(raw.say(enable()));
    return raw;
  }
};

TEST_F(ManagementTest, is_offered_after_login_and_enabled_after_binding) {
  Raw raw(*world);
  // Before it, only as what may be asked for with the login.
  const std::string before = raw.to_tls();
  EXPECT_THAT(before.substr(before.find("</authentication>")), Not(HasSubstr("urn:xmpp:sm:3")));
  raw.say(plain("juliet", "secret"));
  EXPECT_THAT(raw.say(header), HasSubstr("<sm xmlns='urn:xmpp:sm:3'/>"));
  EXPECT_THAT(raw.say(enable()), HasSubstr("<unexpected-request"));
  raw.say(bind_iq("balcony"));
  EXPECT_THAT(raw.say(enable()), StartsWith("<enabled xmlns='urn:xmpp:sm:3' id='"));
  EXPECT_EQ(raw.say(ask), a(0));
}

TEST_F(ManagementTest, counts_stanzas_and_nothing_else) {
  std::string previd;
  Raw raw = managed("juliet", "balcony", previd);
  const std::string answer = raw.say(message("romeo@localhost", "hi") + ask + ask + "<presence/>" + ask);
  EXPECT_THAT(answer, HasSubstr(a(1)));
  EXPECT_THAT(raw.say(ask), EndsWith(a(2)));
}

TEST_F(ManagementTest, a_client_that_was_cut_off_resumes_and_gets_what_it_missed_once_and_in_order) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence/>");
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(message("juliet@localhost", "one"));
  EXPECT_THAT(juliet.take(), HasSubstr("one"));
  juliet.client->link().cut();
  world->settle();
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
  romeo->send(message("juliet@localhost", "two") + message("juliet@localhost", "three"));
  world->settle();
  Raw back = logged_in("juliet");
  // Her own presence was the first stanza, "one" the second; she saw the presence only.
  const std::string got_back = back.say(resume(previd, 1));
  EXPECT_THAT(got_back, StartsWith("<resumed xmlns='urn:xmpp:sm:3' previd='" + previd + "' h='1'/>"));
  const auto at = [&](const std::string& body) { return got_back.find("<body>" + body + "</body>"); };
  EXPECT_LT(at("one"), at("two"));
  EXPECT_LT(at("two"), at("three"));
  EXPECT_NE(at("three"), std::string::npos);
  EXPECT_EQ(count_of(got_back, "<body>"), 3U);
  EXPECT_EQ(back.say(a(4)), "");
  romeo->send(message("juliet@localhost", "four"));
  EXPECT_THAT(back.take(), HasSubstr("four"));
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
}

TEST_F(ManagementTest, an_old_connection_that_is_still_open_ends_with_conflict) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  Raw back = logged_in("juliet");
  EXPECT_THAT(back.say(resume(previd, 0)), HasSubstr("<resumed"));
  EXPECT_THAT(juliet.take(), HasSubstr("<conflict"));
  EXPECT_TRUE(juliet.closed());
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
  EXPECT_EQ(back.say(ask), a(0));
}

TEST_F(ManagementTest, a_queue_that_was_too_long_for_a_lost_connection_is_bounded_after_another_took_over) {
  WorldOptions options;
  options.limits.sm_queue_stanzas = 5;
  options.limits.sm_queue_bytes = 20'000;
  begin(std::move(options));
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence/>");
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  const auto send = [&](int count, std::size_t bytes) {
    for (int i = 0; i < count; ++i) romeo->send(message("juliet@localhost", std::string(bytes, 'x')));
    world->settle();
  };
  send(10, 10);
  // The older connection is there when the new one comes: for a moment nobody is, with more than five in the queue.
  Raw back = logged_in("juliet");
  EXPECT_THAT(back.say(resume(previd, 0)), HasSubstr("<resumed"));
  EXPECT_FALSE(back.closed());
  send(10, 3000);
  EXPECT_THAT(back.take(), HasSubstr("<resource-constraint"));
  EXPECT_TRUE(back.closed());
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
}

TEST_F(ManagementTest, nobody_resumes_another_account_s_session_or_one_that_never_was) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.client->link().cut();
  world->settle();
  Raw romeo = logged_in("romeo");
  EXPECT_THAT(romeo.say(resume(previd, 0)), HasSubstr("<item-not-found"));
  EXPECT_THAT(romeo.say(resume("nonsense", 0)), HasSubstr("<item-not-found"));
  EXPECT_THAT(romeo.say(resume("", 0)), HasSubstr("<item-not-found"));
  EXPECT_THAT(romeo.say(bind_iq("orchard")), HasSubstr("romeo@localhost/orchard"));
  Raw back = logged_in("juliet");
  EXPECT_THAT(back.say(resume(previd, 0)), HasSubstr("<resumed"));
}

// XEP-0198 §5: so that the client need not send again what was handled before its session ended.
TEST_F(ManagementTest, who_comes_too_late_is_told_how_much_of_its_own_was_handled) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence/>" + message("romeo@localhost", "one") + message("romeo@localhost", "two"));
  juliet.client->link().cut();
  world->settle();
  world->advance(seconds(601));
  ASSERT_EQ(world->sessions("juliet@localhost"), 0U);
  Raw late = logged_in("juliet");
  const std::string answer = late.say(resume(previd, 0));
  EXPECT_THAT(answer, HasSubstr("<failed xmlns='urn:xmpp:sm:3' h='3'>"));
  EXPECT_THAT(answer, HasSubstr("<item-not-found"));
  // SECURITY: nobody else is told.
  Raw romeo = logged_in("romeo");
  EXPECT_THAT(romeo.say(resume(previd, 0)), HasSubstr("<failed xmlns='urn:xmpp:sm:3'><item-not-found"));
}

TEST_F(ManagementTest, more_acknowledged_than_sent_ends_the_stream) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  EXPECT_THAT(juliet.say(a(1)), HasSubstr("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='1' send-count='0'/>"));
  EXPECT_TRUE(juliet.closed());
}

TEST_F(ManagementTest, a_resumption_that_acknowledges_too_much_is_refused_and_leaves_the_session_alone) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.client->link().cut();
  world->settle();
  Raw bad = logged_in("juliet");
  EXPECT_THAT(bad.say(resume(previd, 7)), HasSubstr("<handled-count-too-high"));
  Raw back = logged_in("juliet");
  EXPECT_THAT(back.say(resume(previd, 0)), HasSubstr("<resumed"));
}

TEST_F(ManagementTest, enabling_twice_ends_the_stream) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  const std::string answer = juliet.say(enable());
  EXPECT_THAT(answer, HasSubstr("<failed xmlns='urn:xmpp:sm:3'>"));
  EXPECT_THAT(answer, HasSubstr("<policy-violation"));
}

TEST_F(ManagementTest, what_was_not_acknowledged_is_kept_when_the_client_does_not_come_back) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence/>");
  juliet.say(a(1));
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  juliet.client->link().cut();
  world->settle();
  romeo->send(message("juliet@localhost", "one") + message("juliet@localhost/balcony", "two"));
  world->settle();
  world->advance(seconds(601));
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
  EXPECT_THAT(got(*world, *romeo), Not(::testing::Contains(HasSubstr("type='error'"))));
  const auto again = entered(*world, "juliet@localhost", "desk");
  again->send("<presence/>");
  std::string all;
  for (const std::string& text : got(*world, *again)) all += text;
  Raw late = logged_in("juliet");
  EXPECT_THAT(late.say(resume(previd, 0)), HasSubstr("<item-not-found"));
  EXPECT_EQ(count_of(all, "<body>"), 2U) << all;
  EXPECT_LT(all.find("one"), all.find("two"));
}

class SleepTest : public ManagementTest {
 protected:
  static constexpr const char* room = "coven@rooms.localhost";
  static std::string enter(const std::string& nick) {
    return "<presence to='" + std::string(room) + "/" + nick +
           "'><x xmlns='http://jabber.org/protocol/muc'/></presence>";
  }
  /// Juliet's phone falls asleep in a room in which Romeo is, too.
  void sleeps(const std::string& before) {
    juliet.emplace(managed("juliet", "phone", previd));
    juliet->say("<presence/>" + before + enter("juliet"));
    juliet->say(
        "<iq type='set' id='c' to='" + std::string(room) +
        "'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>");
    romeo = available(*world, "romeo@localhost", "orchard");
    romeo->send(enter("romeo"));
    got(*world, *romeo);
    juliet->client->link().cut();
    world->settle();
  }
  std::string said_in_the_room() {
    std::string all;
    for (const std::string& text : got(*world, *romeo)) all += text;
    return all;
  }
  /// Romeo's client has not answered the server's pings meanwhile and comes again.
  bool is_out_of_the_room() {
    romeo = available(*world, "romeo@localhost", "orchard");
    romeo->send(enter("romeo"));
    const std::string said = said_in_the_room();
    return said.contains("from='coven@rooms.localhost/romeo'") && !said.contains("from='coven@rooms.localhost/juliet'");
  }
  const std::string push = "<iq type='set' id='e'><enable xmlns='urn:xmpp:push:0' jid='push.localhost' node='n'/></iq>";

  std::string previd;
  std::optional<Raw> juliet;
  std::unique_ptr<WorldClient> romeo;
};

TEST_F(SleepTest, a_phone_that_can_be_woken_stays_in_its_room_for_hours) {
  sleeps(push);
  world->advance(std::chrono::hours(10));
  world->stop_and_start();
  world->advance(std::chrono::hours(10));
  romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(enter("romeo"));
  EXPECT_THAT(said_in_the_room(), HasSubstr("from='coven@rooms.localhost/juliet'"));
  romeo->send("<message type='groupchat' to='coven@rooms.localhost'><body>good morning</body></message>");
  world->settle();
  Raw back = logged_in("juliet");
  EXPECT_THAT(back.say(resume(previd, 0)), AllOf(HasSubstr("<resumed"), HasSubstr("good morning")));
  // And she is told how long it is, the next time.
  Raw other(*world);
  other.to_login("juliet", "secret");
  other.say(bind_iq("phone"));
  EXPECT_THAT(other.say(enable()), HasSubstr("max='86400'"));
}

TEST_F(SleepTest, but_not_for_longer_than_that) {
  sleeps(push);
  world->advance(std::chrono::hours(24) - seconds(1));
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
  world->advance(seconds(2));
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
  EXPECT_TRUE(is_out_of_the_room());
}

TEST_F(SleepTest, nor_does_one_stay_that_nobody_can_wake) {
  sleeps("");
  world->advance(seconds(599));
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
  world->advance(seconds(2));
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
  EXPECT_TRUE(is_out_of_the_room());
}

TEST_F(SleepTest, a_client_that_asks_for_ever_is_waited_for_as_long_as_the_server_does) {
  Raw raw(*world);
  raw.to_login("juliet", "secret");
  raw.say(bind_iq("phone"));
  EXPECT_THAT(raw.say(enable(" resume='true' max='4294967295'")), HasSubstr("max='600'"));
  raw.say(push);
  world->stop_and_start();
  world->advance(std::chrono::hours(23));
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
  world->advance(std::chrono::hours(2));
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
}

TEST_F(SleepTest, a_client_is_not_waited_for_longer_than_it_asks_for) {
  Raw raw(*world);
  raw.to_login("juliet", "secret");
  raw.say(bind_iq("phone"));
  raw.say(push);
  EXPECT_THAT(raw.say(enable(" resume='true' max='60'")), HasSubstr("max='60'"));
  raw.client->link().cut();
  world->settle();
  world->advance(seconds(61));
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
  // It is remembered over a restart.
  Raw again(*world);
  again.to_login("juliet", "secret");
  again.say(bind_iq("phone"));
  EXPECT_THAT(again.say(enable(" resume='true' max='3600'")), HasSubstr("max='3600'"));
  world->stop_and_start();
  world->advance(seconds(3599));
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
  world->advance(seconds(2));
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
}

TEST_F(ManagementTest, what_goes_another_way_keeps_its_archive_id_and_says_when_it_came) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence/>");
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(message("juliet@localhost", "one"));
  const std::string id = between(juliet.take(), "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='", "'");
  ASSERT_NE(id, "");
  const auto desk = available(*world, "juliet@localhost", "desk");
  juliet.say(closing);
  std::string told;
  for (const std::string& text : got(*world, *desk)) told += text;
  EXPECT_THAT(told, HasSubstr("by='juliet@localhost' id='" + id + "'"));
  EXPECT_THAT(told, HasSubstr("<delay xmlns='urn:xmpp:delay' from='localhost'"));
}

TEST_F(ManagementTest, who_came_later_gets_what_an_older_session_has_not_acknowledged_once) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  Raw tablet = managed("juliet", "tablet", previd);
  juliet.say("<presence/>");
  tablet.say("<presence/>");
  // It is there, but gets no messages yet.
  const auto desk = entered(*world, "juliet@localhost", "desk");
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(message("juliet@localhost", "one"));
  EXPECT_THAT(juliet.take(), HasSubstr("<body>one"));
  EXPECT_THAT(tablet.take(), HasSubstr("<body>one"));
  desk->send("<presence/>");
  got(*world, *desk);
  juliet.client->link().cut();
  tablet.client->link().cut();
  world->settle();
  std::string told;
  for (int minute = 0; minute < 11; ++minute) {
    world->advance(seconds(60));
    for (const std::string& text : got(*world, *desk)) told += text;
    desk->send(" ");
  }
  EXPECT_EQ(count_of(told, "<body>one</body>"), 1U) << told;
}

TEST_F(ManagementTest, a_message_without_a_type_to_a_session_that_does_not_come_back_is_kept) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send("<message to='juliet@localhost/balcony'><body>one</body></message>");
  EXPECT_THAT(juliet.take(), HasSubstr("<body>one"));
  juliet.client->link().cut();
  world->advance(seconds(601));
  const auto again = entered(*world, "juliet@localhost", "desk");
  again->send("<presence/>");
  EXPECT_THAT(got(*world, *again), ::testing::Contains(HasSubstr("<body>one</body>")));
  EXPECT_THAT(got(*world, *romeo), Not(::testing::Contains(HasSubstr("type='error'"))));
}

TEST_F(ManagementTest, a_request_that_was_answered_but_not_acknowledged_is_not_answered_again) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(
      "<iq type='get' id='q1' to='juliet@localhost/balcony'><ping xmlns='urn:xmpp:ping'/></iq>"
      "<iq type='get' id='q2' to='juliet@localhost/balcony'><ping xmlns='urn:xmpp:ping'/></iq>");
  EXPECT_THAT(juliet.take(), HasSubstr("id='q2'"));
  juliet.say("<iq type='result' id='q1' to='romeo@localhost/orchard'/>");
  juliet.say(closing);
  std::string told;
  for (const std::string& text : got(*world, *romeo)) told += text;
  EXPECT_EQ(count_of(told, "id='q1'"), 1U) << told;
  EXPECT_THAT(told, HasSubstr("<iq type='error' id='q2'"));
}

TEST_F(ManagementTest, what_comes_back_is_there_before_the_acknowledgement_that_counts_it) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  // The account has to be looked for on the disk first.
  const std::string answer = juliet.say(message("nobody@localhost", "hi") + ask);
  EXPECT_LT(answer.find("type='error'"), answer.find(a(1))) << answer;
}

TEST_F(ManagementTest, a_request_is_answered_before_the_acknowledgement_that_counts_it) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  // The disk is read first; a session that was written down meanwhile would know nothing of an answer.
  const std::string answer =
      juliet.say("<iq type='set' id='x1'><query xmlns='jabber:iq:private'><kept xmlns='urn:x'/></query></iq>" + ask);
  ASSERT_THAT(answer, HasSubstr("<iq type='result' id='x1'"));
  EXPECT_LT(answer.find("id='x1'"), answer.find(a(1))) << answer;
}

TEST_F(ManagementTest, nothing_is_acknowledged_before_it_is_committed) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  world->fail_writes(true);
  // The write fails: the message comes back before the acknowledgement that counts it.
  const std::string answer = juliet.say(message("romeo@localhost", "hi") + ask);
  world->fail_writes(false);
  EXPECT_THAT(answer, HasSubstr(a(1)));
  EXPECT_THAT(answer, HasSubstr("type='error'"));
  EXPECT_LT(answer.find("type='error'"), answer.find(a(1))) << answer;
}

TEST_F(ManagementTest, an_acknowledgement_finds_its_way_when_a_shard_takes_nothing_for_a_while) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say(message("romeo@localhost", "one") + message("nobody@localhost", "two") +
             message("somebody@localhost", "three"));
  world->mailboxes_full(true);
  EXPECT_THAT(juliet.say(ask), Not(HasSubstr(a(3)))) << "no other shard was addressed: the test proves nothing";
  world->mailboxes_full(false);
  world->advance(seconds(1));
  EXPECT_THAT(juliet.take(), HasSubstr(a(3)));
}

TEST_F(ManagementTest, a_binding_of_the_same_resource_gives_what_is_unacknowledged_to_the_new_session) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence/>");
  juliet.say(a(1));
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  juliet.client->link().cut();
  world->settle();
  romeo->send(message("juliet@localhost", "one"));
  world->settle();
  world->advance(seconds(5));
  const auto again = entered(*world, "juliet@localhost", "balcony");
  again->send("<presence/>");
  std::string all;
  for (const std::string& text : got(*world, *again)) all += text;
  EXPECT_EQ(count_of(all, "<body>one</body>"), 1U) << all;
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
}

// --- the server stops and starts
// -------------------------------------------------------------------------------------------------

TEST_F(ManagementTest, a_session_survives_a_restart_of_the_server) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence/>");
  auto romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(message("juliet@localhost", "one") + message("juliet@localhost", "two"));
  juliet.take();
  juliet.client->send(message("romeo@localhost", "from her"));
  world->settle();
  world->stop_and_start();
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
  EXPECT_EQ(world->sessions("romeo@localhost"), 0U);
  romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(message("juliet@localhost", "three"));
  world->settle();
  Raw back = logged_in("juliet");
  // She had her own presence and "one".
  const std::string got_back = back.say(resume(previd, 2));
  EXPECT_THAT(got_back, StartsWith("<resumed xmlns='urn:xmpp:sm:3' previd='" + previd + "' h='2'/>"));
  EXPECT_EQ(count_of(got_back, "<body>"), 2U) << got_back;
  EXPECT_LT(got_back.find("two"), got_back.find("three"));
  EXPECT_EQ(back.say(a(4)), "");
  EXPECT_EQ(back.say(ask), a(2));
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
}

TEST_F(ManagementTest, several_sessions_of_an_account_survive_however_few_stanzas_may_wait_for_it) {
  WorldOptions options;
  options.limits.account_queue_stanzas = 1;
  begin(std::move(options));
  std::string previd;
  Raw balcony = managed("juliet", "balcony", previd);
  Raw garden = managed("juliet", "garden", previd);
  world->stop_and_start();
  EXPECT_EQ(world->sessions("juliet@localhost"), 2U);
}

TEST_F(ManagementTest, a_second_restart_loses_nothing_either) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence/>");
  juliet.client->link().cut();
  world->settle();
  auto romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(message("juliet@localhost", "one"));
  world->settle();
  world->stop_and_start();
  world->stop_and_start();
  Raw back = logged_in("juliet");
  const std::string got_back = back.say(resume(previd, 1));
  EXPECT_EQ(count_of(got_back, "<body>one</body>"), 1U) << got_back;
}

TEST_F(ManagementTest, what_a_client_asked_for_holds_after_a_restart) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say(
      "<presence/><iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
      "<iq type='get' id='b'><blocklist xmlns='urn:xmpp:blocking'/></iq>");
  juliet.client->link().cut();
  world->settle();
  world->stop_and_start();
  Raw back = logged_in("juliet");
  back.say(resume(previd, 3));
  const auto desk = available(*world, "juliet@localhost", "desk");
  desk->send(message("romeo@localhost", "hi") +
             "<iq type='set' id='d'><block xmlns='urn:xmpp:blocking'><item "
             "jid='tybalt@localhost'/></block></iq>");
  const std::string told = back.take();
  EXPECT_THAT(told, HasSubstr("<sent xmlns='urn:xmpp:carbons:2'>"));
  EXPECT_THAT(told, HasSubstr("<block xmlns='urn:xmpp:blocking'>"));
}

TEST_F(ManagementTest, presence_is_known_and_taken_back_after_a_restart) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence><status>here</status></presence>");
  juliet.client->link().cut();
  world->settle();
  world->stop_and_start();
  const auto desk = entered(*world, "juliet@localhost", "desk");
  desk->send("<presence/>");
  std::string told;
  const auto listen = [&] {
    for (const std::string& text : got(*world, *desk)) told += text;
  };
  listen();
  EXPECT_THAT(told, HasSubstr("<status>here</status>"));
  told.clear();
  for (int minute = 0; minute <= 10; ++minute) {
    world->advance(seconds(60));
    listen();
  }
  EXPECT_THAT(told, HasSubstr("type='unavailable'"));
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
}

TEST_F(ManagementTest, kept_messages_that_were_not_acknowledged_come_once_after_a_restart) {
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(message("juliet@localhost", "one"));
  world->settle();
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<presence/>");
  juliet.client->link().cut();
  world->settle();
  world->stop_and_start();
  world->advance(seconds(1));
  Raw back = logged_in("juliet");
  EXPECT_EQ(count_of(back.say(resume(previd, 0)), "<body>one</body>"), 1U);
  back.say(a(2));
  world->advance(seconds(5));
  back.say("</stream:stream>");
  Raw again(*world);
  again.to_login("juliet", "secret");
  again.say(bind_iq("desk"));
  EXPECT_THAT(again.say("<presence/>"), Not(HasSubstr("<body>")));
}

TEST_F(ManagementTest, after_a_kill_nothing_is_resumed) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  world->stop_and_start();
  world->restart();
  Raw back = logged_in("juliet");
  EXPECT_THAT(back.say(resume(previd, 0)), HasSubstr("<item-not-found"));
  EXPECT_THAT(back.say(bind_iq("balcony")), HasSubstr("juliet@localhost/balcony"));
}

TEST_F(ManagementTest, counters_pass_their_highest_number) {
  // A session with 2^32 − 1 stanzas each way behind it.
  const std::string id = "an-id";
  world->save_session("juliet@localhost",
                      session::SavedState{.resource = "balcony",
                                          .id_digest = sha256(id),
                                          .resume_time = seconds(600),
                                          .handled = 4294967295U,
                                          .acknowledged = 4294967295U,
                                          .written = 1,
                                          .items = {{.bytes = message("juliet@localhost", "one")}}});
  world->restart();
  Raw back = logged_in("juliet");
  EXPECT_THAT(back.say(resume(id, 1)), HasSubstr("send-count='0'"));
  Raw again = logged_in("juliet");
  EXPECT_THAT(again.say(resume(id, 4294967295U)), AllOf(HasSubstr(" h='4294967295'"), HasSubstr("<body>one</body>")));
  EXPECT_EQ(again.say(a(0)), "");
  EXPECT_EQ(again.say("<presence type='unavailable'/>" + ask), a(0));
  EXPECT_THAT(again.say(a(1)), HasSubstr("<handled-count-too-high"));
}

// XEP-0352 §4.2
TEST_F(ManagementTest, whoever_resumes_is_active_and_gets_what_was_held_back) {
  for (const bool over_a_restart : {false, true}) {
    std::string previd;
    Raw juliet = managed("juliet", over_a_restart ? "chamber" : "balcony", previd);
    juliet.say("<presence/><inactive xmlns='urn:xmpp:csi:0'/>");
    auto romeo = available(*world, "romeo@localhost", "orchard");
    romeo->send("<message to='juliet@localhost' type='headline'><body/></message>");
    EXPECT_EQ(juliet.take(), "");
    juliet.client->link().cut();
    world->settle();
    if (over_a_restart) {
      world->stop_and_start();
      romeo = available(*world, "romeo@localhost", "orchard");
    }
    Raw back = logged_in("juliet");
    EXPECT_THAT(back.say(resume(previd, 1)), AllOf(HasSubstr("<resumed"), HasSubstr("type='headline'")))
        << over_a_restart;
    romeo->send("<message to='juliet@localhost' type='headline'><body/></message>");
    EXPECT_THAT(back.take(), HasSubstr("type='headline'")) << over_a_restart;
    back.say("</stream:stream>");
  }
}

TEST_F(ManagementTest, what_was_held_back_is_kept_when_its_session_ends) {
  const std::string receipt = "<message to='juliet@localhost'><received xmlns='urn:xmpp:receipts' id='x'/></message>";
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say(
      "<presence/><iq type='set' id='p'><prefs xmlns='urn:xmpp:mam:2' default='never'/></iq>"
      "<inactive xmlns='urn:xmpp:csi:0'/>");
  const auto romeo = available(*world, "romeo@localhost", "orchard");
  romeo->send(receipt);
  EXPECT_EQ(juliet.take(), "");
  juliet.client->link().cut();
  world->advance(seconds(601));
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
  Raw back = logged_in("juliet");
  back.say(bind_iq("balcony"));
  EXPECT_EQ(count_of(back.say("<presence/>"), "urn:xmpp:receipts"), 1U);
  // Without stream management what is held leaves before the stream does.
  const auto romeo_again = available(*world, "romeo@localhost", "garden");
  back.say("<inactive xmlns='urn:xmpp:csi:0'/>");
  romeo_again->send(receipt);
  EXPECT_EQ(back.take(), "");
  EXPECT_EQ(count_of(back.say("</stream:stream>"), "urn:xmpp:receipts"), 1U);
}

TEST_F(ManagementTest, who_blocks_the_own_server_is_answered_by_it_all_the_same) {
  std::string previd;
  Raw juliet = managed("juliet", "balcony", previd);
  juliet.say("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='localhost'/></block></iq>");
  EXPECT_THAT(juliet.say("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"),
              AllOf(HasSubstr("type='result'"), HasSubstr("id='p'")));
  EXPECT_THAT(juliet.say(message("romeo@localhost", "hi")), HasSubstr("<blocked xmlns='urn:xmpp:blocking:errors'/>"));
}

TEST_F(ManagementTest, a_damaged_saved_session_keeps_nobody_out) {
  world->save_session("juliet@localhost", session::SavedState{.resource = "", .id_digest = "x"});
  world->save_session("nobody@localhost", session::SavedState{.resource = "there", .id_digest = "x"});
  world->restart();
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
  EXPECT_EQ(world->sessions("nobody@localhost"), 0U);
  Raw back = logged_in("juliet");
  EXPECT_THAT(back.say(bind_iq("balcony")), HasSubstr("juliet@localhost/balcony"));
}

}  // namespace
}  // namespace kith::scenario
