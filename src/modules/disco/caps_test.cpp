#include "modules/disco/caps.h"

#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::element;

TEST(Caps, xep0115_simple_generation_example) {
  EXPECT_EQ(caps_hash(element("<query xmlns='http://jabber.org/protocol/disco#info'>"
                              "<identity category='client' name='Exodus 0.9.1' type='pc'/>"
                              "<feature var='http://jabber.org/protocol/muc'/>"
                              "<feature var='http://jabber.org/protocol/caps'/>"
                              "<feature var='http://jabber.org/protocol/disco#items'/>"
                              "<feature var='http://jabber.org/protocol/disco#info'/></query>")),
            "QgayPKawpkPSDYmwT/WM94uAlu0=");
}

constexpr const char* complex_example =
    "<query xmlns='http://jabber.org/protocol/disco#info'>"
    "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>"
    "<identity xml:lang='el' category='client' name='\u03a8 0.11' type='pc'/>"
    "<feature var='http://jabber.org/protocol/caps'/>"
    "<feature var='http://jabber.org/protocol/disco#info'/>"
    "<feature var='http://jabber.org/protocol/disco#items'/>"
    "<feature var='http://jabber.org/protocol/muc'/>"
    "<x xmlns='jabber:x:data' type='result'>"
    "<field var='software_version'><value>0.11</value></field>"
    "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>"
    "<field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>"
    "<field var='os'><value>Mac</value></field>"
    "<field var='os_version'><value>10.5.1</value></field>"
    "<field var='software'><value>Psi</value></field>"
    "</x></query>";

TEST(Caps, xep0115_complex_generation_example_in_another_order) {
  EXPECT_EQ(caps_hash(element(complex_example)), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
}

TEST(Caps, a_form_without_hidden_form_type_is_left_out) {
  auto query = element(complex_example);
  query.add(element("<x xmlns='jabber:x:data' type='result'><field var='a'><value>b</value></field></x>"));
  query.add(element("<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>b</value></field></x>"));
  EXPECT_EQ(caps_hash(query), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
}

TEST(Caps, what_stands_there_twice_is_ill_formed) {
  auto feature = element(complex_example);
  feature.add(element("<feature xmlns='http://jabber.org/protocol/disco#info' var='http://jabber.org/protocol/muc'/>"));
  EXPECT_EQ(caps_hash(feature), std::nullopt);

  auto identity = element(complex_example);
  identity.add(
      element("<identity xmlns='http://jabber.org/protocol/disco#info' xml:lang='en' category='client' "
              "name='Psi 0.11' type='pc'/>"));
  EXPECT_EQ(caps_hash(identity), std::nullopt);

  auto form = element(complex_example);
  form.add(
      element("<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>"
              "<value>urn:xmpp:dataforms:softwareinfo</value></field></x>"));
  EXPECT_EQ(caps_hash(form), std::nullopt);
}

TEST(Caps, a_form_type_with_two_values_is_ill_formed) {
  const auto query = element(
      "<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data' type='result'>"
      "<field var='FORM_TYPE' type='hidden'><value>a</value><value>b</value></field></x></query>");
  EXPECT_EQ(caps_hash(query), std::nullopt);
}

TEST(Caps, an_escaped_bracket_is_not_unescaped_again) {
  // XEP-0115 §5.1: or one could claim by a name what is no feature.
  const auto honest = element(
      "<query xmlns='http://jabber.org/protocol/disco#info'>"
      "<identity category='client' type='pc' name='A'/><feature var='f'/></query>");
  const auto trick = element(
      "<query xmlns='http://jabber.org/protocol/disco#info'>"
      "<identity category='client' type='pc' name='A&amp;lt;f'/></query>");
  EXPECT_NE(caps_hash(honest), caps_hash(trick));
}

}  // namespace
}  // namespace kith::modules
