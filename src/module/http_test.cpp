#include "module/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kith::module {
namespace {

using testing::Eq;
using testing::Optional;

TEST(HttpDate, is_written_as_the_rfc_has_it) {
  using namespace std::chrono;
  const WallTime time = sys_days(year(1994) / 11 / 6) + hours(8) + minutes(49) + seconds(37);
  EXPECT_EQ(format_http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_THAT(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Optional(time));
  for (const char* bad :
       {"", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun  06 Nov 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(bad)) << bad;
  }
}

TEST(FormParameter, is_found_and_decoded) {
  EXPECT_THAT(form_parameter("a=1&b=x+y%26&c", "b"), Optional(Eq("x y&")));
  EXPECT_THAT(form_parameter("a=1&c", "c"), Optional(Eq("")));
  EXPECT_FALSE(form_parameter("ab=1", "b"));
  EXPECT_FALSE(form_parameter("a=%zz", "a"));
  EXPECT_FALSE(form_parameter("a=%ff", "a"));
}

TEST(PercentEncode, only_what_is_unreserved_stays) {
  EXPECT_EQ(percent_encode("Aé /.~"), "A%C3%A9%20%2F.~");
  EXPECT_THAT(percent_decode(percent_encode("a+b c")), Optional(Eq("a+b c")));
}

}  // namespace
}  // namespace kith::module
