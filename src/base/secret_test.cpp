#include "base/secret.h"

#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

namespace kith {
namespace {

TEST(Secret, comparison_sees_every_byte_and_the_length) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
  EXPECT_FALSE(equal_in_constant_time("abc", ""));
  for (std::size_t at = 0; at < 3; ++at) {
    std::string other = "abc";
    other[at] = 'x';
    EXPECT_FALSE(equal_in_constant_time("abc", other));
  }
}

TEST(Secret, wiping_overwrites_the_bytes_and_what_a_longer_value_left_behind_them) {
  std::string bytes = "a long secret that does not fit into the string itself";
  const std::size_t length = bytes.size();
  bytes.resize(3);  // the tail is still in memory
  const char* memory = bytes.data();
  wipe(bytes);
  EXPECT_TRUE(bytes.empty());
  bytes.resize(length, '\0');  // the same memory again
  ASSERT_EQ(bytes.data(), memory);
  EXPECT_EQ(bytes, std::string(length, '\0'));
}

TEST(Secret, keeps_its_bytes_through_copy_and_move) {
  Secret first(std::string("proof"));
  const Secret copy = first;
  EXPECT_EQ(copy.reveal(), "proof");
  EXPECT_TRUE(copy == first);
  const Secret moved = std::move(first);
  EXPECT_EQ(moved.reveal(), "proof");
  Secret assigned;
  EXPECT_TRUE(assigned.empty());
  assigned = moved;
  EXPECT_TRUE(assigned == moved);
  EXPECT_FALSE(assigned == Secret(std::string("proog")));
}

template <class T>
concept printable = requires(std::ostream& out, const T& value) { out << value; };

TEST(Secret, cannot_be_printed_or_turned_into_a_string_by_accident) {
  static_assert(!printable<Secret>);
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  static_assert(!std::is_convertible_v<std::string, Secret>);
}

}  // namespace
}  // namespace kith
