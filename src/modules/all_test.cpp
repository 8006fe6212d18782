#include "modules/all.h"

#include <set>

#include <gtest/gtest.h>

#include "module/testing.h"

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

}  // namespace
}  // namespace kith::modules
