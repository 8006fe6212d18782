#include "storage/sqlite/stored_values.h"

#include <gtest/gtest.h>

namespace kith::storage::sqlite {
namespace {

TEST(StoredValues, any_list_of_strings_comes_back) {
  const std::vector<std::vector<std::string>> lists = {
      {}, {""}, {"", ""}, {"a"}, {"1:a"}, {":", "10:", "é\n"}, {std::string("\0", 1), std::string(1000, 'x')}};
  for (const auto& list : lists) EXPECT_EQ(list_from(list_to_column(list)), list);
}

TEST(StoredValues, a_damaged_list_gives_nothing) {
  for (const std::string_view column :
       {"a", ":", "1", "1:", "2:a", "-1:", "1:ab", "1:a1", "99999999999999999999:a", " 1:a", "0x1:a"})
    EXPECT_FALSE(list_from(column)) << column;
}

TEST(StoredValues, a_stored_address_is_taken_as_it_is) {
  EXPECT_EQ(bare_jid_from("alice@example.org")->localpart(), "alice");
  EXPECT_EQ(bare_jid_from("example.org")->domainpart(), "example.org");
  // Not prepared again: this is another profile's spelling, and the key of somebody's account.
  EXPECT_EQ(bare_jid_from("Alice@example.org")->text(), "Alice@example.org");
}

TEST(StoredValues, what_has_not_the_shape_of_an_address_gives_nothing) {
  for (const std::string& text :
       {std::string(), std::string("@"), std::string("@example.org"), std::string("alice@"), std::string("a@b/c"),
        std::string("a@b@c"), std::string("example.org/x"), std::string(1024, 'a'), std::string(1024, 'a') + "@b",
        std::string(70'000, 'a') + "@b"})
    EXPECT_FALSE(bare_jid_from(text)) << text.substr(0, 20);
}

TEST(StoredValues, a_flag_is_zero_or_one) {
  EXPECT_EQ(flag_from(0), false);
  EXPECT_EQ(flag_from(1), true);
  EXPECT_FALSE(flag_from(2));
  EXPECT_FALSE(flag_from(-1));
}

}  // namespace
}  // namespace kith::storage::sqlite
