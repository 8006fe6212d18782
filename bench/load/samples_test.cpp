#include "samples.h"

#include <gtest/gtest.h>

namespace kith::bench {
namespace {

TEST(Samples, a_percentile_is_a_value_that_was_measured) {
  Samples samples;
  for (int i = 1000; i >= 1; --i) samples.add(i);
  EXPECT_EQ(samples.percentile(0.5), 500);
  EXPECT_EQ(samples.percentile(0.99), 990);
  EXPECT_EQ(samples.percentile(0.999), 999);
  EXPECT_EQ(samples.percentile(1), 1000);
  EXPECT_EQ(samples.percentile(0), 1);
}

TEST(Samples, one_slow_event_in_few_is_the_tail) {
  Samples samples;
  for (int i = 0; i < 9; ++i) samples.add(1);
  samples.add(50);
  EXPECT_EQ(samples.percentile(0.9), 1);
  EXPECT_EQ(samples.percentile(0.99), 50);
}

TEST(Samples, without_any_there_is_no_tail) {
  Samples samples;
  EXPECT_EQ(samples.percentile(0.99), 0);
  samples.add(3);
  samples.clear();
  EXPECT_EQ(samples.percentile(0.99), 0);
}

}  // namespace
}  // namespace kith::bench
