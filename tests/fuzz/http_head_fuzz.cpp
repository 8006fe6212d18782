// Requests of HTTP from any bytes (RFC 9112): never a crash; cut anywhere, the same comes out; a head that is taken has
// one host and one way to tell where its body ends, and a path that is taken leads nowhere else.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/request_parser.h"

namespace {

using namespace kith::http;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  int status = 0;
  std::string target{};
  std::string body{};
  bool done = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view text, std::size_t cut) {
  RequestParser parser(HeadLimits{});
  Outcome outcome;
  std::string bytes(text.substr(0, cut));
  std::string rest(text.substr(cut));
  auto head = parser.head(bytes);
  if (head && !*head) {
    bytes += std::exchange(rest, {});
    head = parser.head(bytes);
  }
  if (!head) return {.status = head.error().status};
  if (!*head) return outcome;
  const Head& read = **head;
  require(!(read.chunked && read.content_length));
  outcome.target = read.target;
  if (const auto target = parse_target(read.target)) {
    require(target->path.starts_with('/') && !(target->path + "/").contains("/../"));
    require(target->path.find_first_of(std::string_view("\\\0\r\n", 4)) == std::string::npos);
  }
  static_cast<void>(host_of(read.host));
  for (const std::string& more : {std::string(), rest}) {
    bytes += more;
    std::string_view left = bytes;
    const auto done = parser.body(left, [&](std::string_view piece) { outcome.body += piece; });
    if (!done) return {.status = done.error().status};
    outcome.done = *done;
    bytes = std::string(left);
    if (*done) break;
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read(text, text.size());
  const Outcome cut = read(text, data[0] % (text.size() + 1));
  require((whole.status != 0) == (cut.status != 0));
  if (whole.status == 0) require(whole == cut);
  return 0;
}
