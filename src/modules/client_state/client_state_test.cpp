#include "modules/client_state/client_state.h"

#include <string>
#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing.h"
#include "module/urgency.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::element;
using module::testing::Stage;
using module::testing::stanza;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ClientStateTest : public ::testing::Test {
 protected:
  ClientStateTest() {
    stage.use<ClientState>();
    phone = &stage.bind("juliet@capulet.lit/phone");
  }
  bool says(const std::string& text) {
    const xml::Element said = element(text);
    module::NonzaFromClient event{*phone, said};
    return std::holds_alternative<module::Done>(stage.hooks.run(event));
  }
  void gets(const std::string& text) { phone->send(stanza(text)); }
  std::vector<std::string> got() {
    std::vector<std::string> ids;
    for (const auto& sent : std::exchange(stage.output("juliet@capulet.lit/phone").sent, {}))
      ids.emplace_back(sent.stanza.id());
    return ids;
  }
  Stage stage;
  Session* phone;
};

TEST_F(ClientStateTest, is_offered_after_login) {
  EXPECT_EQ(stage.stream_features(false).child("csi", ClientState::ns_csi), nullptr);
  EXPECT_NE(stage.stream_features(true).child("csi", ClientState::ns_csi), nullptr);
}

TEST_F(ClientStateTest, knows_its_two_words_and_no_other) {
  EXPECT_TRUE(says("<inactive xmlns='urn:xmpp:csi:0'/>"));
  EXPECT_TRUE(says("<inactive xmlns='urn:xmpp:csi:0'/>"));
  EXPECT_TRUE(says("<active xmlns='urn:xmpp:csi:0'/>"));
  EXPECT_TRUE(says("<active xmlns='urn:xmpp:csi:0'/>"));
  EXPECT_FALSE(says("<sleepy xmlns='urn:xmpp:csi:0'/>"));
  EXPECT_FALSE(says("<inactive xmlns='urn:xmpp:csi:1'/>"));
}

TEST_F(ClientStateTest, what_can_wait_comes_when_the_client_is_active_and_only_the_newest_presence_of_each) {
  says("<inactive xmlns='urn:xmpp:csi:0'/>");
  gets("<presence id='1' from='a@b/c'/>");
  gets("<presence id='2' from='a@b/d'/>");
  gets("<presence id='3' from='a@b/c' type='unavailable'/>");
  gets("<message id='4' from='a@b/c' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
  EXPECT_THAT(got(), IsEmpty());
  says("<active xmlns='urn:xmpp:csi:0'/>");
  EXPECT_THAT(got(), ElementsAre("2", "3"));
  gets("<presence id='5' from='a@b/c'/>");
  EXPECT_THAT(got(), ElementsAre("5"));
}

TEST_F(ClientStateTest, what_is_urgent_comes_at_once_after_what_came_before_it) {
  says("<inactive xmlns='urn:xmpp:csi:0'/>");
  gets("<presence id='1' from='a@b/c'/>");
  gets("<message id='2' from='a@b/c' type='chat'><body>Hark</body></message>");
  EXPECT_THAT(got(), ElementsAre("1", "2"));
  gets("<presence id='3' from='a@b/c'/>");
  EXPECT_THAT(got(), IsEmpty());
}

TEST_F(ClientStateTest, what_is_held_is_bounded_in_number_and_size) {
  stage.limits.held_stanzas = 3;
  says("<inactive xmlns='urn:xmpp:csi:0'/>");
  for (int i = 0; i < 4; ++i) gets("<presence from='a@b/" + std::to_string(i) + "'/>");
  EXPECT_THAT(got(), SizeIs(4));
  stage.limits.held_bytes = 100;
  gets("<presence from='a@b/c'><status>" + std::string(200, 'x') + "</status></presence>");
  EXPECT_THAT(got(), SizeIs(1));
}

TEST(Urgency, of_what_an_inactive_client_gets) {
  struct Case {
    const char* text;
    module::Urgency expected;
  };
  const Case cases[] = {
      {"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", module::Urgency::now},
      {"<presence from='a@b/c'/>", module::Urgency::presence},
      {"<presence from='a@b/c' type='unavailable'/>", module::Urgency::presence},
      {"<presence from='a@b' type='subscribe'/>", module::Urgency::now},
      {"<presence from='a@b' type='error'/>", module::Urgency::now},
      {"<presence from='r@m/j'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>",
       module::Urgency::now},
      {"<message type='chat'><body>b</body></message>", module::Urgency::now},
      {"<message><body>b</body></message>", module::Urgency::now},
      {"<message type='groupchat'><body>b</body></message>", module::Urgency::now},
      {"<message type='groupchat'><subject>s</subject></message>", module::Urgency::hold},
      {"<message type='error'/>", module::Urgency::now},
      {"<message><received xmlns='urn:xmpp:receipts' id='1'/><delay xmlns='urn:xmpp:delay'/></message>",
       module::Urgency::now},
      {"<message type='chat'><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>", module::Urgency::now},
      {"<message><propose xmlns='urn:xmpp:jingle-message:0' id='1'/></message>", module::Urgency::now},
      {"<message><result xmlns='urn:xmpp:mam:2'/></message>", module::Urgency::now},
      {"<message type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/><thread>1</thread></message>",
       module::Urgency::drop},
      {"<message type='chat'><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"
       "<active xmlns='http://jabber.org/protocol/chatstates'/></message>",
       module::Urgency::hold},
      {"<message><received xmlns='urn:xmpp:receipts' id='1'/></message>", module::Urgency::hold},
      {"<message type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'/></message>",
       module::Urgency::hold},
      {"<message><event xmlns='http://jabber.org/protocol/pubsub#event'/></message>", module::Urgency::hold},
      {"<message type='chat'><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
       "<message xmlns='jabber:client' type='chat'><body>b</body></message></forwarded></sent></message>",
       module::Urgency::now},
      {"<message type='chat'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
       "<message xmlns='jabber:client' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
       "</forwarded></received></message>",
       module::Urgency::drop},
  };
  for (const Case& entry : cases) EXPECT_EQ(module::judge_urgency(stanza(entry.text)), entry.expected) << entry.text;
}

}  // namespace
}  // namespace kith::modules
