// A TCP connection with or without TLS, on one shard. An idle one holds no buffer and no timer: this object and
// OpenSSL's session are all. Reads into buffers that the shard lends; what a turn writes leaves at its end, in one
// record and one system call if it fits. Limits: bytes read per turn (fairness), handshake time, close time; how much
// may wait unsent is the handler's to watch, by unsent().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/timer_wheel.h"
#include "net/socket.h"
#include "net/tls_engine.h"
#include "net/transport.h"
#include "runtime/readiness.h"
#include "runtime/shard.h"

namespace kith::net {

/// What the connections of one listener share; must outlive them.
struct ConnectionSettings {
  /// Who knows the certificates; null where start_tls() is never called (a listener on loopback).
  const TlsContexts* contexts = nullptr;
  /// The protocol to choose when a direct TLS client offers any ("xmpp-client"); empty: ALPN is ignored.
  std::string alpn{};
  std::chrono::seconds handshake_time{10};
  /// For what was written to leave, and for the peer to close its side.
  std::chrono::seconds close_time{5};
  std::size_t read_bytes_per_turn = 64 * 1024;
  /// For streams between servers: whom their certificates must lead back to. The peer is asked for one then.
  std::shared_ptr<x509_store_st> trusted{};
  /// For connections that begin here, by start_tls_to() or Begin::tls_to.
  std::shared_ptr<ssl_ctx_st> client_context{};
};

class Connection final : public Transport, private runtime::Watched, private runtime::TurnEnd {
 public:
  enum class Begin { plain, tls };

  /// On `shard`'s thread. `socket` is connected and non-blocking. With Begin::tls, the handshake starts at once.
  Connection(runtime::Shard& shard, Socket socket, std::string peer_address, const ConnectionSettings& settings,
             Begin begin);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void set_handler(TransportHandler* handler) override { handler_ = handler; }
  void write(std::string_view bytes) override;
  std::size_t unsent() const override;
  std::size_t unacknowledged() const override;
  void ask_drained() override;
  void pause_reading() override;
  void resume_reading() override;
  void start_tls(std::string_view domain) override;
  void start_tls_to(std::string_view peer, std::string_view own) override;
  /// For start_tls_to(): what DNS says of the peer's certificate.
  void expect(std::shared_ptr<const TlsPins> pins) { pins_ = std::move(pins); }
  bool certifies(std::string_view domain) const override;
  bool pinned() const override { return tls_.pinned(); }
  std::string certificate_problem(std::string_view domain) const override { return tls_.certificate_problem(domain); }
  void close() override;
  void abort() override;
  const std::string& peer_address() const override { return peer_address_; }
  const TlsFacts* tls() const override;
  void forget_facts() override { facts_.reset(); }
  std::string_view failure() const override;
  std::unique_ptr<DetachedTransport> detach() override;

 private:
  enum class State : std::uint8_t {
    plain,        // no TLS (yet)
    starting,     // start_tls(): what was written in the clear leaves first
    handshaking,  // TLS is being negotiated; what is written waits
    secure,       // TLS
    lingering,    // our side is closed; waiting for the peer's
    closed        // dead
  };
  /// What a connection needs only at times.
  struct Extra {
    std::string wire;           // bytes for the kernel: ciphertext that it has not taken yet
    std::size_t wire_sent = 0;  // how many of them it has
    std::string held;           // bytes from the kernel that were not read yet when reading paused
    std::string failure;
    Timer timer;
  };
  /// All that moves.
  struct Parts;
  class Detached;
  struct Frame;

  Connection(runtime::Shard& shard, Parts parts);
  void on_ready(std::uint32_t events) override;
  void at_turn_end() override { flush(); }

  void watch();
  void on_timer();
  template <class Call>
  bool tell(Call&& call);
  bool deliver(std::string_view bytes);
  bool reads() const {
    // A pause holds back what the peer says, not the handshake.
    return !closing_ && state_ != State::starting && state_ != State::closed &&
           (!paused_ || state_ == State::handshaking);
  }

  // What returns a bool says whether the connection is still here.
  void read();
  bool read_once(std::span<char> buffer, std::size_t& budget, bool& more);
  bool read_nothing(int error, bool& more);
  bool take_tls(std::string_view input);
  bool handshake(TlsIo& io);
  bool decrypt(TlsIo& io);
  void discard();

  bool flush();
  bool send_plain();
  bool send_encrypted();
  bool send_wire();
  bool send_some(std::string_view& bytes);
  void forget_sent();
  void keep_wire(std::string& bytes);

  bool begin_handshake();
  bool say_goodbye();
  Extra& extra();
  void drop_idle_extra();
  void start_timer(std::chrono::seconds after);
  void fail(CloseReason reason, std::string why);
  void finish(CloseReason reason);
  void forget_everything();

  runtime::Shard& shard_;
  const ConnectionSettings& settings_;
  TransportHandler* handler_ = nullptr;
  Socket socket_;
  State state_;
  bool watched_ = false;
  bool paused_ = false;
  bool closing_ = false;       // close() was called
  bool blocked_ = false;       // the kernel takes no more for now
  bool owes_drained_ = false;  // something was unsent at the end of a turn
  bool hangup_ = false;        // the kernel told of the peer's end: read to it
  bool broken_ = false;        // sending failed: read what is left, then end
  bool shut_ = false;          // the close_notify is made
  TlsEngine tls_;
  std::string out_;           // plaintext for the peer
  std::size_t out_sent_ = 0;  // how much of it has become ciphertext
  std::string peer_address_;
  std::shared_ptr<const TlsPins> pins_;
  mutable std::unique_ptr<TlsFacts> facts_;
  std::unique_ptr<Extra> extra_;
  Frame* frame_ = nullptr;  // set while the handler is being called, or TLS has input in hand
};

}  // namespace kith::net
