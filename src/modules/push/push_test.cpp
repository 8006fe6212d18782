#include "modules/push/push.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/commands/commands.h"
#include "modules/delivery/delivery.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::Scene;

class PushTest : public testing::Test {
 protected:
  PushTest() {
    scene.stage.use<DeliveryFeature>();
    scene.stage.use<Push>();
    phone = &scene.bind("juliet@capulet.lit/phone");
    phone->set_presence(module::testing::stanza("<presence/>"), 0, scene.stage.clock.wall());
  }
  std::string ask(const std::string& payload) {
    scene.says(*phone, "<iq type='set' id='q'>" + payload + "</iq>");
    const auto lines = scene.got(*phone);
    return lines.empty() ? std::string() : lines.back();
  }
  std::string enable(std::string_view node = "n", std::string_view form = {}) {
    return ask("<enable xmlns='urn:xmpp:push:0' jid='push.example' node='" + std::string(node) + "'>" +
               std::string(form) + "</enable>");
  }
  /// A message comes; what left for elsewhere.
  std::vector<std::string> message(std::string_view content = "<body>secret words</body>") {
    scene.outside.clear();
    scene.arrives("<message type='chat' from='romeo@montague.lit/x' to='juliet@capulet.lit'>" + std::string(content) +
                  "</message>");
    return scene.outside;
  }
  void answer(const std::string& notification, std::string_view what) {
    const auto sent = module::testing::stanza(notification);
    scene.arrives("<iq type='" + std::string(what.empty() ? "result" : "error") + "' id='" + std::string(sent.id()) +
                  "' from='push.example' to='juliet@capulet.lit'>" + std::string(what) + "</iq>");
  }
  static bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
  static std::string error(std::string_view condition) {
    return "<error type='cancel'><" + std::string(condition) + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
  }

  Scene scene;
  Session* phone;
};

TEST_F(PushTest, who_is_there_is_not_woken_and_who_is_not_is) {
  EXPECT_TRUE(has(enable(), "result"));
  EXPECT_TRUE(message().empty());
  phone->set_hibernating(true);
  const auto sent = message();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(has(sent[0], "to='push.example'"));
  EXPECT_TRUE(has(sent[0], "from='juliet@capulet.lit'"));
  EXPECT_TRUE(has(sent[0], "<publish node='n'><item><notification xmlns='urn:xmpp:push:0'>"));
  scene.ends(*phone);
  scene.outside.clear();
  EXPECT_EQ(message().size(), 2U);  // and the error for who wrote, since nobody keeps it on this stage
}

TEST_F(PushTest, nothing_of_the_message_leaves) {
  enable();
  phone->set_hibernating(true);
  const std::string sent = message()[0];
  EXPECT_FALSE(has(sent, "secret"));
  EXPECT_FALSE(has(sent, "romeo"));
  EXPECT_TRUE(has(sent, "New message"));
}

TEST_F(PushTest, what_nobody_need_look_at_wakes_nobody) {
  enable();
  phone->set_hibernating(true);
  EXPECT_TRUE(message("<composing xmlns='http://jabber.org/protocol/chatstates'/>").empty());
  EXPECT_TRUE(message("<received xmlns='urn:xmpp:receipts' id='1'/>").empty());
  EXPECT_EQ(message("<encrypted xmlns='eu.siacs.conversations.axolotl'/>").size(), 1U);
  EXPECT_EQ(message("<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>").size(), 1U);
}

TEST_F(PushTest, a_session_that_falls_asleep_over_messages_is_woken) {
  enable();
  scene.outside.clear();
  phone->set_hibernating(true);
  module::SessionHibernates nothing{*phone, false};
  scene.stage.hooks.run(nothing);
  scene.settle();
  EXPECT_TRUE(scene.outside.empty());
  module::SessionHibernates event{*phone, true};
  scene.stage.hooks.run(event);
  scene.settle();
  EXPECT_EQ(scene.outside.size(), 1U);
}

