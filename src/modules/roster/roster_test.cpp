#include "modules/roster/roster.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/roster_push.h"
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

std::string set_of(const std::string& item, const std::string& id = "s") {
  return "<iq type='set' id='" + id + "'><query xmlns='jabber:iq:roster'>" + item + "</query></iq>";
}
std::string get_of(const std::string& version) {
  return "<iq type='get' id='g'><query xmlns='jabber:iq:roster' ver='" + version + "'/></iq>";
}

class RosterTest : public ::testing::Test {
 protected:
  RosterTest() { scene.stage.use<RosterFeature>(); }
  Session& interested(const char* full) {
    Session& session = scene.bind(full);
    scene.says(session, "<iq type='get' id='first'><query xmlns='jabber:iq:roster'/></iq>");
    scene.got(session);
    return session;
  }
  std::string version() {
    const auto& account = scene.stage.account("juliet@capulet.lit");
    return module::roster_version_text(account, account.roster().version());
  }
  Scene scene;
};

TEST_F(RosterTest, a_new_item_is_pushed_to_every_interested_session_and_then_acknowledged) {
  Session& phone = interested("juliet@capulet.lit/phone");
  Session& desk = interested("juliet@capulet.lit/desk");
  Session& other = scene.bind("juliet@capulet.lit/other");
  scene.says(phone, set_of("<item jid='romeo@montague.lit' name='Romeo'><group>Friends</group></item>"));
  const auto pushed =
      AllOf(HasSubstr("type='set'"), HasSubstr("from='juliet@capulet.lit'"), HasSubstr("jid='romeo@montague.lit'"),
            HasSubstr("name='Romeo'"), HasSubstr("<group>Friends</group>"), HasSubstr("subscription='none'"),
            HasSubstr("ver='" + version() + "'"));
  EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(pushed, HasSubstr("to='juliet@capulet.lit/phone'")),
                                            AllOf(HasSubstr("type='result'"), HasSubstr("id='s'"))));
  EXPECT_THAT(scene.got(desk), ElementsAre(AllOf(pushed, HasSubstr("to='juliet@capulet.lit/desk'"))));
  EXPECT_THAT(scene.got(other), IsEmpty());
}

TEST_F(RosterTest, the_whole_roster_is_given_to_who_asks_without_a_version) {
  Session& phone = interested("juliet@capulet.lit/phone");
  scene.says(phone, set_of("<item jid='romeo@montague.lit'/>"));
  scene.got(phone);
  scene.says(phone, "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
  EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(HasSubstr("jid='romeo@montague.lit'"), Not(HasSubstr("ver=")))));
}

TEST_F(RosterTest, a_request_that_waits_is_not_shown) {
  scene.stage.account("juliet@capulet.lit")
      .roster()
      .put({.contact = bare("tybalt@capulet.lit"), .state = {.pending_in = true}, .in_roster = false});
  Session& phone = scene.bind("juliet@capulet.lit/phone");
  scene.says(phone, "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
  EXPECT_THAT(scene.got(phone), ElementsAre(Not(HasSubstr("tybalt"))));
}

TEST_F(RosterTest, a_known_version_brings_nothing_or_only_what_changed_since) {
  Session& phone = interested("juliet@capulet.lit/phone");
  scene.says(phone, set_of("<item jid='romeo@montague.lit'/>"));
  scene.says(phone, set_of("<item jid='nurse@capulet.lit'/>"));
  const std::string known = version();
  scene.got(phone);
  scene.says(phone, get_of(known));
  EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(HasSubstr("type='result'"), Not(HasSubstr("query")))));

  scene.says(phone, set_of("<item jid='paris@capulet.lit'/>"));
  scene.says(phone, set_of("<item jid='nurse@capulet.lit' subscription='remove'/>"));
  scene.got(phone);
  Session& desk = scene.bind("juliet@capulet.lit/desk");
  scene.says(desk, get_of(known));
  EXPECT_THAT(scene.got(desk),
              ElementsAre(AllOf(HasSubstr("type='result'"), Not(HasSubstr("query"))), HasSubstr("paris@capulet.lit"),
                          AllOf(HasSubstr("nurse@capulet.lit"), HasSubstr("subscription='remove'"),
                                HasSubstr("ver='" + version() + "'"))));
  EXPECT_TRUE(desk.interested());
}

