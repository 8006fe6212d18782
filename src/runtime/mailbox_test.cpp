#include "runtime/mailbox.h"

#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/manual_loop.h"
#include "runtime/shard.h"

namespace kith::runtime {
namespace {

struct Item {
  unsigned writer = 0;
  unsigned number = 0;
};

TEST(Mailbox, keeps_the_order_and_wakes_its_owner_once_for_a_batch) {
  ManualLoop loop;
  std::vector<int> got;
  Mailbox<int> box(loop, 10, [&](int item) { got.push_back(item); });
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(box.push(i));
  EXPECT_TRUE(got.empty());
  EXPECT_EQ(loop.run_until_idle(), 1U);
  EXPECT_EQ(got, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Mailbox, refuses_when_full_and_leaves_the_item_alone) {
  ManualLoop loop;
  std::vector<std::string> got;
  Mailbox<std::string> box(loop, 2, [&](std::string item) { got.push_back(std::move(item)); });
  std::string one = "a string that is longer than the small ones";
  std::string two = one;
  std::string three = one;
  EXPECT_TRUE(box.push(one));
  EXPECT_TRUE(box.push(two));
  EXPECT_FALSE(box.push(three));
  EXPECT_EQ(three, "a string that is longer than the small ones");
  loop.run_until_idle();
  EXPECT_TRUE(box.push(three));
  loop.run_until_idle();
  EXPECT_EQ(got.size(), 3U);
}

TEST(Mailbox, counts_what_its_owner_has_taken_but_not_had_yet) {
  ManualLoop loop;
  std::vector<bool> pushed;
  int more = 100;
  std::unique_ptr<Mailbox<int>> box;
  box = std::make_unique<Mailbox<int>>(loop, 3, [&](int item) {
    if (item >= 100) return;
    for (int i = 0; i < 2; ++i) pushed.push_back(box->push(more));
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(box->push(i));
  loop.run_until_idle();
  // 2 left + 1 new = full; then 1 left + 1 + 1; then 0 left + 2 + 1.
  EXPECT_EQ(pushed, (std::vector<bool>{true, false, true, false, true, false}));
}

TEST(Mailbox, a_receiver_that_throws_loses_its_item_only) {
  ManualLoop loop;
  std::vector<int> got;
  Mailbox<int> box(loop, 4, [&](int item) {
    if (item == 1) throw std::runtime_error("a bug");
    got.push_back(item);
  });
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(box.push(i));
  EXPECT_THROW(loop.run_until_idle(), std::runtime_error);
  int late = 9;
  EXPECT_TRUE(box.push(late));
  EXPECT_TRUE(box.push(late));
  EXPECT_FALSE(box.push(late));  // two were put back: four in all
  loop.run_until_idle();
  EXPECT_EQ(got, (std::vector<int>{0, 2, 3, 9, 9}));
}

TEST(Mailbox, many_writers_to_one_shard_keep_their_orders) {
  constexpr unsigned writers = 3;
  constexpr unsigned each = 20'000;
  const SystemClock clock;
  Shard shard(0, clock);
  std::vector<unsigned> next(writers);
  unsigned total = 0;
  unsigned wrong = 0;
  std::promise<void> all;
  Mailbox<Item> box(shard, 512, [&](Item item) {
    if (item.number != next[item.writer]++) ++wrong;
    if (++total == writers * each) all.set_value();
  });
  std::jthread owner([&] { shard.run([](const char*) {}); });
  {
    std::vector<std::jthread> threads;
    for (unsigned writer = 0; writer < writers; ++writer) {
      threads.emplace_back([&, writer] {
        for (unsigned i = 0; i < each; ++i) {
          Item item{.writer = writer, .number = i};
          while (!box.push(item)) std::this_thread::yield();
        }
      });
    }
  }
  all.get_future().wait();
  shard.stop();
  owner.join();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace kith::runtime
