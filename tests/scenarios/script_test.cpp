#include "script.h"

#include <gtest/gtest.h>

namespace kith::scenario {
namespace {

constexpr std::string_view cast =
    "# Title\n# What it is about\n## slow\n[Client] Romeo\n\tjid: romeo@localhost/orchard\n\tpassword: p\n"
    "[Client] Romeo's phone\n  jid: romeo@localhost\n  resource: mobile\n  connect_host: 127.0.0.1\n-----\n";

Script script_of(std::string_view steps) {
  auto script = parse_script(std::string(cast) + std::string(steps));
  EXPECT_TRUE(script) << script.error();
  return script ? *script : Script{};
}

std::string error_of(std::string_view steps) {
  const auto script = parse_script(std::string(cast) + std::string(steps));
  return script ? "none" : script.error();
}

TEST(Script, the_cast_is_read_with_what_it_says) {
  const Script script = script_of("");
  EXPECT_EQ(script.title, "Title");
  EXPECT_FALSE(script.strict);
  ASSERT_EQ(script.clients.size(), 2U);
  EXPECT_EQ(script.clients[0].jid, "romeo@localhost/orchard");
  EXPECT_EQ(script.clients[0].password, "p");
  EXPECT_EQ(script.clients[1].name, "Romeo's phone");
  EXPECT_EQ(script.clients[1].password, "password");
  EXPECT_EQ(script.clients[1].resource, "mobile");
}

TEST(Script, a_tag_makes_it_strict) { EXPECT_TRUE(parse_script("# Title\n##strict\n")->strict); }

TEST(Script, a_stanza_is_what_is_indented_by_tabs_or_spaces) {
  const Script script =
      script_of("Romeo sends:\n    <presence>\n\t\t<show>away</show>\n\n  </presence>\n# and so on\n");
  ASSERT_EQ(script.steps.size(), 1U);
  EXPECT_EQ(script.steps[0].stanza, "<presence>\n<show>away</show>\n</presence>\n");
  EXPECT_EQ(script.steps[0].line, 12);
}

TEST(Script, nothing_is_expected_with_a_colon_or_without) {
  const Script script = script_of("Romeo receives: nothing\nRomeo's phone receives nothing\n");
  ASSERT_EQ(script.steps.size(), 2U);
  EXPECT_EQ(script.steps[0].kind, Step::Kind::receives_nothing);
  EXPECT_EQ(script.steps[1].kind, Step::Kind::receives_nothing);
  EXPECT_EQ(script.steps[1].client, "Romeo's phone");
}

TEST(Script, what_is_wrong_is_told_with_its_line) {
  EXPECT_EQ(error_of("\tindented\n"), "line 12: an indented line that belongs to nothing");
  EXPECT_EQ(error_of("\nTybalt connects\n"), "line 13: there is no [Client] Tybalt");
  EXPECT_EQ(error_of("Romeo dies\n"), "line 12: not understood: Romeo dies");
  EXPECT_EQ(error_of("wait 5 moons\n"), "line 12: 'moon' is no unit of time");
  EXPECT_EQ(error_of("[Client] Nurse\n-----\n"), "[Client] Nurse has no jid");
  EXPECT_EQ(error_of("[Client] Nurse\n\tjid: localhost\n-----\n"), "localhost is no address of an account");
}

}  // namespace
}  // namespace kith::scenario
