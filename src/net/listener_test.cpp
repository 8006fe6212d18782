#include "net/listener.h"

#include <condition_variable>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "net/testing.h"

namespace kith::net::testing {
namespace {

/// What a listener accepted.
class Guests {
 public:
  Listener::OnAccept on_accept() {
    return [this](Socket socket, std::string peer) {
      {
        const std::lock_guard lock(mutex_);
        sockets_.push_back(std::move(socket));
        peers_.push_back(std::move(peer));
      }
      changed_.notify_all();
    };
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return sockets_.size() >= count; });
  }
  std::vector<std::string> peers() {
    const std::lock_guard lock(mutex_);
    return peers_;
  }
  bool non_blocking() {
    const std::lock_guard lock(mutex_);
    return (fcntl(sockets_.front().get(), F_GETFL) & O_NONBLOCK) != 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Socket> sockets_;
  std::vector<std::string> peers_;
};

Socket connect_to(std::uint16_t port) {
  Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) client.close();
  return client;
}

class ListenerTest : public ::testing::Test {
 protected:
  ~ListenerTest() override {
    shard_.run([this] { listener_.reset(); });
  }
  /// The error, or nothing.
  std::string open(std::string_view address) {
    return shard_.run([&]() -> std::string {
      auto opened = Listener::open(shard_.shard(), events_, address, guests_.on_accept());
      if (!opened) return opened.error();
      listener_ = std::move(*opened);
      return {};
    });
  }
  SystemClock clock_;
  Events events_{clock_, LogLevel::error, [](LogLevel, std::string_view) {}};
  Guests guests_;
  ShardThread shard_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, hands_over_sockets_with_their_peers_address) {
  ASSERT_EQ(open("127.0.0.1:0"), "");
  EXPECT_EQ(listener_->address(), "127.0.0.1:" + std::to_string(listener_->port()));
  const Socket one = connect_to(listener_->port());
  const Socket two = connect_to(listener_->port());
  ASSERT_TRUE(guests_.wait_for(2));
  EXPECT_EQ(guests_.peers(), (std::vector<std::string>{"127.0.0.1", "127.0.0.1"}));
  EXPECT_TRUE(guests_.non_blocking());
}

TEST_F(ListenerTest, a_hundred_connections_at_once_are_all_accepted) {
  ASSERT_EQ(open("127.0.0.1:0"), "");
  std::vector<Socket> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(connect_to(listener_->port()));
  EXPECT_TRUE(guests_.wait_for(100));
}

TEST_F(ListenerTest, a_port_in_use_is_refused_in_a_clear_sentence) {
  ASSERT_EQ(open("127.0.0.1:0"), "");
  const std::string address = listener_->address();
  EXPECT_EQ(open(address),
            "Can't listen on " + address + ": another program listens there already; is a second Kith running?");
}

TEST_F(ListenerTest, both_families_can_listen_on_one_port) {
  ASSERT_EQ(open("0.0.0.0:0"), "");
  const std::string port = std::to_string(listener_->port());
  std::unique_ptr<Listener> first = std::move(listener_);
  const std::string refused = open("[::]:" + port);
  shard_.run([&] { first.reset(); });
  if (refused.find("no such address") != std::string::npos || refused.find("Address family") != std::string::npos) {
    GTEST_SKIP() << "no IPv6 on this machine";
  }
  EXPECT_EQ(refused, "");
}

TEST_F(ListenerTest, what_is_no_address_is_refused) {
  for (const char* wrong : {"", "5222", ":5222", "example.org:5222", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                            "127.0.0.1:70000", "::1:5222", "[::1:5222", "127.0.0.1:-1"}) {
    EXPECT_NE(open(wrong), "") << wrong;
  }
  EXPECT_EQ(open("localhost:5222"),
            "\"localhost:5222\" is no address to listen on; it looks so: 0.0.0.0:5222 or [::]:5222.");
}

TEST_F(ListenerTest, an_address_of_another_machine_is_refused) {
  EXPECT_EQ(open("192.0.2.1:0"), "Can't listen on 192.0.2.1:0: this machine has no such address.");
}

TEST_F(ListenerTest, without_descriptors_it_waits_and_goes_on_later) {
  ASSERT_EQ(open("127.0.0.1:0"), "");
  Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // UBSan needs a pipe the first time that it meets a type; it shall meet these while there still are descriptors.
  const Socket first = connect_to(listener_->port());
  ASSERT_TRUE(guests_.wait_for(1));
  shard_.settle();
  events_.limit_hit("none", {{"error", std::generic_category().message(EMFILE)}});
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  // The lowest descriptor that is free becomes the first that may not be used.
  const int lowest = ::dup(client.get());
  ::close(lowest);
  rlimit none{.rlim_cur = static_cast<rlim_t>(lowest), .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(listener_->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  shard_.settle();
  const std::size_t early = guests_.peers().size();
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(early, 1);
  EXPECT_TRUE(guests_.wait_for(2));
  EXPECT_NE(events_.open_metrics().find("kith_limit_hits_total{limit=\"descriptors\"} 1"), std::string::npos);
}

TEST(Loopback, is_known_by_its_address) {
  EXPECT_TRUE(is_loopback("127.0.0.1:5222"));
  EXPECT_TRUE(is_loopback("127.5.5.5:5222"));
  EXPECT_TRUE(is_loopback("[::1]:5222"));
  EXPECT_FALSE(is_loopback("0.0.0.0:5222"));
  EXPECT_FALSE(is_loopback("[::]:5222"));
  EXPECT_FALSE(is_loopback("localhost:5222"));
}

}  // namespace
}  // namespace kith::net::testing
