// A connection in memory, for tests and the simulation: the server's side is a Transport, the client's side is a handle
// that the test writes to and reads from. Everything is delivered by Executor::post, so a run loop that is turned by
// hand replays it exactly. TLS succeeds at once with the facts that the test gives. One thread; no encryption.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/executor.h"
#include "net/transport.h"

namespace kith::net {

struct LinkOptions {
  std::string peer_address = "192.0.2.1";
  TlsFacts tls{.version = "TLSv1.3",
               .cipher = "TLS_AES_128_GCM_SHA256",
               .sni = {},
               .alpn = {},
               .channel_bindings = {{"tls-exporter", std::string(32, 'x')}}};
  /// As from a direct TLS listener: on_secure() comes first.
  bool direct_tls = false;
  /// How much the client's side takes before it is read from: a slow reader has a small window.
  std::size_t window_bytes = std::size_t{1} << 40U;
};

namespace detail {
struct Wire;
}

/// The client's end of the link. Its end is the end of the connection.
class LinkClient {
 public:
  explicit LinkClient(std::shared_ptr<detail::Wire> wire);
  ~LinkClient();
  LinkClient(const LinkClient&) = delete;
  LinkClient& operator=(const LinkClient&) = delete;

  /// On their way to the server; they arrive when the executor runs, in one piece with what was sent before that.
  void send(std::string_view bytes);
  /// What has arrived, which makes room in the window.
  std::string take();
  const std::string& arrived() const;
  /// From now on the client's side takes so much before it is read from.
  void set_window(std::size_t bytes);
  /// Ends the client's side: what was sent still arrives, then on_closed(peer).
  void close();
  /// As if the cable were cut: what was sent and not delivered is lost; on_closed(error).
  void cut();
  /// True once the server has closed (what it wrote before lies in arrived()).
  bool closed() const;
  /// True once the server's side has done TLS.
  bool secure() const;

 private:
  std::shared_ptr<detail::Wire> wire_;
};

struct Link {
  std::unique_ptr<Transport> server;
  std::unique_ptr<LinkClient> client;
};

Link make_link(Executor& executor, LinkOptions options = {});

}  // namespace kith::net
