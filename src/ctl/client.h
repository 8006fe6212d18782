// One request to kithd's admin API over its unix socket. Blocks, for at most 20 seconds.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace kith::ctl {

struct Request {
  std::string method;
  std::string target;  ///< path and query, encoded
  std::string body{};  ///< JSON, or empty
};

struct Answer {
  unsigned status = 0;
  std::string body;
};

/// The error is a sentence that says why kithd cannot be reached, and what to do.
std::expected<Answer, std::string> ask(const std::string& socket, const Request& request);

/// Everything but letters, digits and `-._~` as %XX, so that any text is one segment of a path or one query value.
std::string percent_encode(std::string_view text);

}  // namespace kith::ctl
