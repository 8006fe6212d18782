// HTTP/1.1 for browsers, upload and invitations (RFC 9110, RFC 9112): the glue between a transport, the parser of
// requests and the features that answer. Lives on each shard; a connection stays on the one that accepted it, unless it
// becomes a WebSocket, which moves like any client's stream.
//
// Limits: base/limits.h: bytes, lines and time of a head, time between two requests, bytes that must come or go in a
// while, requests of one address; as many requests at once as connections, since one is answered after another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/network.h"
#include "base/random.h"
#include "base/rate_table.h"
#include "base/timer_wheel.h"
#include "http/request_parser.h"
#include "module/hooks.h"
#include "module/module.h"
#include "net/transport.h"

namespace kith::http {

/// A connection that was asked to become a WebSocket (RFC 6455 §4), and may: the answer is written. From here on it is
/// whoever's it is given to.
struct Upgraded {
  std::unique_ptr<net::Transport> transport;
  std::string bytes;         ///< what came behind the request already
  std::string peer_address;  ///< the client's, also behind a proxy
  bool own_tls = false;      ///< it came over TLS to us, not to a proxy: only then do channel bindings mean anything
};

/// Who takes them.
class WebSockets {
 public:
  virtual ~WebSockets() = default;
  /// Whether a page from `origin` may ("https://chat.example.org"; empty: it is no page, but a program).
  virtual bool welcomes(std::string_view origin) const = 0;
  /// Counts one more connection of that address and says who takes it, or nothing if there is no place.
  virtual std::move_only_function<void(Upgraded)> admit(const std::string& peer_address) = 0;
};

/// What of the configuration it needs; a reload hands over another.
struct HttpSettings {
  std::vector<std::string> trusted_proxies;  ///< addresses; 127.0.0.1 and ::1 as a rule
};

struct HttpDeps {
  Executor& shard;
  const Clock& clock;
  Events& events;
  TimerWheel& timers;
  const Limits& limits;
  const module::Hosts& hosts;
  const module::Hooks& hooks;
  RateTable& rates;        ///< requests by address; of its own, so that a flood of them blocks nothing else
  WebSockets* websockets;  ///< null: there are none
};

class HttpConnection;

class HttpService {
 public:
  HttpService(HttpDeps deps, HttpSettings settings);
  ~HttpService();
  HttpService(const HttpService&) = delete;
  HttpService& operator=(const HttpService&) = delete;

  /// A connection that was just accepted; with `tls` its handshake has begun. `place` is held while it is open.
  void accept(std::unique_ptr<net::Transport> transport, bool tls, std::shared_ptr<void> place);
  /// Connections between two requests end, the others after theirs; new ones at once.
  void shut_down();
  void reload(HttpSettings settings) { settings_ = std::move(settings); }
  std::size_t size() const { return connections_.size(); }
  bool trusts(const std::string& address) const;

 private:
  friend class HttpConnection;
  HttpConnection* find(std::uint64_t id) const;
  void remove_soon(std::uint64_t id);
  /// The one that answers for this path, whatever its methods; null if none does.
  const module::HttpHandler* handler(const std::string& host, std::string_view path) const;
  bool serves(const std::string& host) const;
  /// False if that address asks too much.
  bool may_ask(const std::string& peer_address);

  HttpDeps deps_;
  HttpSettings settings_;
  std::unordered_map<std::uint64_t, std::unique_ptr<HttpConnection>> connections_;
  std::uint64_t ids_ = 0;
  bool stopping_ = false;
  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);  ///< an exchange may outlive us
  Gauge& open_;
  Counter& requests_;
  Counter& failures_;
};

}  // namespace kith::http
