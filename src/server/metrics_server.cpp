#include "server/metrics_server.h"

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

namespace kith::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr const char* plain = "text/plain; charset=utf-8";

SmallHttpReply answer(const SmallHttpRequest& request, const std::function<std::string()>& text) {
  if (request.target != "/metrics") return {404, plain, "The metrics are at /metrics.\n"};
  if (request.method != "GET") return {405, plain, "The metrics can only be read, by GET.\n"};
  return {200, "application/openmetrics-text; version=1.0.0; charset=utf-8", text()};
}

}  // namespace

MetricsServer::MetricsServer(asio::io_context& io, std::function<std::string()> text, SmallHttpLimits limits)
    : io_(io),
      http_(
          io,
          [text = std::move(text)](const SmallHttpRequest& request, SmallHttp::Reply reply) {
            reply(answer(request, text));
          },
          {503, plain, "The metrics could not be read in time.\n"}, limits) {}

std::expected<void, std::string> MetricsServer::start(const std::string& address, std::uint16_t port) {
  error_code error;
  const asio::ip::address ip = asio::ip::make_address(address, error);
  if (error || !ip.is_loopback()) {
    return std::unexpected(
        fmt::format("Metrics are served on this machine only; use 127.0.0.1 or ::1 instead of \"{}\".", address));
  }
  const auto failed = [&](const error_code& why) {
    return std::unexpected(fmt::format("Metrics cannot be served at {} port {}: {}.", address, port, why.message()));
  };
  const tcp::endpoint endpoint(ip, port);
  tcp::acceptor acceptor(io_);
  acceptor.open(endpoint.protocol(), error);
  if (error) return failed(error);
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (error) return failed(error);
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed(error);
  port_ = acceptor.local_endpoint(error).port();
  http_.serve(std::move(acceptor));
  return {};
}

}  // namespace kith::server
