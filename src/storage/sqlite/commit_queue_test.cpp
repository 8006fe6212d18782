#include "storage/sqlite/commit_queue.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/test_support.h"

namespace kith::storage::sqlite {
namespace {

class CommitQueueTest : public testing::Test {
 protected:
  CommitQueueTest() { EXPECT_TRUE(db_.batch("CREATE TABLE t (v TEXT)")); }

  CommitQueue make(const QueueLimits& limits = {}) {
    return CommitQueue(db_, CommitQueue::Mode::immediate, limits, quiet_.events, clock_,
                       [this](Ticket decided) { progress_.push_back(decided.number); });
  }
  CommitQueue::Work insert(std::string value) {
    return [value = std::move(value)](Db& db) -> Result<bool> {
      const auto done = db.exec("INSERT INTO t (v) VALUES (?)", value);
      if (!done) return std::unexpected(done.error());
      return true;
    };
  }
  std::vector<std::string> rows() {
    std::vector<std::string> values;
    EXPECT_TRUE(db_.query("SELECT substr(v, 1, 10) FROM t ORDER BY rowid",
                          [&](const Row& row) { values.push_back(row.text(0)); }));
    return values;
  }
  CommitQueue::Answer into(std::vector<Result<bool>>& outcomes) {
    return [&outcomes](Result<bool> outcome) { outcomes.push_back(outcome); };
  }

