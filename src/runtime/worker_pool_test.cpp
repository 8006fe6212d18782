#include "runtime/worker_pool.h"

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace kith::runtime {
namespace {

TEST(WorkerPool, runs_jobs_off_the_callers_thread) {
  WorkerPool pool(2, 8, [](const char*) {});
  std::promise<std::thread::id> ran;
  ASSERT_TRUE(pool.submit([&] { ran.set_value(std::this_thread::get_id()); }));
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
}

TEST(WorkerPool, refuses_when_its_queue_is_full) {
  WorkerPool pool(1, 2, [](const char*) {});
  std::promise<void> started;
  std::promise<void> go;
  std::atomic<int> ran{0};
  ASSERT_TRUE(pool.submit([&] {
    started.set_value();
    go.get_future().wait();
    ++ran;
  }));
  started.get_future().wait();
  EXPECT_TRUE(pool.submit([&] { ++ran; }));
  std::promise<void> last;
  EXPECT_TRUE(pool.submit([&] {
    ++ran;
    last.set_value();
  }));
  EXPECT_EQ(pool.waiting(), 2U);
  EXPECT_FALSE(pool.submit([&] { ++ran; }));
  go.set_value();
  last.get_future().wait();
  EXPECT_EQ(ran, 3);
}

TEST(WorkerPool, a_job_that_throws_is_told_and_its_thread_goes_on) {
  std::promise<std::string> told;
  WorkerPool pool(1, 8, [&](const char* what) { told.set_value(what); });
  ASSERT_TRUE(pool.submit([] { throw std::runtime_error("a bug"); }));
  EXPECT_EQ(told.get_future().get(), "a bug");
  std::promise<void> ran;
  ASSERT_TRUE(pool.submit([&] { ran.set_value(); }));
  ran.get_future().wait();
}

TEST(WorkerPool, its_end_waits_for_the_job_in_work_and_drops_the_rest) {
  auto token = std::make_shared<int>(0);
  std::atomic<bool> finished{false};
  std::promise<void> started;
  {
    std::promise<void> go;
    WorkerPool pool(1, 8, [](const char*) {});
    ASSERT_TRUE(pool.submit([&] {
      started.set_value();
      go.get_future().wait();
      finished = true;
    }));
    started.get_future().wait();
    ASSERT_TRUE(pool.submit([token] { ++*token; }));
    go.set_value();
  }
  EXPECT_TRUE(finished);
  EXPECT_EQ(token.use_count(), 1);
}

}  // namespace
}  // namespace kith::runtime
