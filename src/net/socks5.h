// The client's side of SOCKS5 (RFC 1928): a connection to a host by its name through a proxy that asks for no password,
// such as Tor's. Bytes in, bytes out; no I/O. One per connection.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace kith::net {

class Socks5Call {
 public:
  /// `host`: at most 255 bytes.
  Socks5Call(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}

  /// What the proxy is told first.
  std::string hello() const;
  struct Step {
    std::string say{};  ///< to the proxy
    bool through = false;
    std::string rest{};  ///< what came behind its last word, from the host
  };
  /// The error says why there is no way, in words.
  std::expected<Step, std::string> hear(std::string_view bytes);

 private:
  const std::string host_;
  const std::uint16_t port_;
  bool greeted_ = false;
  std::string heard_;
};

}  // namespace kith::net
