// TLS without a socket: ciphertext in, plaintext out, and the other way round. OpenSSL 3, either side.
// TLS 1.2 (ECDHE with AEAD ciphers only) and 1.3, no renegotiation, no compression; resumption by stateless tickets
// only. Holds nothing but OpenSSL's session: bytes lie in buffers that the caller lends for one call.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/tls_pins.h"
#include "net/transport.h"

struct ssl_st;
struct ssl_ctx_st;
struct x509_store_st;

namespace kith::net {

/// Who knows the certificate for a name. Must outlive the connections that ask; any thread.
class TlsContexts {
 public:
  virtual ~TlsContexts() = default;
  /// The context with the certificate for this host name (in ASCII); null if there is none for it.
  virtual std::shared_ptr<ssl_ctx_st> context_for(std::string_view name) const = 0;
  /// The context for who names no host, or one that we do not know. Null if there is no certificate at all.
  virtual std::shared_ptr<ssl_ctx_st> default_context() const = 0;
};

/// A new context with this house's settings and no certificate. Throws std::runtime_error if OpenSSL refuses a setting.
std::shared_ptr<ssl_ctx_st> new_server_context();

/// A new context for the client's side. Throws likewise.
std::shared_ptr<ssl_ctx_st> new_client_context();

/// Whom the certificates of other servers must lead back to: those that the system trusts, and those in `file` if it is
/// not empty. Throws std::runtime_error, with a sentence, if the file cannot be used.
std::shared_ptr<x509_store_st> load_trusted_certificates(const std::string& file);

/// What one call to the engine reads from and writes to.
struct TlsIo {
  std::string_view input;                 ///< ciphertext from the peer; what is left of it was not needed yet
  std::span<char> output;                 ///< room for ciphertext to the peer; shrinks from the front as it fills
  std::string* overflow;                  ///< takes what does not fit into `output`
  const TlsContexts* contexts = nullptr;  ///< handshake only: who answers the client's SNI
  std::string_view alpn{};                ///< handshake only: the protocol to choose; empty: ALPN is ignored
};

class TlsEngine {
 public:
  enum class Result {
    done,
    more,    ///< needs more input
    closed,  ///< the peer said close_notify
    failed   ///< see `why`
  };
  /// The most that one record adds to its plaintext, generously.
  static constexpr std::size_t record_overhead = 256;
  static constexpr std::size_t record_bytes = 16 * 1024;

  TlsEngine() = default;
  explicit operator bool() const { return ssl_ != nullptr; }

  /// Begins the server's side, with the certificate for `name` unless the client asks for another by SNI; an empty or
  /// unknown name means the default one. False if there is no certificate at all, or no memory.
  /// With `trusted`, the client is asked for a certificate, and may have none.
  bool accept(const TlsContexts& contexts, std::string_view name = {}, x509_store_st* trusted = nullptr);
  /// Begins the client's side with `peer`. Shows the certificate of `own` if `contexts` has one. With `pins`, of which
  /// at least one can be understood, they decide what of the peer's is believed (RFC 7671), and not `trusted` alone.
  bool connect(const std::shared_ptr<ssl_ctx_st>& context, std::string_view peer, std::string_view alpn,
               const TlsContexts& contexts, std::string_view own, x509_store_st* trusted,
               const TlsPins* pins = nullptr);
  /// True on the client's side before the handshake.
  bool speaks_first() const;
  Result handshake(TlsIo& io, std::string& why);
  /// Decrypts at most one record into `plain`, which must hold record_bytes.
  Result read(TlsIo& io, std::span<char> plain, std::size_t& got, std::string& why);
  /// Encrypts `plain` (not empty), at most record_bytes, into one record.
  Result write(TlsIo& io, std::string_view plain, std::string& why);
  void send_close_notify(TlsIo& io);
  void reset() { ssl_.reset(); }

  /// Only after the handshake.
  TlsFacts facts() const;
  /// Only after the handshake: see Transport::certifies().
  bool certifies(std::string_view domain) const;
  std::string certificate_problem(std::string_view domain) const;
  /// Pins were given, and decide.
  bool pinned() const { return pinned_; }

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  void pin(std::string_view peer, const TlsPins& pins);
  Result explain(int result, std::string& why);
  bool begin(ssl_ctx_st* context, x509_store_st* trusted);
  std::unique_ptr<ssl_st, Free> ssl_;
  bool pinned_ = false;
};

}  // namespace kith::net
