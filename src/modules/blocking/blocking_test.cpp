#include "modules/blocking/blocking.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/delivery/delivery.h"
#include "modules/presence/presence.h"
#include "modules/roster/roster.h"
#include "modules/subscription/subscription.h"

namespace kith::modules {
namespace {

using module::BlockList;
using module::Session;
using module::testing::bare;
using module::testing::jid;
using module::testing::Scene;
using module::testing::stanza;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class BlockingTest : public ::testing::Test {
 protected:
  BlockingTest() {
    scene.stage.use<RosterFeature>();
    scene.stage.use<Blocking>();
    scene.stage.use<SubscriptionFeature>();
    scene.stage.use<PresenceFeature>();
    scene.stage.use<DeliveryFeature>();
    scene.stage.subscribe("juliet@capulet.lit", "romeo@montague.lit", both());
    juliet = &scene.comes("juliet@capulet.lit/balcony");
    scene.forget_all();
  }
  static xmpp::Subscription both() { return xmpp::Subscription::both; }
  std::vector<std::string> asks(const std::string& type, const std::string& payload) {
    scene.says(*juliet, "<iq type='" + type + "' id='b1'>" + payload + "</iq>");
    return scene.got(*juliet);
  }
  std::vector<std::string> block(const std::string& who) {
    return asks("set", "<block xmlns='urn:xmpp:blocking'><item jid='" + who + "'/></block>");
  }
  std::vector<std::string> unblock(const std::string& items) {
    return asks("set", "<unblock xmlns='urn:xmpp:blocking'>" + items + "</unblock>");
  }
  Scene scene;
  Session* juliet;
};

TEST_F(BlockingTest, the_list_is_what_was_blocked_and_survives_as_a_document) {
  EXPECT_THAT(asks("get", "<blocklist xmlns='urn:xmpp:blocking'/>"), ElementsAre(HasSubstr("<blocklist")));
  block("Iago@Shakespeare.lit");
  EXPECT_THAT(asks("get", "<blocklist xmlns='urn:xmpp:blocking'/>"),
              ElementsAre(HasSubstr("<item jid='iago@shakespeare.lit'/>")));
  const auto& documents = scene.stage.documents.documents;
  const auto found = documents.find({bare("juliet@capulet.lit"), "blocklist", ""});
  ASSERT_NE(found, documents.end());
  EXPECT_TRUE(BlockList::from_document(found->second).blocks(jid("iago@shakespeare.lit/x")));
}

TEST_F(BlockingTest, who_asked_for_the_list_is_pushed_its_changes) {
  EXPECT_THAT(block("a@b.lit"), SizeIs(1));
  asks("get", "<blocklist xmlns='urn:xmpp:blocking'/>");
  EXPECT_THAT(block("c@d.lit"),
              Contains(AllOf(HasSubstr("type='set'"), HasSubstr("<block "), HasSubstr("<item jid='c@d.lit'/>"))));
  EXPECT_THAT(unblock(""), Contains(HasSubstr("<unblock xmlns='urn:xmpp:blocking'/>")));
}

TEST_F(BlockingTest, nothing_comes_from_the_blocked_and_they_hear_what_one_hears_of_who_is_away) {
  block("romeo@montague.lit");
  scene.forget_all();
  scene.arrives(
      "<message from='romeo@montague.lit/o' to='juliet@capulet.lit' type='chat' id='1'><body>b</body></message>");
  scene.arrives("<message from='romeo@montague.lit/o' to='juliet@capulet.lit/balcony' type='error'/>");
  scene.arrives(
      "<message from='romeo@montague.lit/o' to='juliet@capulet.lit' type='headline'><body>b</body></message>");
  scene.arrives(
      "<message from='romeo@montague.lit/o' to='juliet@capulet.lit/balcony' type='groupchat'><body>b</body></message>");
  scene.arrives("<presence from='romeo@montague.lit/o' to='juliet@capulet.lit'/>");
  scene.arrives("<presence from='romeo@montague.lit' to='juliet@capulet.lit' type='probe'/>");
  scene.arrives("<presence from='romeo@montague.lit' to='juliet@capulet.lit' type='subscribe'/>");
  EXPECT_THAT(scene.got(*juliet), IsEmpty());
  EXPECT_THAT(scene.outside, ElementsAre(AllOf(HasSubstr("<message"), HasSubstr("service-unavailable"))));
}

TEST_F(BlockingTest, nothing_goes_to_the_blocked_and_the_client_hears_why) {
  block("romeo@montague.lit");
  scene.forget_all();
  scene.says(*juliet, "<message to='romeo@montague.lit/o' id='1'><body>b</body></message>");
  EXPECT_THAT(scene.got(*juliet), ElementsAre(AllOf(HasSubstr("<not-acceptable"),
                                                    HasSubstr("<blocked xmlns='urn:xmpp:blocking:errors'/>"))));
  scene.says(*juliet, "<presence to='romeo@montague.lit' type='subscribe'/>");
  EXPECT_THAT(scene.got(*juliet), ElementsAre(HasSubstr("<blocked")));
  scene.says(*juliet, "<presence><show>away</show></presence>");
  scene.ends(*juliet);
  EXPECT_THAT(scene.outside, IsEmpty());
}

TEST_F(BlockingTest, the_blocked_see_the_account_go_and_come_back) {
  block("montague.lit");
  EXPECT_THAT(scene.outside, ElementsAre(AllOf(HasSubstr("type='unavailable'"), HasSubstr("to='romeo@montague.lit'"))));
  scene.outside.clear();
  unblock("<item jid='montague.lit'/>");
  EXPECT_THAT(scene.outside, ElementsAre(Not(HasSubstr("type=")), HasSubstr("type='probe'")));
}

TEST_F(BlockingTest, who_was_told_more_than_others_is_told_of_the_end) {
  scene.says(*juliet, "<presence to='room@chat.lit/j'/>");
  scene.outside.clear();
  block("room@chat.lit");
  EXPECT_THAT(scene.outside, ElementsAre(AllOf(HasSubstr("type='unavailable'"), HasSubstr("to='room@chat.lit/j'"))));
}

TEST_F(BlockingTest, a_command_that_is_wrong_changes_nothing) {
  const std::string open = "<block xmlns='urn:xmpp:blocking'>";
  EXPECT_THAT(asks("set", "<block xmlns='urn:xmpp:blocking'/>"), ElementsAre(HasSubstr("<bad-request")));
  EXPECT_THAT(asks("set", open + "<item/></block>"), ElementsAre(HasSubstr("<bad-request")));
  EXPECT_THAT(asks("set", open + "<item jid='@@'/></block>"), ElementsAre(HasSubstr("<jid-malformed")));
  EXPECT_THAT(block("juliet@capulet.lit"), ElementsAre(HasSubstr("<not-allowed")));
  scene.stage.limits.blocked_addresses = 1;
  EXPECT_THAT(asks("set", open + "<item jid='a@b'/><item jid='c@d'/></block>"),
              ElementsAre(HasSubstr("<policy-violation")));
  EXPECT_TRUE(juliet->account().block_list().empty());
}

TEST_F(BlockingTest, a_list_that_could_not_be_written_is_taken_back) {
  scene.stage.disk.failing_writes = true;
  EXPECT_THAT(block("romeo@montague.lit"), ElementsAre(HasSubstr("type='error'")));
  EXPECT_TRUE(juliet->account().block_list().empty());
}

TEST_F(BlockingTest, a_report_reaches_the_administrators_and_no_log_names_people) {
  scene.stage.hosts.administrators.insert(bare("nurse@capulet.lit"));
  Session& nurse = scene.comes("nurse@capulet.lit/house");
  scene.forget_all();
  asks("set",
       "<block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.lit'><report xmlns='urn:xmpp:reporting:1' "
       "reason='urn:xmpp:reporting:spam'><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.lit' id='28482'/>"
       "<text>Never came trouble.</text></report></item></block>");
  EXPECT_THAT(scene.got(nurse), ElementsAre(AllOf(HasSubstr("from='capulet.lit'"),
                                                  HasSubstr("juliet@capulet.lit reports romeo@montague.lit"),
                                                  HasSubstr("28482"), HasSubstr("Never came trouble."))));
  EXPECT_THAT(scene.stage.log, AllOf(HasSubstr("abuse_report"), Not(HasSubstr("Never came"))));
  EXPECT_THAT(
      asks("set",
           "<block xmlns='urn:xmpp:blocking'><item jid='a@b'><report xmlns='urn:xmpp:reporting:1'/></item></block>"),
      ElementsAre(HasSubstr("<bad-request")));
  for (int i = 0; i < 30; ++i) {
    asks("set",
         "<block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.lit'><report xmlns='urn:xmpp:reporting:1' "
         "reason='urn:xmpp:reporting:abuse'/></item></block>");
  }
  EXPECT_THAT(scene.got(nurse), SizeIs(9));
}

TEST(BlockList, matches_addresses_as_the_specification_says) {
  BlockList list;
  for (const char* text : {"a@full.lit/r", "b@bare.lit", "domain.lit", "part.lit/r"}) list.add(jid(text));
  for (const char* text : {"a@full.lit/r", "b@bare.lit", "b@bare.lit/x", "domain.lit", "c@domain.lit", "c@domain.lit/x",
                           "domain.lit/x", "part.lit/r"})
    EXPECT_TRUE(list.blocks(jid(text))) << text;
  for (const char* text : {"a@full.lit", "a@full.lit/s", "bare.lit", "c@sub.domain.lit", "part.lit", "c@part.lit/r"})
    EXPECT_FALSE(list.blocks(jid(text))) << text;
  EXPECT_EQ(BlockList::from_document(list.to_document()).jids(), list.jids());
  EXPECT_TRUE(BlockList::from_document("").empty());
}

}  // namespace
}  // namespace kith::modules
