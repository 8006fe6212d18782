// kith-floor: what the machine could do at all. A TLS forwarder that parses nothing: two connections that come one
// after the other are a pair, and what one sends, the other gets. The same TLS settings as Kith's, one process, one
// thread, epoll; a message costs it a read, a write and the cipher twice, which no server can do without.
//
//   kith-floor --port PORT --certificate cert.pem --key key.pem
//
// Limits: loopback only; what waits for a connection that does not read is at most `most_waiting_bytes`, then its peer
// is read no further.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <CLI/CLI.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load/loopback.h"

namespace {

constexpr std::size_t most_waiting_bytes = 256 * 1024;
constexpr std::size_t read_bytes = 16 * 1024;
constexpr int backlog = 4096;

struct Connection {
  int descriptor = -1;
  SSL* ssl = nullptr;
  Connection* peer = nullptr;
  bool open = false;  // the handshake is done
  bool broken = false;
  std::uint32_t watched = EPOLLIN;
  std::string out;  // what its peer has sent and the kernel has not taken

  ~Connection() {
    SSL_free(ssl);
    ::close(descriptor);
  }
};

class Floor {
 public:
  Floor(SSL_CTX* context, int listener) : context_(context), listener_(listener), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events;
    while (true) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (connection == nullptr) {
          accept_all();
        } else if (!connection->broken) {
          on_ready(*connection);
        }
      }
      for (Connection* connection : std::exchange(to_close_, {})) all_.erase(connection);
    }
  }

 private:
  void accept_all() {
    while (true) {
      const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) return;
      const int on = 1;
      setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto made = std::make_unique<Connection>();
      Connection* connection = made.get();
      all_.emplace(connection, std::move(made));
      connection->descriptor = descriptor;
      connection->ssl = SSL_new(context_);
      SSL_set_fd(connection->ssl, descriptor);
      SSL_set_accept_state(connection->ssl);
      if (single_ == nullptr) {
        single_ = connection;
      } else {
        connection->peer = std::exchange(single_, nullptr);
        connection->peer->peer = connection;
      }
      epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
    }
  }

  void on_ready(Connection& connection) {
    ERR_clear_error();
    if (!connection.open) {
      const int done = SSL_do_handshake(connection.ssl);
      if (done != 1) return waits(connection, done) ? watch(connection) : close(connection);
      connection.open = true;
    }
    if (!connection.out.empty()) flush(connection);
    forward(connection);
  }

  static bool waits(const Connection& connection, int result) {
    const int why = SSL_get_error(connection.ssl, result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
  }

  void forward(Connection& from) {
    std::array<char, read_bytes> buffer;
    while (!from.broken && (from.peer == nullptr || from.peer->out.size() < most_waiting_bytes)) {
      ERR_clear_error();
      const int got = SSL_read(from.ssl, buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0) {
        if (!waits(from, got)) return close(from);
        break;
      }
      if (from.peer != nullptr) from.peer->out.append(buffer.data(), static_cast<std::size_t>(got));
      if (SSL_has_pending(from.ssl) == 0) break;
    }
    if (from.peer != nullptr && from.peer->open) flush(*from.peer);
    watch(from);
  }

  void flush(Connection& to) {
    while (!to.out.empty()) {
      ERR_clear_error();
      const int sent = SSL_write(to.ssl, to.out.data(), static_cast<int>(to.out.size()));
      if (sent <= 0) {
        if (!waits(to, sent)) return close(to);
        break;
      }
      to.out.erase(0, static_cast<std::size_t>(sent));
    }
    // An idle connection holds no buffer; one that is busy keeps a small one.
    if (to.out.empty() && to.out.capacity() > read_bytes) to.out = std::string();
    watch(to);
    if (to.peer != nullptr && !to.peer->broken) watch(*to.peer);
  }

  /// Readable, unless too much waits for the peer; writable, if something waits for it.
  void watch(Connection& connection) {
    if (connection.broken) return;
    const bool full = connection.peer != nullptr && connection.peer->out.size() >= most_waiting_bytes;
    const std::uint32_t wanted =
        (full ? 0U : static_cast<std::uint32_t>(EPOLLIN)) |
        (connection.out.empty() || !connection.open ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
    if (wanted == connection.watched) return;
    connection.watched = wanted;
    epoll_event event{.events = wanted, .data = {.ptr = &connection}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.descriptor, &event);
  }

  void close(Connection& connection) {
    if (connection.broken) return;
    connection.broken = true;
    epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.descriptor, nullptr);
    if (single_ == &connection) single_ = nullptr;
    if (connection.peer != nullptr) connection.peer->peer = nullptr;
    to_close_.push_back(&connection);
  }

  SSL_CTX* context_;
  int listener_;
  int epoll_;
  Connection* single_ = nullptr;  // came last and waits for its peer
  std::unordered_map<Connection*, std::unique_ptr<Connection>> all_;
  std::vector<Connection*> to_close_;
};

/// As Kith's own (net/tls_engine.cpp), but for SNI and ALPN, which a forwarder has no use for.
std::shared_ptr<SSL_CTX> server_context(const std::string& certificate, const std::string& key) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
  SSL_CTX_set1_groups_list(context.get(), "X25519:P-256:P-384");
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 1);
  SSL_CTX_set_read_ahead(context.get(), 1);  // a record's head and body by one system call
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    return nullptr;
  return context;
}

int listen_at(const kith::bench::Endpoint& endpoint) {
  const int listener = ::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) != 0 ||
      ::listen(listener, backlog) != 0)
    return -1;
  return listener;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A TLS forwarder that parses nothing: the floor under what a server can cost"};
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::string certificate;
  std::string key;
  app.add_option("--address", address, "a loopback address")->capture_default_str();
  app.add_option("--port", port, "where it listens")->required();
  app.add_option("--certificate", certificate, "PEM file")->required();
  app.add_option("--key", key, "PEM file")->required();
  CLI11_PARSE(app, argc, argv);

  const auto endpoint = kith::bench::loopback_endpoint(address, port);
  if (!endpoint) {
    std::fprintf(stderr, "kith-floor: %s is not a loopback address\n", address.c_str());
    return 2;
  }
  const auto context = server_context(certificate, key);
  if (!context) {
    std::fprintf(stderr, "kith-floor: %s and %s are no certificate with its key\n", certificate.c_str(), key.c_str());
    return 1;
  }
  const int listener = listen_at(*endpoint);
  if (listener < 0) {
    std::fprintf(stderr, "kith-floor: cannot listen on port %u: %s\n", port, std::strerror(errno));
    return 1;
  }
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  signal(SIGPIPE, SIG_IGN);
  Floor(context.get(), listener).run();
}
