#include "runtime/shard.h"

#include <array>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kith::runtime {
namespace {

class ShardTest : public ::testing::Test {
 protected:
  ~ShardTest() override { stop(); }
  void start() {
    thread_ = std::jthread([this] { shard_.run([this](const char* what) { faults_.emplace_back(what); }); });
  }
  void stop() {
    shard_.stop();
    if (thread_.joinable()) thread_.join();
  }
  template <class Work>
  auto run(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto result = task.get_future();
    shard_.post([&task] { task(); });
    return result.get();
  }

  SystemClock clock_;
  Shard shard_{3, clock_};
  std::vector<std::string> faults_;  // the shard's thread, then (joined) the test's
  std::jthread thread_;
};

struct AtEnd final : TurnEnd {
  void at_turn_end() override {
    ++calls;
    if (action) action();
  }
  int calls = 0;
  std::function<void()> action;
};

struct Pipe {
  Pipe() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0); }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void send() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  std::array<int, 2> ends{};
};

struct Watcher final : Watched {
  void on_ready(std::uint32_t events) override {
    if ((events & EPOLLIN) == 0) return;
    ++calls;
    if (action) action();
  }
  int calls = 0;
  std::function<void()> action;
};

TEST_F(ShardTest, runs_what_is_posted_in_the_order_of_each_thread) {
  std::array<std::vector<int>, 4> seen;
  start();
  {
    std::vector<std::jthread> writers;
    for (std::size_t writer = 0; writer < seen.size(); ++writer) {
      writers.emplace_back([&, writer] {
        for (int i = 0; i < 5000; ++i) shard_.post([&, writer, i] { seen[writer].push_back(i); });
      });
    }
  }
  run([] {});
  for (const std::vector<int>& numbers : seen) {
    ASSERT_EQ(numbers.size(), 5000U);
    EXPECT_TRUE(std::ranges::is_sorted(numbers));
  }
}

TEST_F(ShardTest, a_task_posted_inside_a_task_runs_later_and_in_order) {
  std::string order;
  shard_.post([&] {
    shard_.post([&] { order += 'c'; });
    shard_.post([&] {
      order += 'd';
      shard_.stop();
    });
    order += 'a';
  });
  shard_.post([&] { order += 'b'; });
  shard_.run([](const char*) {});
  EXPECT_EQ(order, "abcd");
}

TEST_F(ShardTest, a_stop_before_the_run_counts) {
  bool ran = false;
  shard_.stop();
  shard_.post([&] { ran = true; });
  shard_.run([](const char*) {});
  EXPECT_FALSE(ran);
}

TEST_F(ShardTest, a_task_that_throws_is_told_and_the_loop_goes_on) {
  start();
  shard_.post([] { throw std::runtime_error("first"); });
  shard_.post([] { throw 2; });
  EXPECT_EQ(run([] { return 7; }), 7);
  stop();
  EXPECT_EQ(faults_, (std::vector<std::string>{"first", "an exception that is none of std's"}));
}

TEST_F(ShardTest, work_at_the_turns_end_runs_once_after_the_tasks) {
  AtEnd end;
  int calls_seen = -1;
  shard_.post([&] {
    shard_.call_at_turn_end(end);
    shard_.call_at_turn_end(end);
  });
  shard_.post([&] { calls_seen = end.calls; });
  end.action = [&] { shard_.stop(); };
  shard_.run([](const char*) {});
  EXPECT_EQ(calls_seen, 0);
  EXPECT_EQ(end.calls, 1);
}

TEST_F(ShardTest, work_asked_for_at_the_turns_end_runs_at_the_next) {
  AtEnd end;
  end.action = [&] {
    if (end.calls < 3) {
      shard_.call_at_turn_end(end);
    } else {
      shard_.stop();
    }
  };
  shard_.post([&] { shard_.call_at_turn_end(end); });
  shard_.run([](const char*) {});
  EXPECT_EQ(end.calls, 3);
}

TEST_F(ShardTest, work_can_be_taken_back_also_by_its_neighbour_at_the_turns_end) {
  AtEnd first;
  AtEnd second;
  AtEnd third;
  first.action = [&] {
    shard_.forget_at_turn_end(second);
    shard_.forget_at_turn_end(second);
  };
  third.action = [&] { shard_.stop(); };
  shard_.post([&] {
    for (AtEnd* end : {&first, &second, &third}) shard_.call_at_turn_end(*end);
  });
  shard_.run([](const char*) {});
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 0);
  EXPECT_EQ(third.calls, 1);
}

TEST_F(ShardTest, time_outs_fire_and_count_from_when_they_were_set) {
  start();
  std::promise<MonotonicTime> fired;
  Timer timer([&] { fired.set_value(clock_.now()); });
  const MonotonicTime set = run([&] {
    shard_.timers().schedule(timer, std::chrono::milliseconds(150));
    return clock_.now();
  });
  EXPECT_GE(fired.get_future().get() - set, std::chrono::milliseconds(150));
  EXPECT_FALSE(run([&] { return timer.waiting(); }));
}

TEST_F(ShardTest, a_time_out_that_throws_is_told_and_the_others_fire) {
  start();
  std::promise<void> fired;
  Timer bad([] { throw std::runtime_error("late"); });
  Timer good([&] { fired.set_value(); });
  run([&] {
    shard_.timers().schedule(bad, std::chrono::milliseconds(1));
    shard_.timers().schedule(good, std::chrono::milliseconds(1));
  });
  fired.get_future().wait();
  run([&] {
    bad.cancel();
    good.cancel();
  });
  stop();
  EXPECT_EQ(faults_, std::vector<std::string>{"late"});
}