TEST_F(PushTest, the_form_of_the_client_goes_along) {
  EXPECT_TRUE(has(enable("n",
                         "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
                         "http://jabber.org/protocol/pubsub#publish-options</value></field>"
                         "<field var='secret'><value>s3</value></field></x>"),
                  "result"));
  phone->set_hibernating(true);
  EXPECT_TRUE(has(message()[0], "<publish-options><x xmlns='jabber:x:data' type='submit'>"));
}

TEST_F(PushTest, it_is_known_after_the_account_was_loaded_again) {
  enable();
  Scene other;
  other.stage.documents.documents = scene.stage.documents.documents;
  other.stage.use<DeliveryFeature>();
  other.stage.use<Push>();
  Session& desk = other.bind("juliet@capulet.lit/desk");
  desk.set_presence(module::testing::stanza("<presence/>"), 0, other.stage.clock.wall());
  other.arrives("<message type='chat' from='romeo@montague.lit/x' to='juliet@capulet.lit'><body>b</body></message>");
  EXPECT_EQ(other.outside.size(), 1U);
}

TEST_F(PushTest, errors_in_a_row_are_counted_over_a_time_in_which_the_account_is_not_in_memory) {
  enable();
  phone->set_hibernating(true);
  for (std::size_t i = 0; i + 1 < Push::most_errors; ++i) {
    scene.stage.clock.advance(std::chrono::minutes(1));
    answer(message()[0], error("remote-server-timeout"));
  }
  Scene other;
  other.stage.documents.documents = scene.stage.documents.documents;
  other.stage.use<DeliveryFeature>();
  other.stage.use<Push>();
  other.bind("juliet@capulet.lit/desk");
  const std::string_view wakes =
      "<message type='chat' from='romeo@montague.lit/x' to='juliet@capulet.lit'><body>b</body></message>";
  other.arrives(wakes);
  ASSERT_FALSE(other.outside.empty());
  const auto sent = module::testing::stanza(other.outside[0]);
  other.arrives("<iq type='error' id='" + std::string(sent.id()) + "' from='push.example' to='juliet@capulet.lit'>" +
                error("remote-server-timeout") + "</iq>");
  other.outside.clear();
  other.arrives(wakes);
  for (const std::string& line : other.outside) EXPECT_FALSE(has(line, "push.example")) << line;
}

TEST_F(PushTest, it_ends_when_the_client_or_the_service_wants_it) {
  enable("a");
  enable("b");
  phone->set_hibernating(true);
  EXPECT_EQ(message().size(), 2U);
  phone->set_hibernating(false);
  EXPECT_TRUE(has(ask("<disable xmlns='urn:xmpp:push:0' jid='push.example' node='a'/>"), "result"));
  EXPECT_TRUE(has(ask("<disable xmlns='urn:xmpp:push:0' jid='push.example' node='a'/>"), "item-not-found"));
  phone->set_hibernating(true);
  const auto sent = message();
  ASSERT_EQ(sent.size(), 1U);
  answer(sent[0], error("item-not-found"));
  EXPECT_TRUE(message().empty());
}

TEST_F(PushTest, errors_in_a_row_end_it_and_a_success_between_does_not) {
  enable();
  phone->set_hibernating(true);
  for (std::size_t i = 0; i + 1 < Push::most_errors; ++i) answer(message()[0], error("remote-server-timeout"));
  answer(message()[0], "");
  for (std::size_t i = 0; i < Push::most_errors; ++i) {
    scene.stage.clock.advance(std::chrono::minutes(1));
    ASSERT_EQ(message().size(), 1U) << i;
    answer(scene.outside[0], error("remote-server-timeout"));
  }
  EXPECT_TRUE(message().empty());
}

