#include "modules/carbons/carbons.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/carbons/eligible.h"
#include "modules/delivery/delivery.h"
#include "modules/forgery/forgery.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::error_of;
using module::testing::Scene;
using module::testing::stanza;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* enable = "<iq type='set' id='e'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
constexpr const char* disable = "<iq type='set' id='d'><disable xmlns='urn:xmpp:carbons:2'/></iq>";

class CarbonsTest : public ::testing::Test {
 protected:
  CarbonsTest() {
    scene.stage.use<Forgery>();
    scene.stage.use<Carbons>();
    scene.stage.use<DeliveryFeature>();
    garden = &bind("romeo@capulet.lit/garden", 0);
    home = &bind("romeo@capulet.lit/home", -1);
    juliet = &bind("juliet@capulet.lit/balcony", 0);
    for (Session* session : {garden, home}) scene.says(*session, enable);
    scene.forget_all();
  }
  Session& bind(const std::string& name, int priority) {
    Session& session = scene.bind(name);
    auto presence = stanza("<presence/>");
    presence.set_from(session.jid());
    session.set_presence(presence, priority, {});
    return session;
  }
  Scene scene;
  Session* garden;
  Session* home;
  Session* juliet;
};

TEST_F(CarbonsTest, what_one_client_sends_the_others_see_from_their_own_account) {
  scene.says(*garden, "<message to='juliet@capulet.lit' type='chat' id='1'><body>Hark</body></message>");
  EXPECT_THAT(scene.got(*home),
              ElementsAre(AllOf(HasSubstr("from='romeo@capulet.lit'"), HasSubstr("to='romeo@capulet.lit/home'"),
                                HasSubstr("type='chat'"), HasSubstr("<sent"), HasSubstr("Hark"))));
  EXPECT_THAT(scene.got(*garden), IsEmpty());
  EXPECT_THAT(scene.got(*juliet), SizeIs(1));
}

TEST_F(CarbonsTest, only_who_did_not_get_the_message_gets_a_copy) {
  scene.says(*juliet, "<message to='romeo@capulet.lit' type='chat'><body>Hark</body></message>");
  EXPECT_THAT(scene.got(*garden), ElementsAre(::testing::Not(HasSubstr("<received"))));
  EXPECT_THAT(scene.got(*home), ElementsAre(HasSubstr("<received")));
  scene.says(*juliet, "<message to='romeo@capulet.lit/home' type='chat'><body>Hark</body></message>");
  EXPECT_THAT(scene.got(*garden), ElementsAre(HasSubstr("<received")));
  EXPECT_THAT(scene.got(*home), ElementsAre(::testing::Not(HasSubstr("<received"))));
}

TEST_F(CarbonsTest, no_copies_for_who_has_not_asked_or_does_not_want_them_any_more) {
  scene.says(*home, disable);
  scene.says(*home, disable);
  scene.forget_all();
  scene.says(*juliet, "<message to='romeo@capulet.lit/garden' type='chat'><body>Hark</body></message>");
  EXPECT_THAT(scene.got(*home), IsEmpty());
}

TEST_F(CarbonsTest, a_note_to_oneself_comes_to_each_other_client_once) {
  scene.says(*garden, "<message to='romeo@capulet.lit' type='chat'><body>Milk</body></message>");
  EXPECT_THAT(scene.got(*garden), SizeIs(1));
  EXPECT_THAT(scene.got(*home), ElementsAre(HasSubstr("<received")));
  scene.says(*garden, "<message to='romeo@capulet.lit/home' type='chat'><body>Milk</body></message>");
  EXPECT_THAT(scene.got(*garden), IsEmpty());
  EXPECT_THAT(scene.got(*home), SizeIs(1));
}

