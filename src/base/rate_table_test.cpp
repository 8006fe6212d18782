#include "base/rate_table.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kith {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
constexpr Rate two_then_one_a_minute{.per_second = 1.0 / 60, .burst = 2};

TEST(RateTable, each_name_has_its_own_rate) {
  ManualClock clock;
  RateTable table(clock, 10);
  EXPECT_TRUE(table.take("a", two_then_one_a_minute));
  EXPECT_TRUE(table.take("a", two_then_one_a_minute));
  EXPECT_FALSE(table.take("a", two_then_one_a_minute));
  EXPECT_TRUE(table.take("b", two_then_one_a_minute));
  clock.advance(minutes(1));
  EXPECT_TRUE(table.take("a", two_then_one_a_minute));
  EXPECT_FALSE(table.take("a", two_then_one_a_minute));
}

TEST(RateTable, debt_is_told_as_a_time_to_wait) {
  ManualClock clock;
  RateTable table(clock, 10);
  EXPECT_EQ(table.take_in_debt("a", two_then_one_a_minute), Duration::zero());
  EXPECT_EQ(table.take_in_debt("a", two_then_one_a_minute), Duration::zero());
  EXPECT_EQ(table.take_in_debt("a", two_then_one_a_minute), Duration(seconds(60)));
  EXPECT_EQ(table.take_in_debt("a", two_then_one_a_minute), Duration(seconds(120)));
  clock.advance(seconds(30));
  EXPECT_EQ(table.debt("a"), Duration(seconds(90)));
  EXPECT_EQ(table.debt("b"), Duration::zero());
  EXPECT_EQ(table.names(), 1U);
}

TEST(RateTable, who_finds_no_place_gets_nothing_until_others_have_recovered) {
  ManualClock clock;
  RateTable table(clock, 3);
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(table.take(name, two_then_one_a_minute));
  EXPECT_FALSE(table.take("d", two_then_one_a_minute));
  EXPECT_TRUE(table.take("a", two_then_one_a_minute));  // who has a place keeps it
  clock.advance(minutes(1));                            // "a" needs one more
  EXPECT_TRUE(table.take("d", two_then_one_a_minute));
  EXPECT_EQ(table.names(), 2U);
  EXPECT_TRUE(table.take("a", two_then_one_a_minute));
  EXPECT_FALSE(table.take("a", two_then_one_a_minute));
}

TEST(RateTable, who_is_only_slowed_down_pushes_the_oldest_out) {
  ManualClock clock;
  RateTable table(clock, 2);
  constexpr Rate one{.per_second = 1, .burst = 1};
  table.take_in_debt("a", one);
  table.take_in_debt("b", one);
  table.take_in_debt("a", one);
  table.take_in_debt("c", one);  // "b" is the one that was used least recently
  EXPECT_EQ(table.names(), 2U);
  EXPECT_EQ(table.take_in_debt("a", one), Duration(seconds(2)));
  EXPECT_EQ(table.take_in_debt("b", one), Duration::zero());
}

TEST(RateTable, many_threads_take_no_more_than_there_is) {
  ManualClock clock;
  RateTable table(clock, 10);
  std::atomic<int> taken = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) taken += table.take("a", {.per_second = 0, .burst = 100}) ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(taken, 100);
}

}  // namespace
}  // namespace kith
