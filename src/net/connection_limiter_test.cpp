#include "net/connection_limiter.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kith::net {
namespace {

using Refusal = ConnectionLimiter::Refusal;
using Admission = ConnectionLimiter::Admission;

class ConnectionLimiterTest : public ::testing::Test {
 protected:
  ConnectionLimiterTest() {
    limits_.connections_per_address_rate = {.per_second = 1e6, .burst = 1e6};
    limits_.unauthenticated_per_address = 1'000'000;
  }
  Limits limits_;
  ManualClock clock_;
};

TEST_F(ConnectionLimiterTest, two_thousand_idle_connections_from_one_address_hit_the_limit) {
  limits_ = Limits{};
  ConnectionLimiter limiter(limits_, clock_);
  std::vector<Admission> held;
  std::size_t refused = 0;
  for (int i = 0; i < 2000; ++i) {
    clock_.advance(std::chrono::milliseconds(100));  // as fast as the rate allows
    auto admitted = limiter.admit("192.0.2.1");
    if (admitted) {
      held.push_back(std::move(*admitted));
    } else {
      ++refused;
      EXPECT_EQ(admitted.error(), Refusal::unauthenticated);
    }
  }
  EXPECT_EQ(held.size(), limits_.unauthenticated_per_address);
  EXPECT_EQ(refused, 2000 - limits_.unauthenticated_per_address);
  EXPECT_TRUE(limiter.admit("192.0.2.2").has_value());  // the neighbours notice nothing
}

TEST_F(ConnectionLimiterTest, those_who_log_in_make_room_up_to_the_limit_of_all) {
  limits_.unauthenticated_per_address = 1;
  limits_.connections_per_address = 3;
  ConnectionLimiter limiter(limits_, clock_);
  std::vector<Admission> held;
  for (int i = 0; i < 3; ++i) {
    auto admitted = limiter.admit("192.0.2.1");
    ASSERT_TRUE(admitted.has_value());
    EXPECT_EQ(limiter.admit("192.0.2.1").error(), i < 2 ? Refusal::unauthenticated : Refusal::per_address);
    admitted->authenticated();
    admitted->authenticated();  // twice is once
    held.push_back(std::move(*admitted));
  }
  EXPECT_EQ(limiter.admit("192.0.2.1").error(), Refusal::per_address);
  held.pop_back();
  EXPECT_TRUE(limiter.admit("192.0.2.1").has_value());
}

TEST_F(ConnectionLimiterTest, the_rate_of_new_connections_is_bounded) {
  limits_.connections_per_address_rate = {.per_second = 10, .burst = 5};
  ConnectionLimiter limiter(limits_, clock_);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limiter.admit("192.0.2.1").has_value());
  EXPECT_EQ(limiter.admit("192.0.2.1").error(), Refusal::rate);
  EXPECT_TRUE(limiter.admit("192.0.2.2").has_value());
  clock_.advance(std::chrono::milliseconds(100));
  EXPECT_TRUE(limiter.admit("192.0.2.1").has_value());
  EXPECT_EQ(limiter.admit("192.0.2.1").error(), Refusal::rate);
}

TEST_F(ConnectionLimiterTest, all_connections_together_are_bounded) {
  limits_.connections = 2;
  ConnectionLimiter limiter(limits_, clock_);
  const auto one = limiter.admit("192.0.2.1");
  auto two = limiter.admit("192.0.2.2");
  EXPECT_EQ(limiter.admit("192.0.2.3").error(), Refusal::total);
  *two = Admission{};
  EXPECT_EQ(limiter.connections(), 1U);
  EXPECT_TRUE(limiter.admit("192.0.2.3").has_value());
}

TEST_F(ConnectionLimiterTest, a_v6_address_counts_with_its_network) {
  limits_.connections_per_address = 1;
  ConnectionLimiter limiter(limits_, clock_);
  const auto held = limiter.admit("2001:db8:1:2::1");
  EXPECT_EQ(limiter.admit("2001:db8:1:2:ffff::9").error(), Refusal::per_address);
  EXPECT_TRUE(limiter.admit("2001:db8:1:3::1").has_value());
  const auto v4 = limiter.admit("192.0.2.1");
  EXPECT_EQ(limiter.admit("::ffff:192.0.2.1").error(), Refusal::per_address);
}

TEST_F(ConnectionLimiterTest, addresses_that_have_gone_are_forgotten) {
  limits_.connections_per_address_rate = {.per_second = 10, .burst = 5};
  ConnectionLimiter limiter(limits_, clock_);
  for (int i = 0; i < 20'000; ++i) {
    clock_.advance(std::chrono::milliseconds(10));
    EXPECT_TRUE(limiter.admit("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256)).has_value());
  }
  EXPECT_EQ(limiter.connections(), 0U);
  EXPECT_LE(limiter.addresses(), 2048U);
}

TEST_F(ConnectionLimiterTest, many_threads_may_ask) {
  limits_.connections = 50;
  const SystemClock clock;
  ConnectionLimiter limiter(limits_, clock);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&limiter, t] {
        for (int i = 0; i < 2000; ++i) {
          auto admitted = limiter.admit("192.0.2." + std::to_string(t));
          if (admitted) admitted->authenticated();
        }
      });
    }
  }
  EXPECT_EQ(limiter.connections(), 0U);
}

}  // namespace
}  // namespace kith::net
