#include "server/admin_server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kith::server {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

namespace {

SmallHttpReply json_reply(AdminResponse response) {
  return {response.status, "application/json", std::move(response.body)};
}

std::expected<void, std::string> make_directory(const std::filesystem::path& directory) {
  std::error_code error;
  if (directory.empty() || std::filesystem::is_directory(directory, error)) return {};
  std::filesystem::create_directories(directory.parent_path(), error);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(fmt::format("The directory {} for the admin socket cannot be made: {}.", directory.string(),
                                       std::generic_category().message(errno)));
  }
  return {};
}

/// Takes a socket out of the way that was left behind by a daemon that is gone.
std::expected<void, std::string> clear_place(asio::io_context& io, const std::filesystem::path& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return std::unexpected(
        fmt::format("{} exists and is not a socket; move it away or choose another admin socket.", path.string()));
  }
  stream_protocol::socket probe(io);
  error_code error;
  probe.connect(stream_protocol::endpoint(path.string()), error);
  if (error != asio::error::connection_refused && error != asio::error::not_found) {
    return std::unexpected(
        fmt::format("Another kithd answers at {}; stop it or choose another admin socket.", path.string()));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return std::unexpected(fmt::format("The stale admin socket {} cannot be removed: {}.", path.string(),
                                       std::generic_category().message(errno)));
  }
  return {};
}

}  // namespace

AdminServer::AdminServer(asio::io_context& io, AdminApi& api, SmallHttpLimits limits)
    : io_(io),
      http_(
          io,
          [&api](SmallHttpRequest request, SmallHttp::Reply reply) {
            api.handle(
                {std::move(request.method), std::move(request.target), std::move(request.body)},
                [reply = std::move(reply)](AdminResponse response) mutable { reply(json_reply(std::move(response))); });
          },
          json_reply(error_response(
              {503, "overdue", "The server did not get this done in time; look at its log, then try again."})),
          limits) {}

AdminServer::~AdminServer() { stop(); }

std::expected<void, std::string> AdminServer::start(const std::filesystem::path& path) {
  const std::string text = path.string();
  if (text.empty() || text.size() >= sizeof(sockaddr_un::sun_path)) {
    return std::unexpected(fmt::format("The admin socket's path must have 1 to {} bytes; \"{}\" has {}.",
                                       sizeof(sockaddr_un::sun_path) - 1, text, text.size()));
  }
  if (const auto made = make_directory(path.parent_path()); !made) return made;
  if (const auto cleared = clear_place(io_, path); !cleared) return cleared;

  const auto failed = [&text](std::string_view what, const error_code& error) {
    return std::unexpected(fmt::format("The admin socket {} {}: {}.", text, what, error.message()));
  };
  error_code error;
  stream_protocol::acceptor acceptor(io_);
  acceptor.open(stream_protocol(), error);
  if (error) return failed("cannot be opened", error);
  acceptor.bind(stream_protocol::endpoint(text), error);
  if (error) return failed("cannot be bound", error);
  path_ = path;
  // SECURITY: nobody can connect before listen(), so that the mode holds from the first connection on.
  if (chmod(path.c_str(), 0600) != 0) {
    return failed("cannot be closed to others", error_code(errno, boost::system::system_category()));
  }
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("cannot listen", error);
  http_.serve(std::move(acceptor));
  return {};
}

void AdminServer::stop() {
  http_.stop();
  if (!path_.empty()) unlink(path_.c_str());
  path_.clear();
}

}  // namespace kith::server
