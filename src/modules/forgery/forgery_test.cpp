#include "modules/forgery/forgery.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/delivery/delivery.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::Scene;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ForgeryTest : public ::testing::Test {
 protected:
  ForgeryTest() {
    scene.stage.use<Forgery>();
    scene.stage.use<DeliveryFeature>();
  }
  std::string through(const std::string& child, const std::string& from = "romeo@montague.lit/orchard") {
    Session& session = scene.stage.account("juliet@capulet.lit").session("phone") != nullptr
                           ? *scene.stage.account("juliet@capulet.lit").session("phone")
                           : scene.bind("juliet@capulet.lit/phone");
    scene.arrives("<message from='" + from + "' to='juliet@capulet.lit/phone'><body>hark</body>" + child +
                  "<last xmlns='x'/></message>");
    const auto lines = scene.got(session);
    return lines.empty() ? "" : lines.front();
  }
  Scene scene;
};

TEST_F(ForgeryTest, takes_away_what_only_the_server_may_add) {
  for (const char* child : {
           "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></received>",
           "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></sent>",
           "<result xmlns='urn:xmpp:mam:2' id='1'><forwarded xmlns='urn:xmpp:forward:0'/></result>",
           "<fin xmlns='urn:xmpp:mam:2'/>",
           "<result xmlns='urn:xmpp:mam:1' id='1'/>",
           "<fin xmlns='urn:xmpp:mam:0'/>",
           "<archived xmlns='urn:xmpp:mam:tmp' by='juliet@capulet.lit' id='1'/>",
           "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.lit' id='1'/>",
           "<stanza-id xmlns='urn:xmpp:sid:0' by='JULIET@Capulet.LIT' id='1'/>",
           "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.lit/phone' id='1'/>",
           "<stanza-id xmlns='urn:xmpp:sid:0' by='capulet.lit' id='1'/>",
           "<delay xmlns='urn:xmpp:delay' from='capulet.lit' stamp='2002-09-10T23:08:25Z'/>",
           "<delay xmlns='urn:xmpp:delay' from='juliet@capulet.lit' stamp='2002-09-10T23:08:25Z'/>",
           "<x xmlns='jabber:x:delay' from='capulet.lit' stamp='20020910T23:08:25'/>",
       }) {
    SCOPED_TRACE(child);
    const std::string name = std::string(child).substr(0, std::string(child).find(' '));
    EXPECT_THAT(through(child), AllOf(HasSubstr("<body>hark</body><last"), Not(HasSubstr(name))));
    EXPECT_THAT(through(std::string(child) + child), AllOf(HasSubstr("<body>hark</body><last"), Not(HasSubstr(name))));
  }
}

TEST_F(ForgeryTest, leaves_what_others_may_say) {
  for (const char* child : {
           "<private xmlns='urn:xmpp:carbons:2'/>",
           "<stanza-id xmlns='urn:xmpp:sid:0' by='room@chat.montague.lit' id='1'/>",
           "<stanza-id xmlns='urn:xmpp:sid:0' by='nurse@capulet.lit' id='1'/>",
           "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>",
           "<delay xmlns='urn:xmpp:delay' from='montague.lit' stamp='2002-09-10T23:08:25Z'/>",
           "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>",
           "<x xmlns='jabber:x:oob'/>",
       }) {
    SCOPED_TRACE(child);
    const std::string name = std::string(child).substr(0, std::string(child).find(' '));
    EXPECT_THAT(through(child), HasSubstr(name));
  }
}

TEST_F(ForgeryTest, another_client_of_the_same_account_may_not_either) {
  EXPECT_THAT(through("<received xmlns='urn:xmpp:carbons:2'/>", "juliet@capulet.lit/desk"), Not(HasSubstr("received")));
}

TEST_F(ForgeryTest, the_account_itself_may) {
  EXPECT_THAT(through("<result xmlns='urn:xmpp:mam:2' id='1'/>", "juliet@capulet.lit"), HasSubstr("result"));
}

TEST_F(ForgeryTest, what_a_client_sends_is_cleaned_before_it_leaves) {
  Session& session = scene.bind("juliet@capulet.lit/phone");
  scene.says(session,
             "<message to='romeo@montague.lit'><body>hark</body><received xmlns='urn:xmpp:carbons:2'/>"
             "<delay xmlns='urn:xmpp:delay' from='capulet.lit' stamp='2002-09-10T23:08:25Z'/></message>");
  EXPECT_THAT(scene.outside,
              ElementsAre(AllOf(HasSubstr("hark"), Not(HasSubstr("received")), Not(HasSubstr("delay")))));
}

// XEP-0313 "MUC archives": an answer comes from whom a client has asked, to that client; nothing else passes for one.
TEST_F(ForgeryTest, an_answer_of_another_archive_reaches_only_who_has_asked_it) {
  const std::string result = "<result xmlns='urn:xmpp:mam:2' id='1'/>";
  Session& phone = scene.bind("juliet@capulet.lit/phone");
  Session& laptop = scene.bind("juliet@capulet.lit/laptop");
  const auto arrives = [&](const std::string& from, const Session& to) {
    scene.arrives("<message from='" + from + "' to='" + to.jid().text() + "'><body>hark</body>" + result +
                  "</message>");
    const auto lines = scene.got(to);
    return lines.empty() ? std::string() : lines.front();
  };
  EXPECT_THAT(arrives("coven@rooms.shakespeare.lit", phone), Not(HasSubstr("result")));
  scene.says(phone, "<iq type='set' id='q' to='coven@rooms.shakespeare.lit'><query xmlns='urn:xmpp:mam:2'/></iq>");
  EXPECT_THAT(arrives("coven@rooms.shakespeare.lit", phone), HasSubstr("result"));
  EXPECT_THAT(arrives("coven@rooms.shakespeare.lit", laptop), Not(HasSubstr("result")));
  EXPECT_THAT(arrives("coven@rooms.shakespeare.lit/hag", phone), Not(HasSubstr("result")));
  EXPECT_THAT(arrives("cave@rooms.shakespeare.lit", phone), Not(HasSubstr("result")));
  // Asking one's own account entitles nobody else.
  scene.says(laptop, "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>");
  EXPECT_THAT(arrives("coven@rooms.shakespeare.lit", laptop), Not(HasSubstr("result")));
  // The oldest of very many is forgotten.
  for (std::size_t i = 0; i < Forgery::most_asked; ++i) {
    scene.says(phone, "<iq type='set' id='q' to='room" + std::to_string(i) +
                          "@rooms.shakespeare.lit'><query xmlns='urn:xmpp:mam:2'/></iq>");
  }
  EXPECT_THAT(arrives("coven@rooms.shakespeare.lit", phone), Not(HasSubstr("result")));
}

}  // namespace
}  // namespace kith::modules
