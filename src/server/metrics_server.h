// GET /metrics in OpenMetrics text 1.0.0, over plain HTTP for a collector on this machine. Lives on the thread of its
// io_context. Limits: small_http.h.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "server/small_http.h"

namespace kith::server {

class MetricsServer {
 public:
  /// `text` gives all metrics, ending in `# EOF`.
  MetricsServer(boost::asio::io_context& io, std::function<std::string()> text, SmallHttpLimits limits = {});

  /// Listens at a loopback address; port 0 takes any. The error is a sentence for people.
  /// SECURITY: any other address is refused: what is counted is not for everyone, and there is no login.
  std::expected<void, std::string> start(const std::string& address, std::uint16_t port);
  void stop() { http_.stop(); }
  /// The port that it listens at, or 0.
  std::uint16_t port() const { return port_; }

 private:
  boost::asio::io_context& io_;
  SmallHttp http_;
  std::uint16_t port_ = 0;
};

}  // namespace kith::server
