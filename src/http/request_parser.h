// A request of HTTP/1.1 (RFC 9112) out of bytes: Boost.Beast's parser, and before it a look at each head that is
// stricter than it. No I/O; one object reads one request.
// SECURITY: two programs that read one request differently are how requests are smuggled. So nothing is repaired here:
// a bare CR or LF, a folded line, a space before a colon, a control character, two lengths, a length beside
// Transfer-Encoding, any coding but `chunked`, two Hosts are status 400, and the connection ends.
// Limits: bytes and lines of the head; a chunk's line is as short as one of the head; the body's are the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "module/http.h"

namespace kith::http {

struct HeadLimits {
  std::size_t bytes = 16 * 1024;
  std::size_t fields = 64;
  std::size_t line_bytes() const { return bytes / 4; }
};

struct Refusal {
  int status = 400;
  std::string_view words;
};

/// A head as it was sent.
struct Head {
  std::string method;
  std::string target;
  bool http_1_0 = false;
  std::string host;                       ///< the field, or the authority of an absolute target
  std::vector<module::HttpField> fields;  ///< names in lower case
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

/// True if the comma-separated list of that name has `token` (in lower case).
bool lists(const std::vector<module::HttpField>& fields, std::string_view name, std::string_view token);

class RequestParser {
 public:
  explicit RequestParser(const HeadLimits& limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Reads on in `bytes` and takes what it used away from its front. The head, once, when it is complete; nothing while
  /// it is not: `bytes` then has to be given again with more behind.
  std::expected<std::optional<Head>, Refusal> head(std::string& bytes);
  /// The same for the body: `take` gets it in pieces. True when it is complete.
  std::expected<bool, Refusal> body(std::string_view& bytes, const std::function<void(std::string_view)>& take);

 private:
  struct Impl;
  HeadLimits limits_;
  std::size_t looked_at_ = 0;
  bool begun_ = false;  ///< the empty line that may come first came, or did not
  std::unique_ptr<Impl> impl_;
};

/// What a target names: "/a%20b?c" is path "/a b", query "c".
struct Target {
  std::string path;
  std::string query;
};
/// Decoded once, and nothing that could be read in two ways: no dot segments, no empty ones but the last, no encoded
/// slash, backslash or control character, nothing but UTF-8.
std::expected<Target, Refusal> parse_target(std::string_view target);

/// "example.org:5281", "EXAMPLE.org", "[::1]" as a host alone, in lower case; nothing if it is none.
std::optional<std::string> host_of(std::string_view authority);

}  // namespace kith::http
