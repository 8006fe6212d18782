#include "base/timer_wheel.h"

#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace kith {
namespace {

using namespace std::chrono_literals;

struct Fixture : testing::Test {
  ManualClock clock;
  TimerWheel wheel{clock.now()};
  void go_on(Duration by) {
    clock.advance(by);
    wheel.advance(clock.now());
  }
};
using TimerWheelTest = Fixture;

TEST_F(TimerWheelTest, fires_once_not_before_its_time_and_at_most_a_tick_after) {
  int fired = 0;
  Timer timer([&] { ++fired; });
  wheel.schedule(timer, 1s);
  EXPECT_TRUE(timer.waiting());
  go_on(999ms);
  EXPECT_EQ(fired, 0);
  go_on(101ms);
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer.waiting());
  EXPECT_TRUE(wheel.empty());
  go_on(1h);
  EXPECT_EQ(fired, 1);
}

TEST_F(TimerWheelTest, a_wait_that_starts_between_two_ticks_is_not_cut_short) {
  go_on(50ms);
  int fired = 0;
  Timer timer([&] { ++fired; });
  wheel.schedule(timer, 100ms);
  go_on(99ms);
  EXPECT_EQ(fired, 0);
  go_on(51ms);
  EXPECT_EQ(fired, 1);
}

TEST_F(TimerWheelTest, scheduling_again_replaces_the_earlier_call) {
  int fired = 0;
  Timer timer([&] { ++fired; });
  wheel.schedule(timer, 1s);
  wheel.schedule(timer, 10s);
  go_on(9s);
  EXPECT_EQ(fired, 0);
  go_on(2s);
  EXPECT_EQ(fired, 1);
}

TEST_F(TimerWheelTest, a_cancelled_or_destroyed_timer_does_not_fire) {
  int fired = 0;
  Timer cancelled([&] { ++fired; });
  wheel.schedule(cancelled, 1s);
  cancelled.cancel();
  cancelled.cancel();
  {
    Timer destroyed([&] { ++fired; });
    wheel.schedule(destroyed, 1s);
  }
  EXPECT_TRUE(wheel.empty());
  go_on(10s);
  EXPECT_EQ(fired, 0);
}

TEST_F(TimerWheelTest, timers_of_one_tick_fire_in_the_order_in_which_they_were_scheduled) {
  std::vector<int> order;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 5; ++i) {
    timers.push_back(std::make_unique<Timer>([&order, i] { order.push_back(i); }));
    wheel.schedule(*timers.back(), 1s);
  }
  go_on(2s);
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
}

TEST_F(TimerWheelTest, an_action_may_schedule_its_own_timer_again_even_with_no_wait) {
  int fired = 0;
  Timer timer;
  timer.set_action([&] {
    ++fired;
    wheel.schedule(timer, 0s);
  });
  wheel.schedule(timer, 0s);
  for (int i = 1; i <= 5; ++i) {
    go_on(TimerWheel::tick);
    EXPECT_EQ(fired, i);
  }
}

TEST_F(TimerWheelTest, an_action_may_destroy_the_timer_that_fires_and_others_that_are_due) {
  int fired = 0;
  auto first = std::make_unique<Timer>();
  auto second = std::make_unique<Timer>([&] { fired += 100; });
  auto third = std::make_unique<Timer>([&] { fired += 1; });
  first->set_action([&] {
    ++fired;
    second.reset();
    first.reset();
  });
  wheel.schedule(*first, 1s);
  wheel.schedule(*second, 1s);
  wheel.schedule(*third, 1s);
  go_on(2s);
  EXPECT_EQ(fired, 2);
}

TEST_F(TimerWheelTest, an_action_may_give_its_timer_another_action) {
  std::vector<int> fired;
  Timer timer;
  timer.set_action([&] {
    fired.push_back(1);
    timer.set_action([&] { fired.push_back(2); });
    wheel.schedule(timer, 1s);
  });
  wheel.schedule(timer, 1s);
  go_on(2s);
  go_on(2s);
  EXPECT_EQ(fired, (std::vector{1, 2}));
}

TEST_F(TimerWheelTest, timers_outlive_their_wheel) {
  Timer timer([] {});
  {
    TimerWheel other(clock.now());
    other.schedule(timer, 1s);
  }
  EXPECT_FALSE(timer.waiting());
}

TEST_F(TimerWheelTest, waits_longer_than_the_wheel_can_show_still_end_in_time) {
  int fired = 0;
  Timer month([&] { ++fired; });
  Timer forever([&] { fired += 100; });
  wheel.schedule(month, 24h * 31);
  wheel.schedule(forever, Duration::max());
  go_on(24h * 31 - 1s);
  EXPECT_EQ(fired, 0);
  go_on(2s);
  EXPECT_EQ(fired, 1);
  EXPECT_TRUE(forever.waiting());
}

TEST_F(TimerWheelTest, next_due_is_the_end_of_time_when_nothing_waits) {
  EXPECT_EQ(wheel.next_due(), MonotonicTime::max());
  Timer timer([] {});
  wheel.schedule(timer, 1s);
  EXPECT_EQ(wheel.next_due(), clock.now() + 1s);
}

TEST_F(TimerWheelTest, time_that_goes_back_fires_nothing) {
  go_on(10s);
  int fired = 0;
  Timer timer([&] { ++fired; });
  wheel.schedule(timer, 1s);
  wheel.advance(clock.now() - 5s);
  go_on(500ms);
  EXPECT_EQ(fired, 0);
  go_on(600ms);
  EXPECT_EQ(fired, 1);
}

/// Thousands of random timers next to the simplest thing that could be right: a list of when each is due.
TEST(TimerWheelModel, agrees_with_a_list_of_due_times_over_random_runs) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    ManualClock clock;
    TimerWheel wheel(clock.now());
    std::map<int, MonotonicTime> due;
    std::vector<int> fired;
    std::vector<std::unique_ptr<Timer>> timers;
    for (int i = 0; i < 300; ++i) timers.push_back(std::make_unique<Timer>([&fired, i] { fired.push_back(i); }));

    const auto some_duration = [&] {
      const std::uint64_t reach = std::uint64_t{1} << (20 + random.number() % 32);  // a millisecond to a month
      return Duration(static_cast<std::int64_t>(random.number() % reach));
    };
    for (int step = 0; step < 3000; ++step) {
      const int which = static_cast<int>(random.number() % timers.size());
      Timer& timer = *timers[static_cast<std::size_t>(which)];
      switch (random.number() % 4) {
        case 0:
        case 1: {
          const Duration after = some_duration();
          wheel.schedule(timer, after);
          due[which] = clock.now() + after;
          break;
        }
        case 2:
          timer.cancel();
          due.erase(which);
          break;
        default: {
          const MonotonicTime promised = wheel.next_due();
          clock.advance(some_duration());
          wheel.advance(clock.now());
          if (!fired.empty()) {
            ASSERT_GE(clock.now(), promised) << "something fired before next_due()";
          }
          for (const int id : fired) {
            ASSERT_TRUE(due.contains(id)) << "fired, but does not wait";
            ASSERT_LE(due[id], clock.now()) << "fired too early";
            due.erase(id);
          }
          fired.clear();
          for (const auto& [id, when] : due) ASSERT_GT(when + 2 * TimerWheel::tick, clock.now()) << "late";
        }
      }
      ASSERT_EQ(wheel.empty(), due.empty());
      ASSERT_EQ(timer.waiting(), due.contains(which));
    }
  }
}

}  // namespace
}  // namespace kith
