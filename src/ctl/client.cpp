#include "ctl/client.h"

#include <chrono>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "base/secret.h"

namespace kith::ctl {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::local::stream_protocol;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds answer_time{45};
constexpr std::size_t answer_bytes = 256U * 1024 * 1024;  // a list of all accounts of a large server

std::string why_unreachable(const std::string& socket, const error_code& error) {
  if (error == boost::system::errc::no_such_file_or_directory) {
    return "There is no kithd at " + socket + "; start it, or name its socket with --socket.";
  }
  if (error == boost::system::errc::connection_refused) {
    return "Nobody answers at " + socket + " any more; start kithd again, or name its socket with --socket.";
  }
  if (error == boost::system::errc::permission_denied) {
    return "You may not use " + socket + "; run kithctl as the user that kithd runs as, or as root.";
  }
  return "kithd cannot be reached at " + socket + " (" + error.message() + "); name its socket with --socket.";
}

}  // namespace

std::expected<Answer, std::string> ask(const std::string& path, const Request& request) {
  asio::io_context io;
  stream_protocol::socket socket(io);
  error_code error;
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return std::unexpected("\"" + path + "\" is too long for a socket, or empty; name another with --socket.");
  }
  socket.connect(stream_protocol::endpoint(path), error);
  if (error) return std::unexpected(why_unreachable(path, error));

  http::request<http::string_body> message;
  message.method_string(request.method);
  message.target(request.target);
  message.set(http::field::host, "kith");
  message.set(http::field::connection, "close");
  if (!request.body.empty()) message.set(http::field::content_type, "application/json");
  message.body() = request.body;
  message.prepare_payload();

  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(answer_bytes);
  error_code outcome = asio::error::timed_out;
  http::async_write(socket, message, [&](error_code written, std::size_t) {
    // Even after a failed write there may be an answer: a refusal that did not wait for the whole request.
    outcome = asio::error::timed_out;
    (void)written;
    http::async_read(socket, buffer, parser, [&](error_code read, std::size_t) { outcome = read; });
  });
  io.run_for(answer_time);
  wipe(message.body());
  if (outcome == asio::error::timed_out) {
    return std::unexpected("kithd did not answer at " + path + " within 45 seconds; look at its log.");
  }
  if (outcome)
    return std::unexpected("What answers at " + path +
                           " is not kithd, or kithd was stopped meanwhile; look at its log.");
  return Answer{parser.get().result_int(), std::move(parser.get().body())};
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded.push_back('%');
    encoded.push_back(hex[byte >> 4U]);
    encoded.push_back(hex[byte & 15U]);
  }
  return encoded;
}

}  // namespace kith::ctl
