// A small HTTP/1.1 server for what only this machine may ask: the admin API and the metrics. Not for the public side.
// Lives on the thread of its io_context, every call included; a reply may be given on any thread.
// Limits: 32 connections at once (more are closed at once), headers 16 KiB, body 64 KiB, 10 seconds per request from
// its first wait to its last byte, connections kept open for further requests.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

namespace kith::server {

struct SmallHttpLimits {
  std::size_t connections = 32;
  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 64 * 1024;
  std::chrono::milliseconds request_time{10'000};
};

struct SmallHttpRequest {
  std::string method;
  std::string target;
  std::string body;
};

struct SmallHttpReply {
  int status = 200;
  std::string content_type;
  std::string body;
};

class SmallHttp {
 public:
  using Reply = std::move_only_function<void(SmallHttpReply)>;
  /// Calls `reply` once. Dropped without being called, or too late, the client gets `overdue` instead.
  using Handler = std::function<void(SmallHttpRequest, Reply)>;

  SmallHttp(boost::asio::io_context& io, Handler handler, SmallHttpReply overdue, SmallHttpLimits limits);
  /// Stops. The handler is not called any more; the io_context must outlive replies that are still to come.
  ~SmallHttp();
  SmallHttp(const SmallHttp&) = delete;
  SmallHttp& operator=(const SmallHttp&) = delete;

  /// Accepts from a listening socket.
  void serve(boost::asio::local::stream_protocol::acceptor acceptor);
  void serve(boost::asio::ip::tcp::acceptor acceptor);
  /// Closes the listening socket and all connections.
  void stop();

 private:
  struct Core;
  class Connection;
  template <class Acceptor>
  static void accept(std::shared_ptr<Core> core, std::shared_ptr<Acceptor> acceptor);

  std::shared_ptr<Core> core_;
};

}  // namespace kith::server
