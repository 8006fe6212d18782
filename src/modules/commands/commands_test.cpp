#include "modules/commands/commands.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/disco/disco.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::Scene;

/// A feature that has a command.
class Weather final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{.name = "weather", .summary = "Tells the weather"};
  explicit Weather(const module::ModuleDeps&) {}
  void attach(module::Hooks& hooks) override {
    hooks.on_command("urn:example:weather", "Weather", this, &Weather::tell);
    hooks.on_command("urn:example:storm", "Storm", this, &Weather::refuse);
  }

 private:
  void tell(module::CommandRequest request) { request.result({}, "Fine in " + request.session().jid().text()); }
  void refuse(module::CommandRequest request) { request.fail(xmpp::StanzaError::of(xmpp::Condition::not_acceptable)); }
};

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    scene.stage.use<Disco>();
    scene.stage.use<Weather>();
    scene.stage.use<Commands>();
    desk = &scene.bind("juliet@capulet.lit/desk");
  }
  std::string ask(std::string_view type, const std::string& payload) {
    scene.says(*desk, "<iq id='q' to='capulet.lit' type='" + std::string(type) + "'>" + payload + "</iq>");
    return scene.got(*desk).back();
  }
  std::string run(std::string_view attributes) {
    return ask("set", "<command xmlns='http://jabber.org/protocol/commands' " + std::string(attributes) + "/>");
  }
  std::string outsider(std::string_view type, const std::string& payload) {
    scene.stage.iq_from("romeo@montague.lit/x",
                        "<iq id='q' to='capulet.lit' type='" + std::string(type) + "'>" + payload + "</iq>");
    scene.settle();
    return std::exchange(scene.outside, {}).back();
  }
  static bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

  static constexpr std::string_view list =
      "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>";
  Scene scene;
  Session* desk;
};

TEST_F(CommandsTest, are_listed_and_described) {
  EXPECT_TRUE(has(ask("get", std::string(list)),
                  "<item jid='capulet.lit' node='urn:example:weather' name='Weather'/>"
                  "<item jid='capulet.lit' node='urn:example:storm' name='Storm'/>"));
  EXPECT_TRUE(has(ask("get", "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:example:weather'/>"),
                  "<identity category='automation' type='command-node' name='Weather'/>"
                  "<feature var='http://jabber.org/protocol/commands'/><feature var='jabber:x:data'/>"));
  EXPECT_TRUE(has(ask("get",
                      "<query xmlns='http://jabber.org/protocol/disco#info' "
                      "node='http://jabber.org/protocol/commands'/>"),
                  "<identity category='automation' type='command-list'/>"));
  EXPECT_TRUE(has(ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
                  "<feature var='http://jabber.org/protocol/commands'/>"));
}

TEST_F(CommandsTest, run_in_one_step) {
  const std::string answer = run("node='urn:example:weather'");
  EXPECT_TRUE(
      has(answer, "<command xmlns='http://jabber.org/protocol/commands' node='urn:example:weather' sessionid='"))
      << answer;
  EXPECT_TRUE(has(answer, "status='completed'><note type='info'>Fine in juliet@capulet.lit/desk</note></command>"));
  EXPECT_TRUE(has(run("node='urn:example:weather' action='complete'"), "completed"));
  EXPECT_TRUE(has(run("node='urn:example:storm'"), "<not-acceptable"));
}

TEST_F(CommandsTest, what_makes_no_sense_is_refused) {
  EXPECT_TRUE(has(run("node='urn:example:fog'"), "<item-not-found"));
  EXPECT_TRUE(has(run(""), "<item-not-found"));
  EXPECT_TRUE(has(run("node='urn:example:weather' action='next'"), "<bad-action"));
  EXPECT_TRUE(has(run("node='urn:example:weather' action='fly'"), "<malformed-action"));
  EXPECT_TRUE(has(run("node='urn:example:weather' sessionid='x'"), "<session-expired"));
  EXPECT_TRUE(has(ask("get", "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:example:fog'/>"),
                  "<item-not-found"));
}

TEST_F(CommandsTest, others_see_and_do_nothing) {
  EXPECT_FALSE(has(outsider("get", std::string(list)), "<item "));
  EXPECT_TRUE(has(outsider("get", "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:example:weather'/>"),
                  "<forbidden"));
  EXPECT_TRUE(has(outsider("set", "<command xmlns='http://jabber.org/protocol/commands' node='urn:example:weather'/>"),
                  "<forbidden"));
}

}  // namespace
}  // namespace kith::modules
