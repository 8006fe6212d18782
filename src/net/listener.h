// A listening TCP socket: "127.0.0.1:5222", "0.0.0.0:5222", "[::]:5222". Lives on one shard; hands each accepted
// socket, non-blocking, to its owner, who may pass it on to another shard. Limits: accepts per turn; a process out of
// descriptors waits and says so.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/events.h"
#include "base/timer_wheel.h"
#include "net/socket.h"
#include "runtime/readiness.h"
#include "runtime/shard.h"

namespace kith::net {

class Listener final : private runtime::Watched {
 public:
  using OnAccept = std::function<void(Socket socket, std::string peer_address)>;

  /// On `shard`'s thread, or before it runs. A v6 address takes v6 connections only, so that "[::]:5222" and
  /// "0.0.0.0:5222" can stand side by side. Port 0 takes a free one. The error is a sentence.
  static std::expected<std::unique_ptr<Listener>, std::string> open(runtime::Shard& shard, Events& events,
                                                                    std::string_view address_and_port,
                                                                    OnAccept on_accept);
  ~Listener() override;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::uint16_t port() const { return port_; }
  /// "127.0.0.1:5222", with the port that was taken.
  const std::string& address() const { return address_; }

 private:
  Listener(runtime::Shard& shard, Events& events, Socket socket, std::string address, std::uint16_t port,
           OnAccept on_accept);
  void on_ready(std::uint32_t events) override;

  runtime::Shard& shard_;
  Events& events_;
  Socket socket_;
  std::string address_;
  std::uint16_t port_;
  OnAccept on_accept_;
  Timer later_;
};

/// "127.0.0.1:5222" as an address that is bound to this machine alone.
bool is_loopback(std::string_view address_and_port);

}  // namespace kith::net
