// One connection as a stream of bytes: a TCP socket with or without TLS, or in tests a link in memory. Lives on one
// shard and moves to another by detach() and attach(). No protocol knowledge.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/executor.h"

namespace kith::net {

struct TlsFacts {
  std::string version;  ///< "TLSv1.3"
  std::string cipher;   ///< "TLS_AES_256_GCM_SHA384"
  std::string sni;      ///< the host name that the client asked for, or empty
  std::string alpn;     ///< the chosen protocol, or empty
  /// tls-exporter (TLS 1.3) and tls-server-end-point (RFC 9266, RFC 5929), raw bytes.
  std::map<std::string, std::string, std::less<>> channel_bindings;
};

enum class CloseReason { peer, local, error, tls_failed };

/// What a connection tells whoever reads it. All calls come from the shard's loop, never from inside a call to
/// Transport.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;
  /// `bytes` lie in a buffer that the shard lent for this call.
  virtual void on_bytes(std::string_view bytes) = 0;
  /// TLS is established (start_tls(), or a direct TLS listener). The facts stay readable at Transport::tls().
  virtual void on_secure() = 0;
  /// All that was written has left after unsent() had been above zero at the end of a turn.
  virtual void on_drained() {}
  /// The last call: nothing more comes, nothing more leaves.
  virtual void on_closed(CloseReason reason) = 0;
};

class DetachedTransport;

class Transport {
 public:
  virtual ~Transport() = default;  ///< aborts if still open
  virtual void set_handler(TransportHandler* handler) = 0;
  /// Appends to what leaves at the end of this turn of the loop, in one TLS record and one system call if it fits.
  virtual void write(std::string_view bytes) = 0;
  /// Bytes written and not yet taken by the kernel.
  virtual std::size_t unsent() const = 0;
  /// The same with those that the kernel has and the peer's machine has not acknowledged yet (TCP).
  virtual std::size_t unacknowledged() const { return unsent(); }
  /// on_drained() comes when all that was written has left, also if it leaves within this turn. For a handler that asks
  /// while unsent() is above zero.
  virtual void ask_drained() {}
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  /// The server's side of a TLS handshake, after what was written so far has left in the clear; with the certificate of
  /// `domain` (in ASCII) for a client that asks for none by SNI. An empty or unknown one means the default certificate.
  /// SECURITY: bytes that the peer sent in the clear before the handshake are the caller's to refuse; what the socket
  /// still holds goes to TLS and fails there.
  virtual void start_tls(std::string_view domain) = 0;
  /// The client's side of a TLS handshake with `peer` (in ASCII), showing the certificate of `own` if there is one.
  /// Whether the peer's is trusted is asked afterwards: certifies(). Otherwise as start_tls().
  virtual void start_tls_to(std::string_view peer, std::string_view own) {
    static_cast<void>(own);
    start_tls(peer);
  }
  /// True if the peer has shown a certificate that is trusted now and names `domain` (in ASCII; RFC 9525 §6: dNSName).
  virtual bool certifies(std::string_view domain) const {
    static_cast<void>(domain);
    return false;
  }
  /// True if DNS says which certificate the peer must have (DANE): then any other is that of somebody else.
  virtual bool pinned() const { return false; }
  /// Why not, in words for the administrator; empty if it does.
  virtual std::string certificate_problem(std::string_view domain) const {
    return certifies(domain) ? std::string() : "it is not trusted";
  }
  /// Sends what was written, then a TLS close_notify, then closes; gives up after a few seconds. on_closed(local)
  /// follows.
  virtual void close() = 0;
  /// Closes at once. No more calls to the handler.
  virtual void abort() = 0;
  /// "192.0.2.1" or "2001:db8::1", for limits and the log.
  virtual const std::string& peer_address() const = 0;
  /// Null without TLS. The facts are worked out when first asked for.
  virtual const TlsFacts* tls() const = 0;
  /// Gives the facts' memory back, after the login; tls() works them out again if it is asked.
  virtual void forget_facts() {}
  /// True if on_bytes() brings whole messages, which bytes of an element must not leave (RFC 7395 §3.3.3).
  virtual bool whole_messages() const { return false; }
  /// Then: the most that one may have.
  virtual void set_message_bytes(std::size_t most) { static_cast<void>(most); }
  /// Why the connection failed, for the log: after on_closed(error) or on_closed(tls_failed); empty otherwise.
  virtual std::string_view failure() const { return {}; }
  /// Takes the connection off this shard: socket, TLS state, unsent bytes. This object is dead afterwards (no more
  /// calls to the handler) and may be destroyed, also inside a call to the handler.
  virtual std::unique_ptr<DetachedTransport> detach() = 0;
};

/// A connection between two shards: a value to be moved to the other one.
class DetachedTransport {
 public:
  virtual ~DetachedTransport() = default;  ///< closes the socket if nobody attached it
  /// On `shard`'s own thread. `shard` is of the kind that the transport came from. Reading starts in the next turn;
  /// what TLS had decrypted already is not lost.
  virtual std::unique_ptr<Transport> attach(Executor& shard) = 0;
};

}  // namespace kith::net
