#include "storage/commit_record.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace kith::storage {
namespace {

TEST(CommitRecord, nothing_is_decided_at_first_but_the_ticket_of_no_write) {
  const CommitRecord record;
  EXPECT_EQ(record.decided(), Ticket{});
  EXPECT_FALSE(record.failed(Ticket{}));
  EXPECT_FALSE(record.failed(Ticket{1}));
}

TEST(CommitRecord, decided_only_grows_and_says_when_that_is_news) {
  CommitRecord record;
  EXPECT_TRUE(record.decide(Ticket{3}));
  EXPECT_FALSE(record.decide(Ticket{3}));
  EXPECT_FALSE(record.decide(Ticket{2}));
  EXPECT_EQ(record.decided(), Ticket{3});
}

TEST(CommitRecord, failed_tickets_are_known_in_whatever_order_they_are_told) {
  // Every order of five neighbours and loners, so that each way of joining ranges is met.
  std::vector<std::uint64_t> numbers{2, 3, 4, 6, 9};
  do {
    CommitRecord record;
    for (const std::uint64_t number : numbers) record.fail(Ticket{number});
    for (const std::uint64_t number : numbers) record.fail(Ticket{number});
    for (std::uint64_t number = 0; number < 12; ++number)
      EXPECT_EQ(record.failed(Ticket{number}), std::ranges::find(numbers, number) != numbers.end()) << number;
  } while (std::ranges::next_permutation(numbers).found);
}

TEST(CommitRecord, ten_thousand_scattered_failures_stay_failures_in_bounded_memory) {
  CommitRecord record;
  std::set<std::uint64_t> failed;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    failed.insert(i * 7);
    record.fail(Ticket{i * 7});
  }
  for (const std::uint64_t number : failed) EXPECT_TRUE(record.failed(Ticket{number}));
  // The newest are exact; only old ones may be called failed though they were not.
  for (std::uint64_t i = 9'600; i < 10'000; ++i) EXPECT_FALSE(record.failed(Ticket{i * 7 + 1}));
  EXPECT_FALSE(record.failed(Ticket{70'001}));
}

}  // namespace
}  // namespace kith::storage
