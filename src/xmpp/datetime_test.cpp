#include "xmpp/datetime.h"

#include <gtest/gtest.h>

namespace kith::xmpp {
namespace {

using namespace std::chrono_literals;

const WallTime evening = std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 20h;

TEST(Datetime, is_written_in_utc_with_milliseconds_only_if_there_are_some) {
  EXPECT_EQ(format_datetime(evening), "2026-11-23T20:00:00Z");
  EXPECT_EQ(format_datetime(evening + 123ms), "2026-11-23T20:00:00.123Z");
  EXPECT_EQ(format_datetime(evening + 7ms + 999us), "2026-11-23T20:00:00.007Z");
  EXPECT_EQ(format_datetime(evening + 123ms, false), "2026-11-23T20:00:00Z");
  EXPECT_EQ(format_datetime(WallTime{} - 1ms), "1969-12-31T23:59:59.999Z");
}

TEST(Datetime, is_read_back_as_written) {
  for (const WallTime time : {evening, evening + 1ms, WallTime{}, WallTime{} - 5h}) {
    EXPECT_EQ(parse_datetime(format_datetime(time)), time);
  }
}

// XEP-0082 §3.1, examples 1–3: one moment, three ways.
TEST(Datetime, xep0082_examples) {
  const WallTime landing = std::chrono::sys_days{std::chrono::year{1969} / 7 / 21} + 2h + 56min + 15s;
  EXPECT_EQ(parse_datetime("1969-07-21T02:56:15Z"), landing);
  EXPECT_EQ(parse_datetime("1969-07-20T21:56:15-05:00"), landing);
  EXPECT_EQ(parse_datetime("1969-07-21T04:26:15+01:30"), landing);
}

TEST(Datetime, fraction_of_any_length_is_read_to_the_microsecond) {
  EXPECT_EQ(parse_datetime("2026-11-23T20:00:00.5Z"), evening + 500ms);
  EXPECT_EQ(parse_datetime("2026-11-23T20:00:00.000001Z"), evening + 1us);
  EXPECT_EQ(parse_datetime("2026-11-23T20:00:00.000001999999999999999999999999Z"), evening + 1us);
}

TEST(Datetime, leap_second_is_the_next_minute) { EXPECT_EQ(parse_datetime("2026-11-23T19:59:60Z"), evening); }

TEST(Datetime, anything_else_is_refused) {
  for (const char* text : {"",
                           "2026",
                           "2026-11-23",
                           "2026-11-23T20:00:00",
                           "2026-11-23 20:00:00Z",
                           "2026-11-23T20:00:00z",
                           "20261123T20:00:00",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-02-29T00:00:00Z",
                           "2026-11-31T00:00:00Z",
                           "2026-11-23T24:00:00Z",
                           "2026-11-23T20:60:00Z",
                           "2026-11-23T20:00:61Z",
                           "2026-11-23T20:00:00.Z",
                           "2026-11-23T20:00:00Zx",
                           "2026-11-23T20:00:00+1:00",
                           "2026-11-23T20:00:00+24:00",
                           "2026-11-23T20:00:00+01:60",
                           "2026-11-23T20:00:00+0100",
                           "-026-11-23T20:00:00Z",
                           "2026-11-23T20:00:00Z ",
                           " 2026-11-23T20:00:00Z",
                           "+2026-11-23T20:00:00Z",
                           "2026-1-23T20:00:00Z"}) {
    EXPECT_FALSE(parse_datetime(text)) << text;
  }
}

TEST(Datetime, no_prefix_of_one_is_one) {
  const std::string whole = "2026-11-23T20:00:00.123+01:00";
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(parse_datetime(whole.substr(0, size))) << size;
  EXPECT_TRUE(parse_datetime(whole));
}

}  // namespace
}  // namespace kith::xmpp
