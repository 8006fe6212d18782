#include "server/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/all.h"
#include "server/settings.h"

namespace kith::server {
namespace {

using testing::HasSubstr;

constexpr module::Descriptor lamp{
    .name = "lamp",
    .summary = "Gives light.",
    .specs = {{.xep = 9999, .version = "1.0 & more", .note = "no <dark>"}, {.xep = 440, .version = "1.0.0"}},
    .settings = {
        {.key = "bright", .type = module::Setting::Type::boolean, .fallback = "true", .help = "This | that."}}};
const std::vector<module::Registration> features{{&lamp, nullptr}};

TEST(ConfigurationReference, has_a_row_for_every_setting) {
  const std::string text = configuration_reference(modules::all());
  for (const ConfigSetting& setting : all_settings(modules::all()))
    EXPECT_THAT(text, HasSubstr("| `" + setting.key + "` |"));
  for (const ConfigSection& section : all_sections(modules::all()))
    EXPECT_THAT(text, HasSubstr("## [" + section.name + "]\n"));
}

TEST(ConfigurationReference, every_setting_stands_in_a_section_that_is_shown) {
  std::set<std::string> sections{""};
  for (const ConfigSection& section : all_sections(modules::all())) sections.insert(section.name);
  for (const ConfigSetting& setting : all_settings(modules::all()))
    EXPECT_TRUE(sections.contains(setting.section)) << setting.name();
}

TEST(ConfigurationReference, escapes_what_would_break_a_table) {
  EXPECT_THAT(configuration_reference(features), HasSubstr("| `bright` | true or false | `true` | This \\| that. |\n"));
}

TEST(SpecificationsReference, lists_the_core_and_the_features_once_each) {
  const std::string text = specifications_reference(features);
  EXPECT_THAT(text, HasSubstr("| [RFC 6120](https://www.rfc-editor.org/info/rfc6120) |  | core |"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "| [XEP-9999](https://xmpp.org/extensions/xep-9999.html) | 1.0 & more | lamp | Gives light. | no <dark> |"));
  EXPECT_THAT(text, HasSubstr("| core, lamp |"));
  EXPECT_EQ(text.find("xep-0440"), text.rfind("xep-0440"));
}

TEST(Doap, tells_versions_and_what_is_partial) {
  const std::string text = doap(features);
  EXPECT_THAT(text, HasSubstr("<implements rdf:resource='https://www.rfc-editor.org/info/rfc7622'/>"));
  EXPECT_THAT(text, HasSubstr("<xmpp:xep rdf:resource='https://xmpp.org/extensions/xep-9999.html'/>\n"
                              "        <xmpp:status>partial</xmpp:status>\n"
                              "        <xmpp:version>1.0 &amp; more</xmpp:version>\n"
                              "        <xmpp:note xml:lang='en'>no &lt;dark&gt;</xmpp:note>"));
  EXPECT_THAT(text, HasSubstr("xep-0368.html'/>\n        <xmpp:status>complete</xmpp:status>"));
}

TEST(Doap, opens_and_closes_its_elements) {
  const std::string text = doap(modules::all());
  const auto count = [&text](std::string_view what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(count("<implements>"), count("</implements>"));
  EXPECT_EQ(count("<xmpp:SupportedXep>"), count("</xmpp:SupportedXep>"));
  EXPECT_GT(count("<xmpp:SupportedXep>"), 5U);
}

}  // namespace
}  // namespace kith::server
