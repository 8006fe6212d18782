#include "runtime/manual_loop.h"

#include <string>

#include <gtest/gtest.h>

namespace kith::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(ManualLoop, runs_tasks_in_order_and_those_that_they_post) {
  ManualLoop loop;
  std::string order;
  loop.post([&] {
    order += 'a';
    loop.post([&] { order += 'c'; });
  });
  loop.post([&] { order += 'b'; });
  EXPECT_EQ(order, "");
  EXPECT_EQ(loop.run_until_idle(), 3U);
  EXPECT_EQ(order, "abc");
  EXPECT_FALSE(loop.run_one());
}

TEST(ManualLoop, time_stands_still_until_it_is_advanced) {
  ManualLoop loop;
  int fired = 0;
  Timer timer([&] { ++fired; });
  loop.timers().schedule(timer, seconds(5));
  loop.run_until_idle();
  loop.advance(milliseconds(4900));
  EXPECT_EQ(fired, 0);
  loop.advance(milliseconds(200));
  EXPECT_EQ(fired, 1);
}

TEST(ManualLoop, time_outs_on_the_way_fire_at_their_own_time_and_in_order) {
  ManualLoop loop;
  const MonotonicTime start = loop.clock().now();
  std::vector<std::pair<int, Duration>> fired;
  Timer one([&] { fired.emplace_back(1, loop.clock().now() - start); });
  Timer two([&] {
    fired.emplace_back(2, loop.clock().now() - start);
    loop.post([&] { loop.timers().schedule(one, seconds(10)); });
  });
  loop.timers().schedule(two, minutes(20));
  loop.timers().schedule(one, seconds(3));
  loop.advance(minutes(60));
  ASSERT_EQ(fired.size(), 3U);
  EXPECT_EQ(fired[0], std::make_pair(1, Duration(seconds(3))));
  EXPECT_EQ(fired[1], std::make_pair(2, Duration(minutes(20))));
  EXPECT_EQ(fired[2], std::make_pair(1, Duration(minutes(20) + seconds(10))));
  EXPECT_EQ(loop.clock().now() - start, minutes(60));
}

TEST(ManualLoop, a_time_out_that_repeats_fires_as_often_as_it_should) {
  ManualLoop loop;
  int fired = 0;
  Timer timer;
  timer.set_action([&] {
    ++fired;
    loop.timers().schedule(timer, seconds(60));
  });
  loop.timers().schedule(timer, seconds(60));
  loop.advance(std::chrono::hours(1));
  EXPECT_EQ(fired, 60);
}

TEST(ManualLoop, both_clocks_go_on_together) {
  ManualLoop loop;
  const WallTime before = loop.clock().wall();
  loop.advance(seconds(7));
  EXPECT_EQ(loop.clock().wall() - before, seconds(7));
}

}  // namespace
}  // namespace kith::runtime
