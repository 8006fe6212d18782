// Connections that move between shards in the middle of traffic, ten thousand times: nothing lost, doubled or out of
// order.
#include <atomic>
#include <charconv>
#include <random>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "net/testing.h"

namespace kith::net::testing {
namespace {

constexpr unsigned shards = 3;
constexpr unsigned connections = 8;
constexpr unsigned moves_each = 1250;

/// A line with its number and some padding: "c 17 ......\n".
std::string numbered(char kind, unsigned number, std::size_t padding) {
  return std::string(1, kind) + " " + std::to_string(number) + " " + std::string(padding, '.') + "\n";
}

/// Cuts a stream of numbered lines and checks the numbers.
class Checker {
 public:
  explicit Checker(char kind) : kind_(kind) {}
  /// False if a number is not the next one.
  bool take(std::string_view line) {
    unsigned number = 0;
    std::from_chars(line.data() + 2, line.data() + line.size(), number);
    return number == next_++;
  }
  char kind() const { return kind_; }
  unsigned count() const { return next_; }

 private:
  char kind_;
  unsigned next_ = 0;
};

struct Totals {
  std::atomic<unsigned> moves{0};
  std::atomic<unsigned> moves_with_unsent{0};
  std::atomic<unsigned> wrong{0};
  std::atomic<unsigned> closed{0};
};

/// The server's side: echoes each line, says a line of its own with each read, and moves on in every way that there is.
class Wanderer final : public TransportHandler {
 public:
  Wanderer(std::vector<std::unique_ptr<ShardThread>>& house, Totals& totals, unsigned seed)
      : house_(house), totals_(totals), random_(seed) {}

  static void settle_on(std::unique_ptr<Wanderer> self, runtime::Shard& shard,
                        std::unique_ptr<DetachedTransport> parts) {
    Wanderer& here = *self;
    here.transport_ = parts->attach(shard);
    here.shard_ = &shard;
    here.own_ = std::move(self);  // lives by itself until on_closed
    here.transport_->set_handler(&here);
    if (std::exchange(here.paused_, false)) here.transport_->resume_reading();
  }
  static void begin(std::unique_ptr<Wanderer> self, runtime::Shard& shard, std::unique_ptr<Transport> transport) {
    Wanderer& here = *self;
    here.transport_ = std::move(transport);
    here.shard_ = &shard;
    here.own_ = std::move(self);
    here.transport_->set_handler(&here);
  }

  void on_secure() override {}
  void on_bytes(std::string_view bytes) override {
    rest_ += bytes;
    std::string_view left = rest_;
    for (std::size_t end = left.find('\n'); end != std::string_view::npos; end = left.find('\n')) {
      if (!heard_.take(left.substr(0, end))) ++totals_.wrong;
      transport_->write(left.substr(0, end + 1));
      left.remove_prefix(end + 1);
    }
    rest_.erase(0, rest_.size() - left.size());
    transport_->write(numbered('s', said_++, random_() % 300));
    if (moves_ < moves_each) {
      plan();
    } else if (moves_ == moves_each) {
      ++moves_;
      transport_->write("d 0 \n");
    }
  }
  void on_closed(CloseReason /*reason*/) override {
    ++totals_.closed;
    const std::unique_ptr<Wanderer> gone = std::move(own_);
  }

 private:
  void plan() {
    switch (random_() % 4) {
      case 0:  // right here, in the middle of reading
        return move();
      case 1:  // between two turns, perhaps with bytes that the kernel didn't take
        return later();
      case 2:  // with reading paused meanwhile
        transport_->pause_reading();
        paused_ = true;
        return later();
      default:  // with a lot on its way
        for (int i = 0; i < 40; ++i) transport_->write(numbered('s', said_++, 2000));
        return later();
    }
  }
  void later() {
    if (std::exchange(leaving_, true)) return;
    shard_->post([this, alive = std::weak_ptr(alive_)] {
      if (!alive.expired() && std::exchange(leaving_, false)) move();
    });
  }
  void move() {
    leaving_ = false;
    if (transport_->unsent() > 0) ++totals_.moves_with_unsent;
    std::unique_ptr<DetachedTransport> parts = transport_->detach();
    transport_.reset();
    ++moves_;
    ++totals_.moves;
    runtime::Shard& next = house_[random_() % shards]->shard();
    alive_ = std::make_shared<int>();
    next.post([self = std::move(own_), parts = std::move(parts), &next]() mutable {
      settle_on(std::move(self), next, std::move(parts));
    });
  }