  QuietEvents quiet_;
  ManualClock clock_;
  Db db_{":memory:", {.access = Db::Access::create}};
  std::vector<std::uint64_t> progress_;
};

TEST_F(CommitQueueTest, writes_are_committed_in_the_order_of_their_tickets) {
  CommitQueue queue = make();
  queue.hold(true);
  for (int i = 1; i <= 5; ++i)
    EXPECT_EQ(queue.submit(1, insert(std::to_string(i))).number, static_cast<std::uint64_t>(i));
  EXPECT_EQ(queue.log().decided(), Ticket{});
  EXPECT_TRUE(rows().empty());
  queue.commit_now();
  EXPECT_EQ(queue.log().decided(), Ticket{5});
  EXPECT_EQ(rows(), (std::vector<std::string>{"1", "2", "3", "4", "5"}));
  EXPECT_EQ(progress_, (std::vector<std::uint64_t>{5}));
}

TEST_F(CommitQueueTest, a_group_is_bounded_in_writes_and_in_bytes) {
  CommitQueue queue = make({.writes_per_commit = 4, .bytes_per_commit = 100});
  queue.hold(true);
  for (int i = 0; i < 6; ++i) queue.submit(1, insert("s"));
  for (int i = 0; i < 3; ++i) queue.submit(60, insert("m"));
  queue.submit(5000, insert("l"));
  queue.commit_now();
  EXPECT_EQ(progress_, (std::vector<std::uint64_t>{4, 7, 8, 9, 10}));
}

TEST_F(CommitQueueTest, a_group_can_be_taken_as_small_as_one_likes) {
  CommitQueue queue = make();
  queue.hold(true);
  for (int i = 1; i <= 5; ++i) queue.submit(1, insert(std::to_string(i)));
  EXPECT_TRUE(queue.commit_group(2));
  EXPECT_EQ(queue.log().decided(), Ticket{2});
  EXPECT_EQ(rows(), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(queue.gathered(), 3U);
  EXPECT_TRUE(queue.commit_group(10));
  EXPECT_EQ(queue.log().decided(), Ticket{5});
  EXPECT_FALSE(queue.commit_group(1));
}

TEST_F(CommitQueueTest, what_is_abandoned_is_not_written_and_nobody_hears_of_it) {
  std::vector<Result<bool>> outcomes;
  {
    CommitQueue queue = make();
    queue.hold(true);
    queue.submit(1, insert("1"), into(outcomes));
    EXPECT_TRUE(queue.commit_group(1));
    queue.submit(1, insert("2"), into(outcomes));
    queue.abandon();
    EXPECT_TRUE(queue.log().failed(queue.submit(1, insert("3"))));
  }
  EXPECT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(rows(), (std::vector<std::string>{"1"}));
}

TEST_F(CommitQueueTest, one_refused_write_does_not_take_the_group_along) {
  CommitQueue queue = make();
  queue.hold(true);
  std::vector<Result<bool>> outcomes;
  const Ticket first = queue.submit(1, insert("first"), into(outcomes));
  queue.fail_next(1, StorageError::unavailable);
  const Ticket second = queue.submit(1, insert("second"), into(outcomes));
  const Ticket third = queue.submit(1, insert("third"), into(outcomes));
  queue.commit_now();
  EXPECT_FALSE(queue.log().failed(first));
  EXPECT_TRUE(queue.log().failed(second));
  EXPECT_FALSE(queue.log().failed(third));
  EXPECT_EQ(queue.log().decided(), third);
  EXPECT_EQ(rows(), (std::vector<std::string>{"first", "third"}));
  ASSERT_EQ(outcomes.size(), 3U);
  EXPECT_EQ(outcomes[0], true);
  EXPECT_EQ(outcomes[1], Result<bool>(std::unexpected(StorageError::unavailable)));
  EXPECT_EQ(outcomes[2], true);
}

TEST_F(CommitQueueTest, a_write_that_fails_halfway_leaves_nothing_of_itself) {
  CommitQueue queue = make();
  queue.hold(true);
  queue.submit(1, insert("before"));
  const Ticket bad = queue.submit(1, [](Db& db) -> Result<bool> {
    if (!db.exec("INSERT INTO t (v) VALUES ('half')")) return std::unexpected(db.error());
    if (!db.exec("INSERT INTO no_such_table (v) VALUES ('rest')")) return std::unexpected(db.error());
    return true;
  });
  queue.submit(1, insert("after"));
  queue.commit_now();
  EXPECT_TRUE(queue.log().failed(bad));
  EXPECT_EQ(rows(), (std::vector<std::string>{"before", "after"}));
}

TEST_F(CommitQueueTest, a_write_that_throws_fails_alone) {
  CommitQueue queue = make();
  queue.hold(true);
  queue.submit(1, insert("before"));
  const Ticket bad = queue.submit(1, [](Db&) -> Result<bool> { throw std::bad_alloc(); });
  queue.submit(1, insert("after"));
  queue.commit_now();
  EXPECT_TRUE(queue.log().failed(bad));
  EXPECT_EQ(rows(), (std::vector<std::string>{"before", "after"}));
}

// SQLite throws the whole transaction away when the database may not grow; the others must not go with it.
TEST_F(CommitQueueTest, a_write_too_large_for_the_disk_fails_alone) {
  ASSERT_TRUE(db_.batch("PRAGMA max_page_count = 40"));
  CommitQueue queue = make();
  queue.hold(true);
  std::vector<Result<bool>> outcomes;
  queue.submit(1, insert("before"));
  const Ticket bad = queue.submit(1, insert(std::string(1'000'000, 'x')), into(outcomes));
  queue.submit(1, insert("after"));
  queue.commit_now();
  EXPECT_TRUE(queue.log().failed(bad));
  EXPECT_EQ(outcomes, (std::vector<Result<bool>>{std::unexpected(StorageError::full)}));
  EXPECT_EQ(rows(), (std::vector<std::string>{"before", "after"}));
  EXPECT_FALSE(queue.log().failed(queue.log().decided()));
}

TEST_F(CommitQueueTest, a_full_disk_fails_the_group_and_then_heals) {
  ASSERT_TRUE(db_.batch("PRAGMA max_page_count = 40"));
  CommitQueue queue = make();
  queue.hold(true);
  std::vector<Result<bool>> outcomes;
  for (int i = 0; i < 20; ++i) queue.submit(1, insert(std::string(1'000'000, 'x')), into(outcomes));
  queue.commit_now();
  EXPECT_EQ(outcomes, std::vector<Result<bool>>(20, std::unexpected(StorageError::full)));
  EXPECT_EQ(queue.log().decided(), Ticket{20});
  for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_TRUE(queue.log().failed(Ticket{i}));
  ASSERT_TRUE(db_.batch("PRAGMA max_page_count = 100000"));
  queue.submit(1, insert("healed"));
  queue.commit_now();
  EXPECT_FALSE(queue.log().failed(Ticket{21}));
  EXPECT_EQ(rows(), (std::vector<std::string>{"healed"}));
}

TEST_F(CommitQueueTest, a_full_queue_refuses_at_once_and_keeps_what_it_has) {
  CommitQueue queue = make({.writes = 3, .bytes = 100});
  queue.hold(true);
  std::vector<Result<bool>> outcomes;
  for (int i = 0; i < 3; ++i) queue.submit(1, insert("kept"));
  const Ticket fourth = queue.submit(1, insert("lost"), into(outcomes));
  EXPECT_EQ(outcomes, (std::vector<Result<bool>>{std::unexpected(StorageError::full)}));
  EXPECT_TRUE(queue.log().failed(fourth));
  EXPECT_EQ(queue.log().decided(), Ticket{});
  queue.commit_now();
  // Decided together with the last one before it.
  EXPECT_EQ(queue.log().decided(), fourth);
  EXPECT_EQ(rows().size(), 3U);

  queue.submit(60, insert("kept"));
  EXPECT_TRUE(queue.log().failed(queue.submit(60, insert("lost"))));
  queue.commit_now();
  // Larger than the whole queue: refused and decided by itself, since nothing else will do it.
  const Ticket huge = queue.submit(101, insert("lost"));
  EXPECT_TRUE(queue.log().failed(huge));
  EXPECT_EQ(queue.log().decided(), huge);
  EXPECT_EQ(progress_.back(), huge.number);
  EXPECT_EQ(rows().size(), 4U);
}

TEST_F(CommitQueueTest, listeners_are_posted_to_once_until_they_have_looked) {
  CommitQueue queue = make();
  HandShard shard;
  int told = 0;
  queue.listen(shard, [&] { ++told; });
  for (int i = 0; i < 5; ++i) queue.submit(1, insert("x"));
  EXPECT_EQ(shard.run_posted(), 1U);
  EXPECT_EQ(told, 1);
  queue.submit(1, insert("x"));
  queue.forget(shard);
  EXPECT_EQ(shard.run_posted(), 1U);
  EXPECT_EQ(told, 1);
  queue.submit(1, insert("x"));
  EXPECT_EQ(shard.run_posted(), 0U);
}

TEST_F(CommitQueueTest, what_is_queued_when_it_stops_is_committed_and_what_comes_later_fails) {
  CommitQueue queue = make();
  queue.hold(true);
  queue.submit(1, insert("queued"));
  queue.stop();
  EXPECT_EQ(rows(), (std::vector<std::string>{"queued"}));
  EXPECT_TRUE(queue.log().failed(queue.submit(1, insert("late"))));
}

TEST_F(CommitQueueTest, stopping_with_a_thread_commits_everything_that_was_given) {
  {
    CommitQueue queue(db_, CommitQueue::Mode::thread, {}, quiet_.events, quiet_.clock, [](Ticket) {});
    for (int i = 0; i < 1000; ++i) queue.submit(1, insert("x"));
  }
  EXPECT_EQ(rows().size(), 1000U);
}

TEST_F(CommitQueueTest, trouble_is_logged_once_and_its_end_once) {
  std::vector<std::string> lines;
  Events events(clock_, LogLevel::info, [&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  CommitQueue queue(db_, CommitQueue::Mode::immediate, {}, events, clock_, [](Ticket) {});
  queue.fail_next(3, StorageError::full);
  for (int i = 0; i < 5; ++i) queue.submit(1, insert("x"));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("storage_writes_fail"), std::string::npos);
  EXPECT_NE(lines[1].find("storage_writes_succeed_again"), std::string::npos);
}

}  // namespace
}  // namespace kith::storage::sqlite
