#include "modules/all.h"

#include <set>

#include <gtest/gtest.h>

#include "module/testing.h"
#include "xmpp/caps.h"

namespace kith::modules {
namespace {

TEST(AllFeatures, have_different_names_summaries_and_helpful_settings) {
  std::set<std::string_view> names;
  for (const module::Registration& feature : all()) {
    const module::Descriptor& its = *feature.descriptor;
    EXPECT_TRUE(names.insert(its.name).second) << its.name;
    EXPECT_FALSE(its.summary.empty()) << its.name;
    for (const module::Setting& setting : its.settings) {
      EXPECT_TRUE(setting.help.ends_with('.')) << its.name << "." << setting.key;
      EXPECT_NO_THROW(module::testing::fallback_of(setting)) << its.name << "." << setting.key;
    }
  }
}

TEST(AllFeatures, can_be_attached_together) {
  module::testing::Stage stage;
  for (const module::Registration& feature : all()) stage.use(feature);
  EXPECT_TRUE(stage.faults.empty());
}

TEST(AllFeatures, stand_together_in_an_answer_whose_hash_is_announced) {
  module::testing::Stage stage;
  for (const module::Registration& feature : all()) {
    if (feature.descriptor->name == "contact_addresses") {
      stage.use(feature, {{"abuse", std::vector<std::string>{"mailto:abuse@capulet.lit"}}});
    } else {
      stage.use(feature);
    }
  }
  const xml::Element features = stage.stream_features(true);
  const xml::Element* c = features.child("c", xmpp::ns::caps);
  ASSERT_NE(c, nullptr);
  const std::string node = std::string(c->attribute("node").value()) + "#" + std::string(c->attribute("ver").value());
  stage.iq_from("juliet@capulet.lit/x", "<iq type='get' id='d' to='capulet.lit'><query node='" + node +
                                            "' xmlns='http://jabber.org/protocol/disco#info'/></iq>");
  const xmpp::Stanza reply = stage.answer();
  ASSERT_EQ(reply.type(), xmpp::StanzaType::result);
  EXPECT_EQ(xmpp::caps_hash(*reply.payload()), c->attribute("ver"));
  EXPECT_NE(reply.payload()->child("x", xmpp::ns::data_forms), nullptr);
  std::set<std::string> told;
  reply.payload()->for_each_child([&](const xml::Element& child) {
    if (child.name() == "feature") told.emplace(child.attribute("var").value());
  });
  for (const module::Registration& feature : all()) {
    for (const std::string_view var : feature.descriptor->server_features)
      EXPECT_TRUE(told.contains(std::string(var))) << var;
  }
}

}  // namespace
}  // namespace kith::modules
