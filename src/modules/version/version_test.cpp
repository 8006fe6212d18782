#include "modules/version/version.h"

#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::element;
using module::testing::error_of;
using module::testing::Stage;

constexpr const char* question = "<iq type='get' id='v' to='capulet.lit'><query xmlns='jabber:iq:version'/></iq>";

TEST(Version, names_the_software_and_no_operating_system) {
  Stage stage;
  stage.use<Version>();
  stage.iq_from("romeo@montague.lit/orchard", question);
  EXPECT_EQ(*stage.answer().payload(),
            element("<query xmlns='jabber:iq:version'><name>Kith</name><version>1.2.3</version></query>"));
}

TEST(Version, can_be_hidden) {
  Stage stage;
  stage.use<Version>({{"hide_version", true}});
  stage.iq_from("romeo@montague.lit/orchard", question);
  const auto reply = stage.answer();
  EXPECT_EQ(reply.payload()->child("name", Version::ns_version)->text(), "Kith");
  ASSERT_NE(reply.payload()->child("version", Version::ns_version), nullptr);
  EXPECT_EQ(reply.payload()->child("version", Version::ns_version)->text(), "");
}

TEST(Version, is_the_servers_not_an_accounts) {
  Stage stage;
  stage.use<Version>();
  auto& juliet = stage.bind("juliet@capulet.lit/balcony");
  stage.iq(juliet, "<iq type='get' id='v'><query xmlns='jabber:iq:version'/></iq>");
  EXPECT_EQ(error_of(stage.answer()), "service-unavailable");
}

}  // namespace
}  // namespace kith::modules