TEST_F(ShardTest, a_descriptor_that_is_ready_is_told_once) {
  const Pipe pipe;
  Watcher watcher;
  pipe.send();
  shard_.post([&] { EXPECT_TRUE(shard_.readiness().add(pipe.ends[0], watcher)); });
  watcher.action = [&] {
    shard_.post([&] { shard_.post([&] { shard_.stop(); }); });  // two turns on
  };
  shard_.run([](const char*) {});
  EXPECT_EQ(watcher.calls, 1);
  shard_.readiness().remove(pipe.ends[0], watcher);
}

TEST_F(ShardTest, who_asks_again_is_told_in_the_next_turn) {
  const Pipe pipe;
  Watcher watcher;
  shard_.post([&] {
    EXPECT_TRUE(shard_.readiness().add(pipe.ends[0], watcher));
    shard_.readiness().again(watcher);
  });
  watcher.action = [&] {
    if (watcher.calls == 3) return shard_.stop();
    shard_.readiness().again(watcher);
    shard_.readiness().again(watcher);
  };
  shard_.run([](const char*) {});
  EXPECT_EQ(watcher.calls, 3);
  shard_.readiness().remove(pipe.ends[0], watcher);
}

TEST_F(ShardTest, who_is_removed_gets_no_event_that_was_fetched_already) {
  const Pipe first_pipe;
  const Pipe second_pipe;
  Watcher first;
  Watcher second;
  shard_.post([&] {
    EXPECT_TRUE(shard_.readiness().add(first_pipe.ends[0], first));
    EXPECT_TRUE(shard_.readiness().add(second_pipe.ends[0], second));
    first_pipe.send();
    second_pipe.send();
    shard_.readiness().again(first);
    shard_.readiness().again(second);
  });
  // Whichever comes first takes the other out.
  first.action = [&] { shard_.readiness().remove(second_pipe.ends[0], second), shard_.stop(); };
  second.action = [&] { shard_.readiness().remove(first_pipe.ends[0], first), shard_.stop(); };
  shard_.run([](const char*) {});
  EXPECT_EQ(first.calls + second.calls, 1);
}

TEST_F(ShardTest, a_watcher_that_throws_is_told_and_the_loop_goes_on) {
  const Pipe pipe;
  Watcher watcher;
  watcher.action = [&] {
    shard_.stop();
    throw std::runtime_error("bad reader");
  };
  pipe.send();
  EXPECT_TRUE(shard_.readiness().add(pipe.ends[0], watcher));
  shard_.run([this](const char* what) { faults_.emplace_back(what); });
  EXPECT_EQ(faults_, std::vector<std::string>{"bad reader"});
}

TEST_F(ShardTest, asio_runs_as_a_guest_beside_the_shards_own_work) {
  start();
  const Pipe pipe;
  Watcher watcher;
  std::promise<void> timer_fired;
  std::promise<void> read;
  // It may be told again of what nobody has read.
  watcher.action = [&, told = false]() mutable {
    if (!std::exchange(told, true)) read.set_value();
  };
  std::unique_ptr<boost::asio::steady_timer> timer;
  run([&] {
    EXPECT_TRUE(shard_.readiness().add(pipe.ends[0], watcher));
    timer = std::make_unique<boost::asio::steady_timer>(shard_.io(), std::chrono::hours(1));
    timer->async_wait([&](const boost::system::error_code&) { timer_fired.set_value(); });
  });
  // While asio has work, the shard's own descriptors and posts are served all the same …
  pipe.send();
  read.get_future().wait();
  EXPECT_EQ(run([] { return 1; }), 1);
  // … and so are asio's handlers, thrown exceptions included …
  run([&] {
    boost::asio::post(shard_.io(), [] { throw std::runtime_error("guest"); });
    timer->expires_after(std::chrono::nanoseconds(0));
    timer->async_wait([&](const boost::system::error_code&) {});
  });
  timer_fired.get_future().wait();
  // … and when asio has no work left, the shard goes on by itself.
  run([&] { timer.reset(); });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(run([i] { return i; }), i);
  run([&] { shard_.readiness().remove(pipe.ends[0], watcher); });
  stop();
  EXPECT_EQ(faults_, std::vector<std::string>{"guest"});
}

TEST_F(ShardTest, what_was_never_run_goes_with_the_shard) {
  auto token = std::make_shared<int>(1);
  {
    Shard shard(0, clock_);
    struct Again {
      Shard& shard;
      std::shared_ptr<int> token;
      ~Again() {
        shard.post([kept = token] {});  // what ends may post once more
      }
    };
    shard.post([again = std::make_shared<Again>(shard, token)] {});
    EXPECT_GT(token.use_count(), 1);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(BufferPool, lends_what_was_given_back) {
  BufferPool pool;
  char* first = nullptr;
  {
    BufferPool::Loan loan(pool);
    first = loan.bytes().data();
    EXPECT_EQ(loan.bytes().size(), BufferPool::buffer_bytes);
    BufferPool::Loan other(pool);
    EXPECT_NE(other.bytes().data(), first);
  }
  BufferPool::Loan again(pool);
  EXPECT_EQ(again.bytes().data(), first);
}

}  // namespace
}  // namespace kith::runtime