TEST_F(RosterTest, a_version_that_was_never_given_out_brings_the_whole_roster) {
  Session& phone = interested("juliet@capulet.lit/phone");
  scene.says(phone, set_of("<item jid='romeo@montague.lit'/>"));
  scene.got(phone);
  const std::string future = module::roster_version_text(scene.stage.account("juliet@capulet.lit"), 99);
  for (const std::string& strange : {std::string(), std::string("7"), std::string("1-1"), future, version() + "x"}) {
    SCOPED_TRACE(strange);
    scene.says(phone, get_of(strange));
    EXPECT_THAT(scene.got(phone),
                ElementsAre(AllOf(HasSubstr("romeo@montague.lit"), HasSubstr("ver='" + version() + "'"))));
  }
}

TEST_F(RosterTest, a_version_older_than_the_removals_that_are_kept_brings_the_whole_roster) {
  Session& phone = interested("juliet@capulet.lit/phone");
  scene.says(phone, set_of("<item jid='keep@capulet.lit'/>"));
  const std::string old = version();
  for (int i = 0; i < 201; ++i) {
    const std::string jid = "x" + std::to_string(i) + "@capulet.lit";
    scene.says(phone, set_of("<item jid='" + jid + "'/>"));
    scene.says(phone, set_of("<item jid='" + jid + "' subscription='remove'/>"));
  }
  scene.got(phone);
  scene.says(phone, get_of(old));
  EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(HasSubstr("keep@capulet.lit"), Not(HasSubstr("x0@")))));
}

TEST_F(RosterTest, wrong_requests_get_the_error_that_the_rfc_names) {
  scene.stage.limits.roster_name_bytes = 10;
  scene.stage.limits.roster_groups_per_item = 2;
  Session& phone = interested("juliet@capulet.lit/phone");
  const std::pair<const char*, const char*> rows[] = {
      {"", "bad-request"},
      {"<item jid='a@b.lit'/><item jid='c@b.lit'/>", "bad-request"},
      {"<other xmlns='x'/>", "bad-request"},
      {"<item/>", "bad-request"},
      {"<item jid='@'/>", "jid-malformed"},
      {"<item jid='a@b.lit'><group>G</group><group>G</group></item>", "bad-request"},
      {"<item jid='a@b.lit'><group/></item>", "not-acceptable"},
      {"<item jid='a@b.lit'><group>12345678901</group></item>", "not-acceptable"},
      {"<item jid='a@b.lit'><group>1</group><group>2</group><group>3</group></item>", "not-acceptable"},
      {"<item jid='a@b.lit' name='12345678901'/>", "not-acceptable"},
      {"<item jid='juliet@capulet.lit'/>", "not-allowed"},
      {"<item jid='juliet@capulet.lit' subscription='remove'/>", "not-allowed"},
      {"<item jid='nobody@capulet.lit' subscription='remove'/>", "item-not-found"},
  };
  for (const auto& [item, condition] : rows) {
    SCOPED_TRACE(item);
    scene.says(phone, set_of(item));
    EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(HasSubstr("type='error'"), HasSubstr(condition))));
  }
  EXPECT_THAT(scene.stage.account("juliet@capulet.lit").roster().items(), IsEmpty());
}

TEST_F(RosterTest, what_a_client_says_about_subscriptions_is_ignored) {
  Session& phone = interested("juliet@capulet.lit/phone");
  scene.says(phone, set_of("<item jid='romeo@montague.lit' subscription='both' ask='subscribe' approved='true'/>"));
  const auto* item = scene.stage.account("juliet@capulet.lit").roster().find(bare("romeo@montague.lit"));
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(item->state, xmpp::SubscriptionState{});
}

TEST_F(RosterTest, an_update_keeps_the_subscription_and_replaces_name_and_groups) {
  scene.stage.account("juliet@capulet.lit")
      .roster()
      .put({.contact = bare("romeo@montague.lit"),
            .name = "R",
            .groups = {"old"},
            .state = {.subscription = xmpp::Subscription::both}});
  Session& phone = interested("juliet@capulet.lit/phone");
  scene.says(phone, set_of("<item jid='romeo@montague.lit/orchard'><group>new</group></item>"));
  EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(HasSubstr("subscription='both'"), HasSubstr("<group>new</group>"),
                                                  Not(HasSubstr("old")), Not(HasSubstr("name="))),
                                            HasSubstr("type='result'")));
}

TEST_F(RosterTest, the_list_has_an_end) {
  scene.stage.limits.roster_items = 2;
  Session& phone = interested("juliet@capulet.lit/phone");
  scene.says(phone, set_of("<item jid='a@b.lit'/>"));
  scene.says(phone, set_of("<item jid='b@b.lit'/>"));
  scene.got(phone);
  scene.says(phone, set_of("<item jid='c@b.lit'/>"));
  EXPECT_THAT(scene.got(phone), ElementsAre(HasSubstr("resource-constraint")));
  scene.says(phone, set_of("<item jid='a@b.lit' name='still'/>"));
  EXPECT_THAT(scene.got(phone), ElementsAre(HasSubstr("still"), HasSubstr("type='result'")));
}

