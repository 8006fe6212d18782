#include "session/login_guard.h"

#include <gtest/gtest.h>

namespace kith::session {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class LoginGuardTest : public ::testing::Test {
 protected:
  LoginGuardTest() {
    limits_.failed_logins_per_address_rate = {.per_second = 10.0 / 60, .burst = 10};
    limits_.failed_logins_per_account_rate = {.per_second = 30.0 / 60, .burst = 30};
  }
  Limits limits_;
  ManualClock clock_;
  LoginGuard guard_{clock_, limits_};
};

TEST_F(LoginGuardTest, slows_an_address_down_after_its_burst) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(guard_.failed("192.0.2.1", ""), Duration::zero()) << i;
  EXPECT_EQ(guard_.failed("192.0.2.1", ""), Duration(seconds(6)));
  EXPECT_EQ(guard_.failed("192.0.2.1", ""), Duration(seconds(10)));  // never more
  EXPECT_EQ(guard_.failed("192.0.2.2", ""), Duration::zero());
  clock_.advance(minutes(2));
  EXPECT_EQ(guard_.failed("192.0.2.1", ""), Duration::zero());
}

TEST_F(LoginGuardTest, an_account_is_slowed_down_from_wherever_it_is_guessed_and_never_locked) {
  for (int i = 0; i < 30; ++i)
    EXPECT_EQ(guard_.failed("192.0.2." + std::to_string(i), "juliet@example.org"), Duration::zero()) << i;
  EXPECT_EQ(guard_.failed("198.51.100.1", "juliet@example.org"), Duration(seconds(2)));
  for (int i = 0; i < 1000; ++i) guard_.failed("203.0.113." + std::to_string(i % 250), "juliet@example.org");
  EXPECT_TRUE(guard_.may_try("198.51.100.7"));
  EXPECT_EQ(guard_.failed("198.51.100.1", "romeo@example.org"), Duration::zero());
}

TEST_F(LoginGuardTest, who_does_not_wait_for_the_answers_is_not_looked_at_any_more) {
  int tried = 0;
  while (guard_.may_try("2001:db8::1") && tried < 1000) {
    guard_.failed("2001:db8::" + std::to_string(++tried), "");
  }
  EXPECT_EQ(tried, 20);  // the burst, and a minute's worth
  EXPECT_FALSE(guard_.may_try("2001:db8::ffff"));
  EXPECT_TRUE(guard_.may_try("2001:db8:0:1::1"));
  // What comes back is a guess for each six seconds, and the whole burst only after a while of peace.
  clock_.advance(seconds(6));
  EXPECT_TRUE(guard_.may_try("2001:db8::1"));
  guard_.failed("2001:db8::1", "");
  EXPECT_FALSE(guard_.may_try("2001:db8::1"));
}

}  // namespace
}  // namespace kith::session
