#include "xmpp/rsm.h"

#include <gtest/gtest.h>

#include "xml/stream_parser.h"
#include "xml/writer.h"

namespace kith::xmpp {
namespace {

std::expected<PageRequest, StanzaError> asked(const std::string& inside) {
  return PageRequest::of(xml::parse_element("<query xmlns='urn:q'>" + inside + "</query>").value());
}
std::expected<PageRequest, StanzaError> set(const std::string& inside) {
  return asked("<set xmlns='http://jabber.org/protocol/rsm'>" + inside + "</set>");
}

TEST(PageRequest, without_a_set_nothing_in_particular_is_asked_for) {
  for (const auto& page : {asked(""), asked("<set xmlns='urn:other'><max>x</max></set>"), set("")}) {
    ASSERT_TRUE(page);
    EXPECT_FALSE(page->max || page->after || page->before);
  }
}

TEST(PageRequest, says_how_many_and_from_where) {
  EXPECT_EQ(set("<max>10</max><after>09af3-cc343-b409f</after>")->max, 10U);
  EXPECT_EQ(set("<max>10</max><after>09af3-cc343-b409f</after>")->after, "09af3-cc343-b409f");
  EXPECT_EQ(set("<before/>")->before, "");
  EXPECT_EQ(set("<before>a</before>")->before, "a");
  EXPECT_EQ(set("<max>0</max>")->max, 0U);
}

TEST(PageRequest, an_absurd_number_is_as_many_as_there_may_be) {
  EXPECT_EQ(set("<max>99999999999999999999999999</max>")->max, UINT64_MAX);
}

TEST(PageRequest, what_cannot_be_meant_is_refused) {
  for (const char* inside : {"<max/>", "<max>-1</max>", "<max>ten</max>", "<max>1 </max>", "<max>1e3</max>", "<after/>",
                             "<after>a</after><before>b</before>"}) {
    const auto page = set(inside);
    ASSERT_FALSE(page) << inside;
    EXPECT_EQ(page.error().condition, Condition::bad_request) << inside;
  }
  EXPECT_EQ(set("<index>3</index>").error().condition, Condition::feature_not_implemented);
  EXPECT_FALSE(asked("<set xmlns='http://jabber.org/protocol/rsm'/><set xmlns='http://jabber.org/protocol/rsm'/>"));
}

TEST(PageElement, names_its_ends_unless_it_is_empty) {
  EXPECT_EQ(xml::to_string(page_element("a", "b", 3)),
            "<set xmlns='http://jabber.org/protocol/rsm'><first>a</first><last>b</last><count>3</count></set>");
  EXPECT_EQ(xml::to_string(page_element("", "")), "<set xmlns='http://jabber.org/protocol/rsm'/>");
}

}  // namespace
}  // namespace kith::xmpp
