// One connection of the generator: a non-blocking socket, later TLS 1.3 on it. It knows no XMPP and no loop.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

#include "loopback.h"

namespace kith::bench {

/// TLS 1.3 only, so that every server does the same handshake; no certificate is checked, since it is the run's own.
std::shared_ptr<SSL_CTX> new_client_context();

class Link {
 public:
  enum class Progress { done, waiting, failed };

  Link() = default;
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Begins to connect. Empty, or why the kernel refuses.
  std::string connect(const Endpoint& endpoint);
  /// Once the socket is writable: empty, or why there is no connection.
  std::string connected() const;
  /// With a session of an earlier connection, it is resumed if the server still takes it.
  void begin_tls(SSL_CTX* context, const std::string& server_name, SSL_SESSION* earlier = nullptr);
  /// What a later connection can resume, once the server has said something after the handshake.
  std::shared_ptr<SSL_SESSION> tls_session() const;
  bool tls_resumed() const { return SSL_session_reused(ssl_) == 1; }
  /// The tls-exporter of RFC 9266.
  std::string channel_binding() const;
  Progress handshake();

  /// Appends what has arrived to `into`; `waiting` when there is no more for now.
  Progress read(std::string& into);
  void queue(std::string_view bytes) { out_ += bytes; }
  /// Writes what is queued; `waiting` if the kernel takes no more for now.
  Progress flush();

  int descriptor() const { return descriptor_; }
  bool secure() const { return secure_; }
  /// True if it waits for the socket to be writable.
  bool wants_write() const { return wants_write_; }

 private:
  Progress read_tls(std::string& into);

  int descriptor_ = -1;
  SSL* ssl_ = nullptr;
  bool secure_ = false;
  bool wants_write_ = false;
  std::string out_;
};

}  // namespace kith::bench
