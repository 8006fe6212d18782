#include "session/saved_session.h"

#include <gtest/gtest.h>

#include "xmpp/namespaces.h"

namespace kith::session {
namespace {

SavedState state() {
  SavedState made{.resource = "balcony",
                  .id_digest = std::string("\0\xff", 2),
                  .resume_time = std::chrono::minutes(10),
                  .asked_time = std::chrono::hours(1),
                  .handled = 4'294'967'295U,
                  .acknowledged = 7,
                  .written = 1,
                  .items = {{.bytes = "<message><body>a &amp; b</body></message>",
                             .when = WallTime(std::chrono::seconds(12)),
                             .answered = false},
                            {.bytes = "<iq/>", .answered = true}},
                  .priority = -5,
                  .interested = true,
                  .directed = {*xmpp::Jid::parse("romeo@localhost/orchard")},
                  .features = {xml::Element("carbons", "urn:x")}};
  made.facts.agent = "an agent's \"id\"";
  return made;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

TEST(SavedSession, comes_back_as_it_was) {
  const std::string text = to_text(state());
  const auto read = from_text(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(to_text(*read), text);
  EXPECT_EQ(read->items[0].bytes, state().items[0].bytes);
  EXPECT_EQ(read->id_digest, state().id_digest);
  EXPECT_EQ(read->facts.agent, state().facts.agent);
}

TEST(SavedSession, that_is_damaged_is_none) {
  const std::string text = to_text(state());
  EXPECT_FALSE(from_text(""));
  EXPECT_FALSE(from_text(text.substr(0, text.size() / 2)));
  const struct {
    const char* what;
    const char* with;
  } cases[] = {
      {"urn:kith:saved-session", "urn:other"},
      {"resource='balcony'", "resource=''"},
      {"id='00ff'", "id='0'"},
      {"id='00ff'", "id=''"},
      {"resume-time='600'", "resume-time='-1'"},
      {"asked-time='3600'", "asked-time='-1'"},
      {"asked-time='3600'", "asked-time='soon'"},
      {"resume-time='600'", "resume-time='9223372036854775807'"},
      {"handled='4294967295'", "handled='4294967296'"},
      {"acknowledged='7'", "acknowledged='x'"},
      {"written='1'", "written='3'"},
      {"priority='-5'", ""},
      {"when='12000000'", "when='9223372036854775807'"},
      {"when='12000000'", "when='-1'"},
      {"since='0'", "since='-9223372036854775808'"},
      {"romeo@localhost/orchard", "@"},
  };
  for (const auto& one : cases) EXPECT_FALSE(from_text(replaced(text, one.what, one.with))) << one.with;
}

}  // namespace
}  // namespace kith::session
