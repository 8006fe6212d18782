#include "modules/upload/upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/http_file.h"
#include "module/testing.h"

namespace kith::modules {
namespace {

using module::ByteRange;
using module::RangeWish;
using module::read_range;

TEST(ReadRange, parts_of_a_file) {
  ByteRange range;
  EXPECT_EQ(read_range("bytes=2-4", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{2, 3}));
  EXPECT_EQ(read_range("bytes=9-", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{9, 1}));
  EXPECT_EQ(read_range("bytes=-3", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{7, 3}));
  EXPECT_EQ(read_range("bytes=-30", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{0, 10}));
  EXPECT_EQ(read_range("bytes=0-18446744073709551615", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{0, 10}));
  for (const char* none : {"bytes=10-", "bytes=10-12", "bytes=-0", "bytes=18446744073709551615-"}) {
    EXPECT_EQ(read_range(none, 10, range), RangeWish::unsatisfiable) << none;
  }
  for (const char* whole : {"", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,3-4", "bytes=+1-2", "bytes=a-b",
                            "lines=1-2", "bytes=1-99999999999999999999999"}) {
    EXPECT_EQ(read_range(whole, 10, range), RangeWish::whole) << whole;
  }
}

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

}  // namespace
}  // namespace kith::modules
