// A blocking XMPP client over TLS, for scenarios: one connection, used by one thread, each wait bounded. Logs in by
// STARTTLS and PLAIN (RFC 6120 §5, §6), which every server offers; the certificate must be of the given authority and
// for the domain.
#pragma once

#include <chrono>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

#include "xml/stream_parser.h"

namespace kith::scenario {

/// Where the server is.
struct Target {
  std::string host;  ///< an address
  int port = 0;
  std::string domain;
  std::string authority;  ///< a file with its certificate, PEM
};

class WireClient {
 public:
  /// Connects, logs in, binds. The error says how far it came.
  static std::expected<std::unique_ptr<WireClient>, std::string> log_in(const Target& target, const std::string& user,
                                                                        const std::string& password,
                                                                        const std::string& resource);
  /// Only makes the object; log_in() does the rest.
  explicit WireClient(const Target& target) : target_(target) {}
  ~WireClient();
  WireClient(const WireClient&) = delete;
  WireClient& operator=(const WireClient&) = delete;

  void send(std::string_view text);
  /// The next element; waits for one at most that long. Nothing at its end, and when the stream has ended.
  std::optional<xml::Element> next(std::chrono::milliseconds at_most);
  /// True when the server has closed the stream or the connection.
  bool ended() const { return ended_; }
  const std::string& full_jid() const { return full_jid_; }
  /// Closes the stream, waits until the server has done so too, then closes the connection.
  void close();
  /// Our half of the connection ends without a word of XMPP or TLS; returns when the server has noticed and closed its.
  void vanish();
  /// Both halves end at once.
  void cut();

 private:
  std::string connect();
  std::string start_tls();
  std::string authenticate(const std::string& user, const std::string& password);
  std::string bind(const std::string& resource);
  /// Opens a stream; empty when its features have come.
  std::string open();
  /// The next element must have this name.
  std::expected<xml::Element, std::string> expect(std::string_view name);
  /// Takes in what the connection has; false if nothing came in time.
  bool read(std::chrono::milliseconds at_most);
  void read_to_the_end();

  const Target& target_;
  int socket_ = -1;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, &SSL_free};
  std::optional<xml::StreamParser> parser_;
  std::string fed_;
  std::deque<xml::Element> inbox_;
  bool ended_ = false;
  std::string full_jid_;
};

}  // namespace kith::scenario
