#include "modules/bookmarks/lists.h"

#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::element;

const xml::Element item = element(
    "<conference xmlns='urn:xmpp:bookmarks:1' name='The Orchard' autojoin='1'><nick>JC</nick><password>p</password>"
    "<extensions><state xmlns='http://myclient.example/bookmark/state' minimized='true'/></extensions></conference>");
const xml::Element listed = element(
    "<conference xmlns='storage:bookmarks' jid='a@b' name='The Orchard' autojoin='1'><nick>JC</nick>"
    "<password>p</password><state xmlns='http://myclient.example/bookmark/state' minimized='true'/></conference>");

TEST(BookmarkLists, a_room_is_known_by_a_bare_address) {
  EXPECT_EQ(bookmark_key("Orchard@Conference.Shakespeare.lit"), "orchard@conference.shakespeare.lit");
  EXPECT_EQ(bookmark_key("a@b/nick"), std::nullopt);
  EXPECT_EQ(bookmark_key(""), std::nullopt);
  EXPECT_EQ(bookmark_key("a@@b"), std::nullopt);
  EXPECT_EQ(bookmark_key(listed), "a@b");
  EXPECT_EQ(bookmark_key(element("<url xmlns='storage:bookmarks' jid='a@b'/>")), std::nullopt);
  EXPECT_EQ(bookmark_key(element("<conference xmlns='storage:bookmarks'/>")), std::nullopt);
}

TEST(BookmarkLists, both_forms_say_the_same) {
  EXPECT_EQ(listed_bookmark("a@b", item), listed);
  EXPECT_EQ(updated_bookmark(item, listed), item);
}

TEST(BookmarkLists, the_least_bookmark_has_no_name) {
  const xml::Element least = element("<conference xmlns='urn:xmpp:bookmarks:1'/>");
  EXPECT_EQ(listed_bookmark("a@b", least), element("<conference xmlns='storage:bookmarks' jid='a@b'/>"));
  EXPECT_EQ(updated_bookmark(least, element("<conference xmlns='storage:bookmarks' jid='a@b' name='' autojoin='0'/>")),
            least);
}

TEST(BookmarkLists, a_new_item_has_all_that_was_listed) {
  const xml::Element made = updated_bookmark(
      xml::Element("conference", xmpp::ns::bookmarks),
      element("<conference xmlns='storage:bookmarks' jid='a@b' name='n' autojoin='true' x='1'><nick>JC</nick>"
              "<print_status xmlns='gajim'>all</print_status><own/></conference>"));
  EXPECT_EQ(made, element("<conference xmlns='urn:xmpp:bookmarks:1' name='n' autojoin='true' x='1'><nick>JC</nick>"
                          "<extensions><print_status xmlns='gajim'>all</print_status>"
                          "<own xmlns='storage:bookmarks'/></extensions></conference>"));
  // And it comes back as it was.
  EXPECT_EQ(listed_bookmark("a@b", made),
            element("<conference xmlns='storage:bookmarks' jid='a@b' name='n' autojoin='true' x='1'><nick>JC</nick>"
                    "<print_status xmlns='gajim'>all</print_status><own/></conference>"));
}

TEST(BookmarkLists, what_a_list_leaves_out_is_taken_out_but_for_extensions) {
  const xml::Element updated =
      updated_bookmark(item, element("<conference xmlns='storage:bookmarks' jid='a@b' autojoin='false'/>"));
  EXPECT_EQ(updated, element("<conference xmlns='urn:xmpp:bookmarks:1'><extensions><state "
                             "xmlns='http://myclient.example/bookmark/state' minimized='true'/></extensions>"
                             "</conference>"));
}

TEST(BookmarkLists, an_extension_that_a_list_names_becomes_as_it_says) {
  const xml::Element before = element(
      "<conference xmlns='urn:xmpp:bookmarks:1'><extensions><a xmlns='x' v='1'/><b xmlns='x'/></extensions>"
      "</conference>");
  const xml::Element after = element(
      "<conference xmlns='urn:xmpp:bookmarks:1'><extensions><b xmlns='x'/><a xmlns='x' v='2'/></extensions>"
      "</conference>");
  EXPECT_EQ(updated_bookmark(before, element("<conference xmlns='storage:bookmarks' jid='a@b'><a xmlns='x' v='2'/>"
                                             "</conference>")),
            after);
  // Also in the place that XEP-0402 has for it.
  EXPECT_EQ(updated_bookmark(before, element("<conference xmlns='storage:bookmarks' jid='a@b'><extensions "
                                             "xmlns='urn:xmpp:bookmarks:1'><a xmlns='x' v='2'/></extensions>"
                                             "</conference>")),
            after);
}

TEST(BookmarkLists, what_lies_beside_the_extensions_stays_there) {
  const xml::Element beside =
      element("<conference xmlns='urn:xmpp:bookmarks:1'><pinned xmlns='urn:xmpp:bookmarks-pinning:0'/></conference>");
  EXPECT_EQ(updated_bookmark(beside, listed_bookmark("a@b", beside)), beside);
}

}  // namespace
}  // namespace kith::modules
