#include "process.h"

#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "failure.h"

namespace kith::bench {
namespace {

TEST(ProcessStat, user_and_system_time_are_fields_14_and_15) {
  const auto time = parse_stat("42 (kithd) S 1 42 42 0 -1 4194560 100 0 1 0 250 50 7 9 20 0 3 0 100 1 2", 100);
  ASSERT_TRUE(time);
  EXPECT_DOUBLE_EQ(time->user_seconds, 2.5);
  EXPECT_DOUBLE_EQ(time->system_seconds, 0.5);
}

TEST(ProcessStat, a_name_with_blanks_and_parentheses_moves_no_field) {
  const auto time = parse_stat("42 (1 2) 3 (x) S 1 42 42 0 -1 4194560 100 0 1 0 250 50 7 9 20 0 3 0 100 1 2", 100);
  ASSERT_TRUE(time);
  EXPECT_DOUBLE_EQ(time->user_seconds, 2.5);
}

TEST(ProcessStat, what_is_no_stat_gives_nothing) {
  for (const char* text : {"", "42 (kithd", "42 (kithd) S 1 2 3", "42 (kithd) S 1 42 42 0 -1 4194560 100 0 1 0 250"})
    EXPECT_FALSE(parse_stat(text, 100)) << text;
}

TEST(ProcessStatus, a_value_is_found_by_its_whole_name) {
  const char* text = "Name:\tkithd\nVmRSS:\t   5000 kB\nRssAnon:\t    1234 kB\nRssFile:\t  9 kB\n";
  EXPECT_EQ(parse_status_kib(text, "RssAnon"), 1234);
  EXPECT_EQ(parse_status_kib(text, "VmRSS"), 5000);
  EXPECT_EQ(parse_status_kib(text, "Rss"), std::nullopt);
  EXPECT_EQ(parse_status_kib(text, "Name"), std::nullopt);
  EXPECT_EQ(parse_status_kib("", "RssAnon"), std::nullopt);
  EXPECT_EQ(parse_status_kib("RssAnon:\n", "RssAnon"), std::nullopt);
}

TEST(OneProcess, its_time_counts_threads_that_have_ended) {
  const Process self(getpid());
  const double before = self.processor_seconds();
  std::thread([&] {
    while (self.processor_seconds() - before < 0.02) {
    }
  }).join();
  EXPECT_GE(self.processor_seconds() - before, 0.02);
  EXPECT_GT(self.anonymous_kib(), 0);
}

TEST(OneProcess, one_that_does_not_exist_is_refused) { EXPECT_THROW(Process(0), StepFailed); }

}  // namespace
}  // namespace kith::bench
