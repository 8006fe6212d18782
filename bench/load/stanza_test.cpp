#include "stanza.h"

#include <string>

#include <gtest/gtest.h>

namespace kith::bench {
namespace {

TEST(ElementSize, each_kind_of_element_ends_where_it_ends) {
  for (const std::string element : {
           "<presence/>",
           "<message to='a'><body>hi</body></message>",
           "<iq><query><item/><item/></query></iq>",
           "<a><b><c>x</c><c/></b>y</a>",
           "</stream:stream>",
           " \n<presence/>",
           "<?xml version='1.0'?><a></a>",
       }) {
    EXPECT_EQ(element_size(element), element.size()) << element;
    EXPECT_EQ(element_size(element + "<next>"), element.size()) << element;
    for (std::size_t cut = 0; cut < element.size(); ++cut)
      EXPECT_EQ(element_size(element.substr(0, cut)), 0U) << element.substr(0, cut);
  }
}

TEST(Attribute, it_is_read_in_either_kind_of_quotes) {
  EXPECT_EQ(attribute("<message id='m1' to=\"a@b\"><x id='2'/></message>", "id"), "m1");
  EXPECT_EQ(attribute("<message id='m1' to=\"a@b\"><x id='2'/></message>", "to"), "a@b");
}

TEST(Attribute, one_of_a_child_or_with_a_longer_name_is_another) {
  EXPECT_EQ(attribute("<message><x id='2'/></message>", "id"), "");
  EXPECT_EQ(attribute("<message xid='1' my:id='2' ids='3'/>", "id"), "");
  EXPECT_EQ(attribute("<message id='1", "id"), "");
  EXPECT_EQ(attribute("<message id", "id"), "");
}

TEST(LeafText, it_ends_at_the_next_tag) {
  EXPECT_EQ(leaf_text("<bind><jid>a@b/c</jid></bind>", "<jid>"), "a@b/c");
  EXPECT_EQ(leaf_text("<bind/>", "<jid>"), "");
}

}  // namespace
}  // namespace kith::bench
