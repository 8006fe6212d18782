// The admin socket: AdminApi over HTTP on a unix socket that only the daemon's own user can open (mode 0600, in a
// directory of mode 0700 if it had to be made). Lives on the thread of its io_context. Limits: small_http.h.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include <boost/asio/io_context.hpp>

#include "server/admin_api.h"
#include "server/small_http.h"

namespace kith::server {

class AdminServer {
 public:
  AdminServer(boost::asio::io_context& io, AdminApi& api, SmallHttpLimits limits = {});
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  /// Listens at `path`. A socket that nobody answers any more is replaced; one that is answered, or a file that is no
  /// socket, is left alone and is the error. The error is a sentence for people.
  std::expected<void, std::string> start(const std::filesystem::path& path);
  /// Stops listening, ends all connections and removes the socket.
  void stop();

 private:
  boost::asio::io_context& io_;
  SmallHttp http_;
  std::filesystem::path path_;
};

}  // namespace kith::server
