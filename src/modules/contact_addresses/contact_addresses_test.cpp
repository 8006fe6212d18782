#include "modules/contact_addresses/contact_addresses.h"

#include <gtest/gtest.h>

#include "module/testing.h"
#include "modules/disco/disco.h"
#include "xmpp/data_form.h"

namespace kith::modules {
namespace {

using module::testing::Stage;
using Uris = std::vector<std::string>;

class ContactAddressesTest : public testing::Test {
 protected:
  ContactAddressesTest() { stage.use<Disco>(); }
  std::optional<xmpp::DataForm> form(std::string_view target) {
    stage.iq_from("juliet@capulet.lit/chamber", "<iq type='get' id='d' to='" + std::string(target) +
                                                    "'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    const auto reply = stage.answer();
    const xml::Element* x = reply.payload()->child("x", xmpp::ns::data_forms);
    return x == nullptr ? std::nullopt : std::optional(xmpp::DataForm::parse(*x).value());
  }
  Stage stage;
};

TEST_F(ContactAddressesTest, xep0157_addresses_stand_in_the_servers_info) {
  stage.use<ContactAddresses>({{"abuse", Uris{"mailto:abuse@capulet.lit", "xmpp:abuse@capulet.lit"}},
                               {"status", Uris{"https://status.capulet.lit"}}});
  const auto found = form("capulet.lit");
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
  EXPECT_FALSE(form("capulet.lit"));
}

TEST_F(ContactAddressesTest, accounts_do_not_carry_them) {
  stage.use<ContactAddresses>({{"admin", Uris{"xmpp:admin@capulet.lit"}}});
  stage.account("juliet@capulet.lit");
  EXPECT_FALSE(form("juliet@capulet.lit"));
}

TEST_F(ContactAddressesTest, a_reload_changes_them) {
  auto& feature = stage.use<ContactAddresses>({{"admin", Uris{"xmpp:admin@capulet.lit"}}});
  feature.configure(
      module::testing::settings_of(ContactAddresses::descriptor, {{"support", Uris{"xmpp:help@capulet.lit"}}}));
  const auto found = form("capulet.lit");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->field("admin-addresses"), nullptr);
  EXPECT_NE(found->field("support-addresses"), nullptr);
}

}  // namespace
}  // namespace kith::modules
