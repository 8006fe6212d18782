#include "base/token_bucket.h"

#include <gtest/gtest.h>

namespace kith {
namespace {

using namespace std::chrono_literals;

TEST(TokenBucket, gives_the_burst_at_once_and_then_the_rate) {
  ManualClock clock;
  TokenBucket bucket({.per_second = 2, .burst = 3}, clock.now());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(1, clock.now()));
  EXPECT_FALSE(bucket.take(1, clock.now()));
  clock.advance(499ms);
  EXPECT_FALSE(bucket.take(1, clock.now()));
  clock.advance(1ms);
  EXPECT_TRUE(bucket.take(1, clock.now()));
  EXPECT_FALSE(bucket.take(1, clock.now()));
}

TEST(TokenBucket, never_holds_more_than_the_burst) {
  ManualClock clock;
  TokenBucket bucket({.per_second = 100, .burst = 5}, clock.now());
  EXPECT_TRUE(bucket.full(clock.now()));
  EXPECT_TRUE(bucket.take(5, clock.now()));
  EXPECT_FALSE(bucket.full(clock.now()));
  clock.advance(1h);
  EXPECT_TRUE(bucket.full(clock.now()));
  EXPECT_FALSE(bucket.take(5.5, clock.now()));
  EXPECT_TRUE(bucket.take(5, clock.now()));
}

TEST(TokenBucket, a_refused_take_costs_nothing) {
  ManualClock clock;
  TokenBucket bucket({.per_second = 1, .burst = 3}, clock.now());
  EXPECT_FALSE(bucket.take(4, clock.now()));
  EXPECT_TRUE(bucket.take(3, clock.now()));
}

TEST(TokenBucket, debt_says_how_long_to_wait_until_it_is_paid) {
  ManualClock clock;
  TokenBucket bucket({.per_second = 10, .burst = 10}, clock.now());
  EXPECT_EQ(bucket.take_in_debt(10, clock.now()), 0s);
  EXPECT_EQ(bucket.take_in_debt(5, clock.now()), 500ms);
  EXPECT_EQ(bucket.take_in_debt(5, clock.now()), 1s);
  clock.advance(1s);
  EXPECT_EQ(bucket.take_in_debt(0, clock.now()), 0s);
  EXPECT_FALSE(bucket.take(1, clock.now()));
}

TEST(TokenBucket, an_earlier_time_takes_nothing_away) {
  ManualClock clock;
  clock.advance(10s);
  TokenBucket bucket({.per_second = 1, .burst = 1}, clock.now());
  EXPECT_TRUE(bucket.take(1, clock.now() - 5s));
  clock.advance(1s);
  EXPECT_TRUE(bucket.take(1, clock.now()));
}

}  // namespace
}  // namespace kith
