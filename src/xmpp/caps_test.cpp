#include "xmpp/caps.h"

#include <gtest/gtest.h>

#include "xml/stream_parser.h"

namespace kith::xmpp {
namespace {

xml::Element element(std::string_view text) { return xml::parse_element(text).value(); }

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

TEST(Caps, another_hash_of_the_same_text) {
  const auto query = element(complex_example);
  EXPECT_EQ(caps_hash(query, "sha-1"), caps_hash(query));
  ASSERT_TRUE(caps_hash(query, "sha-256"));
  EXPECT_EQ(caps_hash(query, "sha-256")->size(), 44U);
  EXPECT_EQ(caps_hash(query, "md5"), std::nullopt);
}

TEST(Caps, xep0390_simple_example) {
  EXPECT_EQ(caps2_hash(element("<query xmlns='http://jabber.org/protocol/disco#info'>"
                               "<identity category='client' name='BombusMod' type='mobile'/>"
                               "<feature var='http://jabber.org/protocol/si'/>"
                               "<feature var='http://jabber.org/protocol/bytestreams'/>"
                               "<feature var='http://jabber.org/protocol/chatstates'/>"
                               "<feature var='http://jabber.org/protocol/disco#info'/>"
                               "<feature var='http://jabber.org/protocol/disco#items'/>"
                               "<feature var='urn:xmpp:ping'/>"
                               "<feature var='jabber:iq:time'/>"
                               "<feature var='jabber:iq:privacy'/>"
                               "<feature var='jabber:iq:version'/>"
                               "<feature var='http://jabber.org/protocol/rosterx'/>"
                               "<feature var='urn:xmpp:time'/>"
                               "<feature var='jabber:x:oob'/>"
                               "<feature var='http://jabber.org/protocol/ibb'/>"
                               "<feature var='http://jabber.org/protocol/si/profile/file-transfer'/>"
                               "<feature var='urn:xmpp:receipts'/>"
                               "<feature var='jabber:iq:roster'/>"
                               "<feature var='jabber:iq:last'/></query>"),
                       "sha-256"),
            "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=");
}

TEST(Caps, xep0390_refuses_what_it_does_not_know) {
  const auto with = [](std::string_view extra) {
    return element("<query xmlns='http://jabber.org/protocol/disco#info'><feature var='a'/>" + std::string(extra) +
                   "</query>");
  };
  EXPECT_TRUE(caps2_hash(with(""), "sha-256"));
  EXPECT_FALSE(caps2_hash(with(""), "sha-1"));
  EXPECT_FALSE(caps2_hash(with("<other xmlns='urn:x'/>"), "sha-256"));
  EXPECT_FALSE(caps2_hash(with("<x xmlns='jabber:x:data' type='result'><field var='a'/></x>"), "sha-256"));
  EXPECT_FALSE(caps2_hash(with("<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>"
                               "<value>x</value></field><reported/></x>"),
                          "sha-256"));
  EXPECT_TRUE(caps2_hash(with("<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>"
                              "<value>x</value></field></x>"),
                         "sha-256"));
}

}  // namespace
}  // namespace kith::xmpp
