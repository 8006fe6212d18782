// One XMPP client of the load generator: a non-blocking socket, TLS, and just enough of the protocol to log in and
// count messages. It looks at bytes, not at a tree: the generator must cost far less than the server that it measures.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <openssl/ssl.h>

namespace kith::bench {

/// PBKDF2 is the dearest part of a login; clients of one account share its result.
class SaltedPasswords {
 public:
  const std::string& of(const std::string& password, const std::string& salt, unsigned iterations);

 private:
  std::map<std::pair<std::string, unsigned>, std::string> cache_;
};

class Client {
 public:
  struct Account {
    std::string user;
    std::string domain;
    std::string password;
    std::string resource;
  };
  enum class State {
    connecting,
    opening,
    starttls,
    handshake,
    features,
    scram_first,
    scram_final,
    reopening,
    binding,
    ready,
    failed
  };

  Client(SSL_CTX* context, SaltedPasswords& passwords, Account account, bool send_presence);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Begins to connect to 127.0.0.1:port. False if the kernel refuses.
  bool connect(std::uint16_t port);
  int descriptor() const { return descriptor_; }
  State state() const { return state_; }
  const std::string& why() const { return why_; }
  const std::string& full_jid() const { return full_jid_; }

  /// Reads and writes what the kernel allows.
  void on_ready(std::uint32_t events);
  /// Queues bytes for the stream; flush() sends them.
  void queue(std::string_view bytes) { out_ += bytes; }
  void flush();
  bool wants_write() const { return !out_.empty() || state_ == State::connecting || wants_write_; }

  /// Called for each complete <message …>…</message> or answer that arrives once ready.
  std::function<void(std::string_view stanza)> on_stanza;

 private:
  void fail(std::string why);
  void read_plain(std::string_view bytes);
  void step();
  bool take(std::string_view upto, std::string& found);
  void open_stream();
  void scram_first();
  void scram_final(const std::string& challenge);
  void stanzas();
  void handshake();

  SSL_CTX* context_;
  SaltedPasswords& passwords_;
  Account account_;
  bool send_presence_;
  int descriptor_ = -1;
  SSL* ssl_ = nullptr;
  bool secure_ = false;
  bool wants_write_ = false;
  State state_ = State::connecting;
  std::string why_;
  std::string in_;
  std::string out_;
  std::string full_jid_;
  std::string client_first_bare_;
  std::string nonce_;
};

}  // namespace kith::bench
