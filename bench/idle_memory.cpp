// User-space memory of one idle TLS connection in the net room alone: transport, OpenSSL's session, nothing of XMPP.
// Usage: idle_memory [connections]. The clients live in a process of their own, so that only the server's side is
// counted.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/listener.h"
#include "net/testing.h"

namespace {

using namespace kith;

struct Greeter final : net::TransportHandler {
  void on_bytes(std::string_view bytes) override { transport->write(bytes); }
  void on_secure() override { ++*secure; }
  void on_closed(net::CloseReason /*reason*/) override {}
  std::unique_ptr<net::Transport> transport;
  std::size_t* secure = nullptr;
};

/// The clients: one handshake after the other, a word there and back (the tickets have come then), then idle.
[[noreturn]] void be_clients(int go, int ready, std::size_t count, const std::vector<std::string>& alpn) {
  std::uint16_t port = 0;
  if (::read(go, &port, sizeof port) != sizeof port) std::_Exit(1);
  std::vector<std::unique_ptr<net::testing::TlsClient>> clients;
  for (std::size_t i = 0; i < count; ++i) {
    net::Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::_Exit(2);
    clients.push_back(
        std::make_unique<net::testing::TlsClient>(std::move(socket), net::testing::TlsClient::Options{.alpn = alpn}));
    if (!clients.back()->handshake().empty() || !clients.back()->write("hello") ||
        clients.back()->read_exactly(5) != "hello") {
      std::_Exit(3);
    }
  }
  char byte = 'x';
  if (::write(ready, &byte, 1) != 1) std::_Exit(4);
  while (::read(go, &byte, 1) > 0) {
  }
  std::_Exit(0);
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 2000;
  if (argc > 1) {
    const std::string_view text = argv[1];
    std::from_chars(text.data(), text.data() + text.size(), count);
  }
  int go[2];
  int ready[2];
  if (pipe(go) != 0 || pipe(ready) != 0) return 1;
  const pid_t child = fork();
  if (child == 0) {
    ::close(go[1]);
    be_clients(go[0], ready[1], count, {"xmpp-client"});
  }
  ::close(ready[1]);

  const net::testing::TestCertificates certificates;
  const net::ConnectionSettings settings{.contexts = &certificates.store, .alpn = "xmpp-client"};
  const SystemClock clock;
  Events events(clock, LogLevel::error, log_to_stderr());
  std::vector<std::unique_ptr<Greeter>> greeters;
  greeters.reserve(count);
  std::size_t secure = 0;
  runtime::Shard shard(0, clock);
  auto listener = net::Listener::open(shard, events, "127.0.0.1:0", [&](net::Socket socket, std::string peer) {
    auto greeter = std::make_unique<Greeter>();
    greeter->secure = &secure;
    greeter->transport = std::make_unique<net::Connection>(shard, std::move(socket), std::move(peer), settings,
                                                           net::Connection::Begin::tls);
    greeter->transport->set_handler(greeter.get());
    greeters.push_back(std::move(greeter));
  });
  if (!listener) {
    std::fprintf(stderr, "%s\n", listener.error().c_str());
    return 1;
  }
  const std::uint16_t port = (*listener)->port();
  const std::size_t used_before = mallinfo2().uordblks;
  const std::size_t resident_before = resident_bytes();
  const auto begin = std::chrono::steady_clock::now();
  if (::write(go[1], &port, sizeof port) != sizeof port) return 1;
  std::thread waiter([&] {
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) std::fprintf(stderr, "the clients failed\n");
    shard.stop();
  });
  shard.run([](const char* what) { std::fprintf(stderr, "%s\n", what); });
  waiter.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double connections = static_cast<double>(greeters.size());
  std::printf("%zu idle TLS connections (%zu secure), sizeof(Connection) = %zu\n", greeters.size(), secure,
              sizeof(net::Connection));
  std::printf("heap:     %.2f KiB each\n",
              static_cast<double>(mallinfo2().uordblks - used_before) / connections / 1024);
  std::printf("resident: %.2f KiB each\n",
              static_cast<double>(resident_bytes() - resident_before) / connections / 1024);
  std::printf("(connect, handshake and one word there and back: %.0f µs each, both sides)\n",
              took.count() * 1e6 / connections);
  greeters.clear();
  listener->reset();
  ::close(go[1]);
  waitpid(child, nullptr, 0);
  return secure == count ? 0 : 1;
}