  std::vector<std::unique_ptr<ShardThread>>& house_;
  Totals& totals_;
  std::minstd_rand random_;
  runtime::Shard* shard_ = nullptr;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Wanderer> own_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  Checker heard_{'c'};
  std::string rest_;
  unsigned said_ = 0;
  unsigned moves_ = 0;
  bool leaving_ = false;
  bool paused_ = false;
};

/// The client's side: keeps some lines in flight until the server has moved often enough, then waits for the last echo.
void converse(Socket socket, unsigned seed, std::string& trouble) {
  TlsClient client(std::move(socket));
  if (const std::string failed = client.handshake(); !failed.empty()) {
    trouble = failed;
    return;
  }
  fcntl(client.socket().get(), F_SETFL, O_NONBLOCK);
  SSL_set_mode(client.ssl(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  std::minstd_rand random(seed);
  Checker echoes('c');
  Checker statements('s');
  std::string to_send;
  std::string received;
  std::array<char, 16 * 1024> buffer{};
  unsigned sent = 0;
  bool done = false;
  while (!done || echoes.count() < sent) {
    while (!done && sent - echoes.count() < 40) to_send += numbered('c', sent++, random() % 3000);
    std::size_t size = 0;
    if (!to_send.empty() && SSL_write_ex(client.ssl(), to_send.data(), to_send.size(), &size) == 1)
      to_send.erase(0, size);
    bool read_any = false;
    while (SSL_read_ex(client.ssl(), buffer.data(), buffer.size(), &size) == 1) {
      received.append(buffer.data(), size);
      read_any = true;
    }
    if (const int error = SSL_get_error(client.ssl(), 0);
        error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      trouble = "the connection ended";
      return;
    }
    std::string_view left = received;
    for (std::size_t end = left.find('\n'); end != std::string_view::npos; end = left.find('\n')) {
      const std::string_view line = left.substr(0, end);
      const bool right = line.front() == 'c'   ? echoes.take(line)
                         : line.front() == 's' ? statements.take(line)
                                               : line == "d 0 ";
      if (!right) {
        trouble = "not the next line: " + std::string(line.substr(0, 20));
        return;
      }
      done = done || line.front() == 'd';
      left.remove_prefix(end + 1);
    }
    received.erase(0, received.size() - left.size());
    if (read_any) continue;
    const short events = to_send.empty() ? POLLIN : POLLIN | POLLOUT;
    pollfd waiting{.fd = client.socket().get(), .events = events, .revents = 0};
    if (poll(&waiting, 1, 20'000) == 0) {
      trouble = "nothing came for 20 seconds";
      return;
    }
  }
}

TEST(MovingConnection, ten_thousand_moves_lose_double_and_reorder_nothing) {
  TestCertificates certificates;
  const ConnectionSettings settings{.contexts = &certificates.store};
  std::vector<std::unique_ptr<ShardThread>> house;
  for (unsigned i = 0; i < shards; ++i) house.push_back(std::make_unique<ShardThread>(i));
  Totals totals;
  std::vector<std::string> troubles(connections);
  {
    std::vector<std::jthread> clients;
    for (unsigned i = 0; i < connections; ++i) {
      SocketPair pair = tcp_pair();
      runtime::Shard& first = house[i % shards]->shard();
      first.post([&, i, server = std::move(pair.server)]() mutable {
        Wanderer::begin(
            std::make_unique<Wanderer>(house, totals, i + 1), first,
            std::make_unique<Connection>(first, std::move(server), "127.0.0.1", settings, Connection::Begin::tls));
      });
      clients.emplace_back([&troubles, i, client = std::move(pair.client)]() mutable {
        converse(std::move(client), i + 100, troubles[i]);
      });
    }
  }
  for (const std::string& trouble : troubles) EXPECT_EQ(trouble, "");
  EXPECT_EQ(totals.moves, connections * moves_each);
  EXPECT_GT(totals.moves_with_unsent, 0U);
  EXPECT_EQ(totals.wrong, 0U);
  // The clients have gone; each server's side hears of it, wherever it is.
  while (totals.closed < connections) {
    for (auto& one : house) one->settle();
  }
  for (auto& one : house) EXPECT_TRUE(one->faults().empty());
}

}  // namespace
}  // namespace kith::net::testing
