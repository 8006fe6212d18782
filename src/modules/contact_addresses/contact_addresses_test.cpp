#include "modules/contact_addresses/contact_addresses.h"

#include <gtest/gtest.h>

#include "module/testing.h"
#include "xmpp/data_form.h"

namespace kith::modules {
namespace {

using module::testing::Stage;
using Uris = std::vector<std::string>;

class ContactAddressesTest : public testing::Test {
 protected:
  /// What the feature adds to the info of the server, of its node, or of an account.
  std::optional<xmpp::DataForm> form(module::Target target, std::string_view node = {}) {
    xml::Element query("query", xmpp::ns::disco_info);
    module::Account* account = target == module::Target::account ? &stage.account("juliet@capulet.lit") : nullptr;
    module::DiscoInfo event{target, "capulet.lit", account, node, query};
    stage.hooks.run(event);
    const xml::Element* x = query.child("x", xmpp::ns::data_forms);
    return x == nullptr ? std::nullopt : std::optional(xmpp::DataForm::parse(*x).value());
  }
  Stage stage;
};

TEST_F(ContactAddressesTest, xep0157_addresses_stand_in_the_servers_info) {
  stage.use<ContactAddresses>({{"abuse", Uris{"mailto:abuse@capulet.lit", "xmpp:abuse@capulet.lit"}},
                               {"status", Uris{"https://status.capulet.lit"}}});
  const auto found = form(module::Target::server);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->type, "result");
  EXPECT_EQ(found->value("FORM_TYPE"), "http://jabber.org/network/serverinfo");
  EXPECT_EQ(found->field("FORM_TYPE")->type, "hidden");
  EXPECT_EQ(found->field("abuse-addresses")->values, (Uris{"mailto:abuse@capulet.lit", "xmpp:abuse@capulet.lit"}));
  EXPECT_EQ(found->field("status-addresses")->values, Uris{"https://status.capulet.lit"});
  EXPECT_EQ(found->field("sales-addresses"), nullptr);
}

TEST_F(ContactAddressesTest, without_addresses_there_is_no_form) {
  stage.use<ContactAddresses>();
  EXPECT_FALSE(form(module::Target::server));
}

TEST_F(ContactAddressesTest, accounts_and_nodes_do_not_carry_them) {
  stage.use<ContactAddresses>({{"admin", Uris{"xmpp:admin@capulet.lit"}}});
  EXPECT_FALSE(form(module::Target::account));
  EXPECT_FALSE(form(module::Target::server, "music"));
}

TEST_F(ContactAddressesTest, a_reload_changes_them) {
  auto& feature = stage.use<ContactAddresses>({{"admin", Uris{"xmpp:admin@capulet.lit"}}});
  feature.configure(
      module::testing::settings_of(ContactAddresses::descriptor, {{"support", Uris{"xmpp:help@capulet.lit"}}}));
  const auto found = form(module::Target::server);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->field("admin-addresses"), nullptr);
  EXPECT_NE(found->field("support-addresses"), nullptr);
}

}  // namespace
}  // namespace kith::modules
