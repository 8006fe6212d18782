#include "session/waiting_totals.h"

#include <gtest/gtest.h>

namespace kith::session {
namespace {

using Verdict = WaitingTotals::Verdict;

class WaitingTotalsTest : public testing::Test {
 protected:
  WaitingTotalsTest() {
    limits.s2s_waiting_bytes_in_all = 100;
    limits.s2s_waiting_bytes_per_account = 60;
  }
  Verdict take(const std::string& account, std::uint64_t bytes) { return totals.take(account, bytes, limits); }
  Limits limits;
  WaitingTotals totals;
};

TEST_F(WaitingTotalsTest, an_account_has_its_share_and_all_have_theirs) {
  EXPECT_EQ(take("juliet", 60), Verdict::taken);
  EXPECT_EQ(take("juliet", 1), Verdict::too_much_of_account);
  EXPECT_EQ(take("romeo", 41), Verdict::too_much_in_all);
  EXPECT_EQ(take("romeo", 40), Verdict::taken);
  EXPECT_EQ(totals.all(), 100U);
}

TEST_F(WaitingTotalsTest, what_is_refused_counts_for_nothing) {
  EXPECT_EQ(take("juliet", 61), Verdict::too_much_of_account);
  EXPECT_EQ(totals.all(), 0U);
  EXPECT_EQ(take("juliet", 60), Verdict::taken);
}

TEST_F(WaitingTotalsTest, what_goes_makes_room_and_no_more_than_it_took) {
  EXPECT_EQ(take("juliet", 60), Verdict::taken);
  totals.give_back("juliet", 10);
  EXPECT_EQ(take("juliet", 10), Verdict::taken);
  totals.give_back("juliet", 1000);
  totals.give_back("nobody", 5);
  EXPECT_EQ(totals.all(), 0U);
  EXPECT_EQ(take("juliet", 60), Verdict::taken);
}

TEST_F(WaitingTotalsTest, what_waited_before_the_start_counts_whatever_the_limits_are) {
  totals.add("juliet", 500);
  EXPECT_EQ(take("romeo", 1), Verdict::too_much_in_all);
  limits.s2s_waiting_bytes_in_all = 1000;
  EXPECT_EQ(take("juliet", 1), Verdict::too_much_of_account);
  EXPECT_EQ(take("romeo", 1), Verdict::taken);
}

}  // namespace
}  // namespace kith::session
