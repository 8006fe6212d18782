#include "modules/upload/slot.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kith::modules {
namespace {

TEST(Slot, is_bound_to_all_that_it_is_for) {
  const Secret key("key");
  const Slot slot{.id = "abcd", .name = "a b.png", .bytes = 10, .until = 1000};
  module::HttpRequest request{.query = slot_query(key, slot)};
  const auto read = read_slot(key, "abcd", "a b.png", request);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->bytes, 10U);
  EXPECT_EQ(read->until, 1000);
  EXPECT_FALSE(read_slot(Secret("other"), "abcd", "a b.png", request));
  EXPECT_FALSE(read_slot(key, "abce", "a b.png", request));
  EXPECT_FALSE(read_slot(key, "abcd", "a b.jpg", request));
  for (const auto& [from, to] :
       {std::pair{"size=10", "size=11"}, {"until=1000", "until=1001"}, {"proof=", "proof=A"}}) {
    module::HttpRequest forged{.query = slot_query(key, slot)};
    forged.query.replace(forged.query.find(from), std::string_view(from).size(), to);
    EXPECT_FALSE(read_slot(key, "abcd", "a b.png", forged)) << to;
  }
  EXPECT_FALSE(read_slot(key, "abcd", "a b.png", {}));
}

TEST(CleanName, nothing_of_a_path_stays) {
  EXPECT_EQ(clean_name("../../etc/passwd"), "passwd");
  EXPECT_EQ(clean_name("C:\\secret\\a.png"), "a.png");
  EXPECT_EQ(clean_name(".."), "file");
  EXPECT_EQ(clean_name("a/"), "file");
  EXPECT_EQ(clean_name("a\r\nb"), "a__b");
  EXPECT_EQ(clean_name("très cool.jpg"), "très cool.jpg");
  EXPECT_EQ(clean_name(std::string(300, 'x') + ".jpeg").size(), most_name_bytes);
  EXPECT_TRUE(clean_name(std::string(300, 'x') + ".jpeg").ends_with("x.jpeg"));
}

TEST(MediaType, only_what_is_one) {
  EXPECT_EQ(media_type("Image/PNG; charset=x"), "image/png");
  EXPECT_EQ(media_type("text"), "");
  EXPECT_EQ(media_type("text/html\r\nX: y"), "");
  EXPECT_EQ(media_type("a/b/c"), "");
}

TEST(FileFields, others_keep_a_copy_for_a_day_and_never_for_longer_than_the_file_stays) {
  const auto cache = [](std::chrono::seconds left) {
    for (const module::HttpField& field : file_fields("image/png", "a.png", left)) {
      if (field.name == "Cache-Control") return field.value;
    }
    return std::string();
  };
  EXPECT_EQ(cache(std::chrono::days(30)), "private, max-age=86400, immutable");
  EXPECT_EQ(cache(std::chrono::seconds(90)), "private, max-age=90, immutable");
}

}  // namespace
}  // namespace kith::modules