TEST_F(CarbonsTest, an_error_is_copied_if_what_it_answers_was) {
  scene.says(*garden, "<message to='juliet@capulet.lit/balcony' type='chat' id='7'><body>Hark</body></message>");
  scene.says(*garden, "<message to='juliet@capulet.lit/balcony' id='8'><quiet xmlns='x'/></message>");
  scene.forget_all();
  const auto refused = [&](const std::string& id) {
    scene.says(*juliet,
               "<message to='romeo@capulet.lit/garden' type='error' id='" + id +
                   "'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
    return scene.got(*home);
  };
  EXPECT_THAT(refused("7"), ElementsAre(AllOf(HasSubstr("<received"), HasSubstr("type='error'"))));
  EXPECT_THAT(refused("8"), IsEmpty());
}

TEST_F(CarbonsTest, a_copy_waits_for_what_the_message_waits_for) {
  const auto ticket = scene.stage.disk.write([] {});
  scene.stage.delivery.route(
      [] {
        auto message = stanza(
            "<message from='x@montague.lit/y' to='romeo@capulet.lit/garden' type='chat'><body>b</body></message>");
        return message;
      }(),
      ticket, {});
  scene.settle();
  const auto& sent = scene.stage.output("romeo@capulet.lit/home").sent;
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent.front().gate.number, ticket.number);
}

TEST_F(CarbonsTest, a_copy_from_elsewhere_is_taken_away_and_not_copied) {
  scene.arrives(
      "<message from='tybalt@montague.lit/x' to='romeo@capulet.lit/garden' type='chat'><received "
      "xmlns='urn:xmpp:carbons:2'>"
      "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>forged</body></message></forwarded>"
      "</received><body>b</body></message>");
  EXPECT_THAT(scene.got(*garden), ElementsAre(::testing::Not(HasSubstr("forged"))));
  EXPECT_THAT(scene.got(*home), ElementsAre(::testing::Not(HasSubstr("forged"))));
}

TEST_F(CarbonsTest, another_account_can_neither_enable_nor_disable) {
  scene.stage.iq(*juliet, "<iq type='set' id='e' to='romeo@capulet.lit'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
  EXPECT_EQ(error_of(scene.stage.answer()), "service-unavailable");
}

TEST(CarbonsEligible, follows_the_rules) {
  struct Case {
    const char* attributes;
    const char* content;
    bool sent;
    bool received;
  };
  const Case cases[] = {
      {"type='chat'", "<body>b</body>", true, true},
      {"type='chat'", "<anything xmlns='x'/>", true, true},
      {"", "<body>b</body>", true, true},
      {"", "<subject>s</subject>", false, false},
      {"type='headline'", "<body>b</body>", false, false},
      {"type='groupchat'", "<body>b</body>", false, false},
      {"type='groupchat'", "<received xmlns='urn:xmpp:receipts' id='1'/>", false, false},
      {"", "<received xmlns='urn:xmpp:receipts' id='1'/>", true, true},
      {"", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", true, true},
      {"", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", true, true},
      {"", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>", true, true},
      {"", "<proceed xmlns='urn:xmpp:jingle-message:0' id='1'/>", true, true},
      {"", "<x xmlns='jabber:x:conference' jid='r@m'/>", true, true},
      {"", "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='a@b'/></x>", true, true},
      {"type='chat'", "<body>pm</body><x xmlns='http://jabber.org/protocol/muc#user'/>", true, false},
      {"type='chat'", "<body>b</body><private xmlns='urn:xmpp:carbons:2'/>", false, false},
      {"type='chat'", "<body>b</body><no-copy xmlns='urn:xmpp:hints'/>", false, false},
      {"", "<event xmlns='http://jabber.org/protocol/pubsub#event'/>", false, false},
  };
  for (const Case& entry : cases) {
    const std::string text =
        std::string("<message from='a@b/c' to='d@e/f' ") + entry.attributes + ">" + entry.content + "</message>";
    EXPECT_EQ(is_eligible_when_sent(stanza(text)), entry.sent) << text;
    EXPECT_EQ(is_eligible_when_received(stanza(text)), entry.received) << text;
  }
}

}  // namespace
}  // namespace kith::modules