TEST_F(RosterTest, the_list_has_a_size) {
  scene.stage.limits.roster_bytes = 40;
  Session& phone = interested("juliet@capulet.lit/phone");
  scene.says(phone, set_of("<item jid='a@b.lit' name='0123456789'><group>0123456789</group></item>"));
  scene.got(phone);
  scene.says(phone, set_of("<item jid='c@b.lit' name='0123456789'/>"));
  EXPECT_THAT(scene.got(phone), ElementsAre(HasSubstr("resource-constraint")));
  scene.says(
      phone,
      set_of("<item jid='a@b.lit' name='0123456789'><group>0123456789</group><group>0123456789abcdef</group></item>"));
  EXPECT_THAT(scene.got(phone), ElementsAre(HasSubstr("resource-constraint")));
  scene.stage.limits.roster_bytes = 1;
  scene.says(phone, set_of("<item jid='a@b.lit' name='0123456789'/>"));
  EXPECT_THAT(scene.got(phone), ElementsAre(HasSubstr("a@b.lit"), HasSubstr("type='result'")));
}

TEST_F(RosterTest, removal_ends_the_subscriptions_in_both_directions) {
  using xmpp::Subscription;
  struct Row {
    xmpp::SubscriptionState state;
    std::vector<const char*> sent;
  };
  const Row rows[] = {
      {{.subscription = Subscription::none}, {}},
      {{.subscription = Subscription::to}, {"unsubscribe"}},
      {{.subscription = Subscription::from}, {"unavailable", "unsubscribed"}},
      {{.subscription = Subscription::both}, {"unsubscribe", "unavailable", "unsubscribed"}},
      {{.pending_out = true}, {"unsubscribe"}},
      {{.pending_in = true}, {"unsubscribed"}},
  };
  for (const Row& row : rows) {
    Scene own;
    own.stage.use<RosterFeature>();
    own.stage.account("juliet@capulet.lit").roster().put({.contact = bare("romeo@montague.lit"), .state = row.state});
    Session& phone = own.bind("juliet@capulet.lit/phone");
    auto presence = module::testing::stanza("<presence/>");
    presence.set_from(phone.jid());
    phone.set_presence(presence, 0, {});
    own.says(phone, set_of("<item jid='romeo@montague.lit' subscription='remove'/>"));
    EXPECT_THAT(own.got(phone), ElementsAre(HasSubstr("type='result'")));
    ASSERT_THAT(own.outside, SizeIs(row.sent.size()));
    for (std::size_t i = 0; i < row.sent.size(); ++i) {
      EXPECT_THAT(own.outside[i], HasSubstr("type='" + std::string(row.sent[i]) + "'"));
      EXPECT_THAT(own.outside[i], HasSubstr("to='romeo@montague.lit'"));
    }
    EXPECT_EQ(own.stage.account("juliet@capulet.lit").roster().find(bare("romeo@montague.lit")), nullptr);
  }
}

TEST_F(RosterTest, a_write_that_fails_is_an_error_to_wait_and_nobody_gets_a_push) {
  Session& phone = interested("juliet@capulet.lit/phone");
  scene.stage.disk.failing_writes = true;
  scene.says(phone, set_of("<item jid='romeo@montague.lit'/>"));
  EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(HasSubstr("type='error'"), HasSubstr("type='wait'"))));
}

TEST_F(RosterTest, nobody_reads_or_writes_the_roster_of_another) {
  Session& tybalt = scene.bind("tybalt@capulet.lit/x");
  scene.stage.account("juliet@capulet.lit");
  scene.says(tybalt, "<iq type='get' id='g' to='juliet@capulet.lit'><query xmlns='jabber:iq:roster'/></iq>");
  scene.says(tybalt,
             "<iq type='set' id='g' to='juliet@capulet.lit'><query xmlns='jabber:iq:roster'><item "
             "jid='a@b.lit'/></query></iq>");
  EXPECT_THAT(scene.got(tybalt), ElementsAre(HasSubstr("service-unavailable"), HasSubstr("service-unavailable")));
  EXPECT_THAT(scene.stage.account("juliet@capulet.lit").roster().items(), IsEmpty());
}

TEST_F(RosterTest, versioning_is_announced_after_login_only) {
  EXPECT_EQ(scene.stage.stream_features(false).child("ver", "urn:xmpp:features:rosterver"), nullptr);
  EXPECT_NE(scene.stage.stream_features(true).child("ver", "urn:xmpp:features:rosterver"), nullptr);
}

}  // namespace
}  // namespace kith::modules
