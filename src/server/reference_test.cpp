#include "server/reference.h"

#include <memory>

#include <expat.h>
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

TEST(Doap, is_well_formed) {
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreateNS(nullptr, '|'),
                                                                            &XML_ParserFree);
  int supported = 0;
  XML_SetUserData(parser.get(), &supported);
  XML_SetStartElementHandler(parser.get(), [](void* count, const XML_Char* name, const XML_Char**) {
    if (std::string_view(name) == "https://linkmauve.fr/ns/xmpp-doap#|SupportedXep") ++*static_cast<int*>(count);
  });
  const std::string text = doap(modules::all());
  EXPECT_EQ(XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), 1), XML_STATUS_OK)
      << XML_ErrorString(XML_GetErrorCode(parser.get())) << " in " << text;
  EXPECT_GT(supported, 5);
}

}  // namespace
}  // namespace kith::server
