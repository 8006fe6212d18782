#include "modules/push/room_settings.h"

#include <gtest/gtest.h>

#include "module/testing.h"
#include "xml/stream_parser.h"

namespace kith::modules {
namespace {

RoomSettings settings(const std::string& notify, const std::string& more = "") {
  const auto conference = xml::parse_element(
      "<conference xmlns='urn:xmpp:bookmarks:1' autojoin='1'><nick>Juliet</nick><extensions>" + more +
          "<notify xmlns='urn:xmpp:notification-settings:1'>" + notify + "</notify></extensions></conference>",
      {});
  return RoomSettings::of(*conference);
}

bool mentions(const std::string& content) {
  return modules::mentions(
      module::testing::stanza("<message type='groupchat' from='garden@rooms.x/Romeo' to='juliet@capulet.lit'>" +
                              content + "</message>"),
      "Juliet", xmpp::BareJid::from_stored("juliet@capulet.lit"));
}

TEST(RoomSettings, are_those_of_the_bookmark) {
  const RoomSettings read = settings("<never/>");
  EXPECT_EQ(read.notify, Notify::never);
  EXPECT_EQ(read.nick, "Juliet");
  EXPECT_TRUE(read.autojoin);
  EXPECT_EQ(settings("").notify, Notify::always);
  EXPECT_EQ(settings("<sometimes/><never xmlns='other'/>").notify, Notify::always);
  EXPECT_FALSE(RoomSettings::of(xml::Element("conference", "other")).autojoin);
}

// XEP-0492 "Complex example", "Business Rules"
TEST(RoomSettings, the_setting_that_fits_a_phone_best_counts) {
  const std::string pc = "<never identity-category='client' identity-type='pc'/>";
  const std::string phone = "<on-mention identity-category='client' identity-type='phone'/>";
  EXPECT_EQ(settings(pc + phone + "<on-mention identity-category='gateway'/><always/>").notify, Notify::on_mention);
  EXPECT_EQ(settings(pc + "<always/>").notify, Notify::always);
  EXPECT_EQ(settings("<always/><never identity-category='client'/>").notify, Notify::never);
  EXPECT_EQ(settings("<never identity-category='client'/>" + phone).notify, Notify::on_mention);
  EXPECT_EQ(settings("<never identity-type='phone'/><on-mention/>").notify, Notify::on_mention);
}

TEST(RoomSettings, a_nick_is_mentioned_as_a_word) {
  EXPECT_TRUE(mentions("<body>juliet: come</body>"));
  EXPECT_TRUE(mentions("<body>Where is JULIET?</body>"));
  EXPECT_FALSE(mentions("<body>Juliette</body>"));
  EXPECT_FALSE(mentions("<body>Romeo</body>"));
  EXPECT_TRUE(mentions("<body>juliette, juliet</body>"));
}

TEST(RoomSettings, a_reference_and_a_reply_mention) {
  const auto reference = [](const std::string& uri) {
    return "<body>you</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='" + uri + "'/>";
  };
  EXPECT_TRUE(mentions(reference("xmpp:juliet@capulet.lit")));
  EXPECT_TRUE(mentions(reference("xmpp:garden@rooms.x/Juliet")));
  EXPECT_FALSE(mentions(reference("xmpp:nurse@capulet.lit")));
  EXPECT_FALSE(mentions(reference("https://capulet.lit")));
  EXPECT_TRUE(mentions("<body>yes</body><reply xmlns='urn:xmpp:reply:0' to='garden@rooms.x/Juliet' id='1'/>"));
  EXPECT_FALSE(mentions("<body>yes</body><reply xmlns='urn:xmpp:reply:0' to='garden@rooms.x/Nurse' id='1'/>"));
}

TEST(RoomSettings, what_is_encrypted_may_mention) {
  EXPECT_TRUE(mentions("<body>This is encrypted</body><encryption xmlns='urn:xmpp:eme:0' namespace='x'/>"));
  EXPECT_TRUE(mentions("<encrypted xmlns='eu.siacs.conversations.axolotl'/>"));
}

TEST(RoomSettings, nobody_is_woken_by_himself) {
  const auto said =
      module::testing::stanza("<message type='groupchat' from='garden@rooms.x/Juliet'><body>x</body></message>");
  const auto owner = xmpp::BareJid::from_stored("juliet@capulet.lit");
  EXPECT_FALSE(is_wanted(settings("<always/>"), said, owner, false));
  EXPECT_TRUE(is_wanted(settings("<always/>"), said, owner, true));  // not in the room, so another has the nick
}

}  // namespace
}  // namespace kith::modules
