#include "module/archive_id_cipher.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace kith::module {
namespace {

TEST(ArchiveIdCipher, a_text_leads_back_to_its_number_and_to_no_other) {
  const ArchiveIdCipher ids(Secret("the server's"));
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1'900'000'000'000'000},
                                 std::numeric_limits<std::uint64_t>::max()}) {
    const std::string text = ids.text(id);
    EXPECT_EQ(text.size(), 32U);
    EXPECT_EQ(ids.text(id), text);
    EXPECT_EQ(ids.id(text), id);
  }
}

// XEP-0313 §2.1, XEP-0359 §5.
TEST(ArchiveIdCipher, nothing_can_be_read_from_one) {
  const ArchiveIdCipher ids(Secret("the server's"));
  const std::string one = ids.text(1'900'000'000'000'000);
  const std::string next = ids.text(1'900'000'000'000'001);
  std::size_t alike = 0;
  for (std::size_t i = 0; i < one.size(); ++i) alike += one[i] == next[i] ? 1 : 0;
  EXPECT_LT(alike, one.size() / 2) << one << ' ' << next;
  EXPECT_NE(ArchiveIdCipher(Secret("another's")).text(1'900'000'000'000'000), one);
}

TEST(ArchiveIdCipher, what_was_made_up_is_none) {
  const ArchiveIdCipher ids(Secret("the server's"));
  const std::string real = ids.text(7);
  std::string capitals = real;
  for (char& c : capitals) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  ASSERT_NE(capitals, real);
  for (const std::string& made_up :
       {std::string(), std::string("x"), std::string("0000000000000001"), std::string(32, '0'), std::string(32, 'g'),
        real + "0", real.substr(1), capitals, ArchiveIdCipher(Secret("another's")).text(7)}) {
    EXPECT_EQ(ids.id(made_up), std::nullopt) << made_up;
  }
}

}  // namespace
}  // namespace kith::module