TEST_F(PushTest, an_answer_of_somebody_else_ends_nothing) {
  enable();
  phone->set_hibernating(true);
  const auto sent = module::testing::stanza(message()[0]);
  scene.arrives("<iq type='error' id='" + std::string(sent.id()) + "' from='evil.example' to='juliet@capulet.lit'>" +
                error("item-not-found") + "</iq>");
  EXPECT_EQ(message().size(), 1U);
}

TEST_F(PushTest, bad_wishes_are_refused_and_nothing_grows) {
  EXPECT_TRUE(has(ask("<enable xmlns='urn:xmpp:push:0'/>"), "bad-request"));
  EXPECT_TRUE(has(ask("<enable xmlns='urn:xmpp:push:0' jid='romeo@capulet.lit'/>"), "not-acceptable"));
  EXPECT_TRUE(has(enable("n", "<x xmlns='jabber:x:data' type='submit'/>"), "bad-request"));
  EXPECT_TRUE(has(enable(std::string(2000, 'n')), "not-acceptable"));
  for (std::size_t i = 0; i < scene.stage.limits.push_registrations; ++i) {
    EXPECT_TRUE(has(enable(std::to_string(i)), "result"));
  }
  EXPECT_TRUE(has(enable("one more"), "policy-violation"));
  EXPECT_TRUE(has(enable("0"), "result"));
}

TEST_F(PushTest, notifications_have_a_rate) {
  enable();
  phone->set_hibernating(true);
  std::size_t sent = 0;
  for (int i = 0; i < 100; ++i) sent += message().size();
  EXPECT_EQ(sent, 20U);
}

TEST_F(PushTest, what_was_sent_where_is_counted_for_a_week) {
  scene.stage.use<Commands>();
  const std::string command =
      "<command xmlns='http://jabber.org/protocol/commands' node='urn:kith:push:log' action='execute'/>";
  const auto log = [&] {
    scene.says(*phone, "<iq type='set' id='log' to='capulet.lit'>" + command + "</iq>");
    return scene.got(*phone).back();
  };
  EXPECT_TRUE(has(log(), "no push service was told anything"));
  enable();
  phone->set_hibernating(true);
  answer(message()[0], "");
  answer(message()[0], error("remote-server-timeout"));
  phone->set_hibernating(false);
  const std::string shown = log();
  EXPECT_TRUE(has(shown, "status='completed'"));
  EXPECT_TRUE(has(shown,
                  "<field var='service'><value>push.example</value></field><field var='node'><value>n</value>"
                  "</field><field var='sent'><value>2</value></field><field var='refused'><value>1</value>"))
      << shown;
  EXPECT_FALSE(has(shown, "romeo"));

  // Somebody else sees nothing of it.
  Session& nurse = scene.bind("nurse@capulet.lit/kitchen");
  scene.says(nurse, "<iq type='set' id='log' to='capulet.lit'>" + command + "</iq>");
  EXPECT_TRUE(has(scene.got(nurse).back(), "no push service was told anything"));

  scene.stage.clock.advance(std::chrono::days(Push::log_days - 1));
  scene.stage.timers.advance(scene.stage.clock.now());
  scene.settle();
  EXPECT_TRUE(has(log(), "push.example"));
  scene.stage.clock.advance(std::chrono::days(1) + std::chrono::hours(1));
  scene.stage.timers.advance(scene.stage.clock.now());
  scene.settle();
  EXPECT_TRUE(has(log(), "no push service was told anything"));
  scene.stage.disk.failing_reads = true;
  EXPECT_TRUE(has(log(), "<internal-server-error"));
}

TEST_F(PushTest, what_the_disk_refuses_is_not_enabled) {
  scene.stage.disk.failing_writes = true;
  EXPECT_TRUE(has(enable(), "internal-server-error"));
  scene.stage.disk.failing_writes = false;
  phone->set_hibernating(true);
  EXPECT_TRUE(message().empty());
}

}  // namespace
}  // namespace kith::modules
