// What the tests of this room share: a shard on a thread of its own, a TLS client on a blocking socket, a directory
// with a certificate. For tests only; nothing here waits longer than a few seconds for a peer that should have
// answered.
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.h"
#include "net/certificates.h"
#include "net/connection.h"
#include "net/socket.h"
#include "runtime/shard.h"

namespace kith::net::testing {

/// A directory that goes with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "kith-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A certificate for each domain, made on the spot.
struct TestCertificates {
  explicit TestCertificates(std::vector<std::string> domains = {"example.org"})
      : store({.directories = {directory.path()}, .domains = domains}, clock) {
    for (const std::string& domain : domains) {
      if (!create_self_signed(directory.path(), domain, {}, clock)) throw std::runtime_error("no certificate");
    }
    if (!store.reload().empty()) throw std::runtime_error("the certificate is not good");
  }
  SystemClock clock;
  TemporaryDirectory directory;
  CertificateStore store;
};

/// A shard that runs.
class ShardThread {
 public:
  explicit ShardThread(unsigned index = 0) : shard_(index, clock_) {
    thread_ = std::jthread([this] {
      shard_.run([this](const char* what) {
        const std::lock_guard lock(mutex_);
        faults_.emplace_back(what);
      });
    });
  }
  ~ShardThread() { shard_.stop(); }
  ShardThread(const ShardThread&) = delete;
  ShardThread& operator=(const ShardThread&) = delete;

  runtime::Shard& shard() { return shard_; }
  /// Runs `work` on the shard and hands its result back.
  template <class Work>
  auto run(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto result = task.get_future();
    shard_.post([&task] { task(); });
    return result.get();
  }
  /// Waits until everything posted so far, and one turn more, is done.
  void settle() {
    run([] {});
    run([] {});
  }
  std::vector<std::string> faults() {
    const std::lock_guard lock(mutex_);
    return faults_;
  }

 private:
  SystemClock clock_;
  runtime::Shard shard_;
  std::mutex mutex_;
  std::vector<std::string> faults_;
  std::jthread thread_;
};

struct SocketPair {
  Socket server;  // non-blocking
  Socket client;  // blocking, with a time-out
};

/// Two ends of a TCP connection over loopback. `client_buffer` bounds what the client's kernel takes, for slow readers.
inline SocketPair tcp_pair(int client_buffer = 0) {
  Socket listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (client_buffer > 0) setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &client_buffer, sizeof client_buffer);
  if (bind(listener.get(), raw, length) != 0 || listen(listener.get(), 1) != 0 ||
      getsockname(listener.get(), raw, &length) != 0 || connect(client.get(), raw, length) != 0) {
    throw std::runtime_error("no TCP over loopback");
  }
  Socket server(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const int on = 1;
  setsockopt(client.get(), IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
  return {.server = std::move(server), .client = std::move(client)};
}

/// A client that trusts anybody, on a blocking socket.
class TlsClient {
 public:
  struct Options {
    std::string sni = "example.org";
    std::vector<std::string> alpn{};
    int min_version = 0;
    int max_version = 0;
    std::string ciphers{};
    SSL_SESSION* resume = nullptr;
  };

  explicit TlsClient(Socket socket) : TlsClient(std::move(socket), Options{}) {}
  TlsClient(Socket socket, const Options& options)
      : socket_(std::move(socket)), context_(SSL_CTX_new(TLS_client_method())) {
    ::signal(SIGPIPE, SIG_IGN);                     // OpenSSL writes to sockets that the server may have closed
    SSL_CTX_set_security_level(context_.get(), 0);  // so that old protocols are offered at all
    SSL_CTX_set_min_proto_version(context_.get(), options.min_version != 0 ? options.min_version : TLS1_VERSION);
    if (options.max_version != 0) SSL_CTX_set_max_proto_version(context_.get(), options.max_version);
    if (!options.ciphers.empty()) SSL_CTX_set_cipher_list(context_.get(), options.ciphers.c_str());
    ssl_.reset(SSL_new(context_.get()));
    if (!options.sni.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.sni.c_str());
    std::string protocols;
    for (const std::string& name : options.alpn) protocols += static_cast<char>(name.size()) + name;
    if (!protocols.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
    }
    if (options.resume != nullptr) SSL_set_session(ssl_.get(), options.resume);
    SSL_set_fd(ssl_.get(), socket_.get());
  }

  /// Empty if it succeeded, else OpenSSL's reason.
  std::string handshake() {
    ERR_clear_error();
    if (SSL_connect(ssl_.get()) == 1) return {};
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != nullptr ? reason : "no reason";
  }
  bool write(std::string_view bytes) {
    std::size_t written = 0;
    return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) == 1 && written == bytes.size();
  }
  /// At most one record; empty at the end.
  std::string read() {
    std::array<char, 16 * 1024> buffer{};
    std::size_t got = 0;
    if (SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &got) != 1) {
      end_ = SSL_get_error(ssl_.get(), 0);
      return {};
    }
    return {buffer.data(), got};
  }
  std::string read_exactly(std::size_t size) {
    while (rest_.size() < size) {
      const std::string piece = read();
      if (piece.empty()) break;
      rest_ += piece;
    }
    std::string all = rest_.substr(0, size);
    rest_.erase(0, all.size());
    return all;
  }
  std::string read_to_end() {
    std::string all = std::exchange(rest_, {});
    for (std::string piece = read(); !piece.empty(); piece = read()) all += piece;
    return all;
  }
  /// True if the server's last word was a close_notify.
  bool ended_cleanly() const { return end_ == SSL_ERROR_ZERO_RETURN; }
  std::string exporter() {
    std::string key(32, '\0');
    SSL_export_keying_material(ssl_.get(), reinterpret_cast<unsigned char*>(key.data()), key.size(),
                               "EXPORTER-Channel-Binding", 24, nullptr, 0, 1);
    return key;
  }
  SSL* ssl() { return ssl_.get(); }
  /// The common name in the certificate that the server showed.
  std::string served_name() {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl()), &X509_free);
    std::array<char, 256> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name.data(), name.size());
    return name.data();
  }
  Socket& socket() { return socket_; }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  Socket socket_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string rest_;
  int end_ = 0;
};

}  // namespace kith::net::testing
