#include "http/request_parser.h"

#include <algorithm>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "base/encoding.h"

namespace kith::http {

namespace beast_http = boost::beast::http;
using boost::beast::string_view;
using ErrorCode = boost::beast::error_code;

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view view(string_view text) { return {text.data(), text.size()}; }

/// What Beast would mend or overlook. `head` ends with the empty line.
std::optional<Refusal> look_strictly(std::string_view head, const HeadLimits& limits) {
  std::size_t lines = 0;
  while (true) {
    const std::size_t end = head.find_first_of("\r\n");
    if (end == std::string_view::npos || head.substr(end, 2) != "\r\n") return Refusal{400, "A line ends badly."};
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (line.empty()) return head.empty() ? std::nullopt : std::optional(Refusal{400, "A line ends badly."});
    if (line.size() > limits.line_bytes()) {
      return lines == 0 ? Refusal{414, "The address is too long."} : Refusal{431, "A header is too long."};
    }
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && (c != '\t' || lines == 0)) || byte == 0x7f) return Refusal{400, "A control character."};
    }
    if (lines == 0 && std::ranges::count(line, ' ') != 2) return Refusal{400, "The first line is none of HTTP."};
    if (lines > 0) {
      if (line.front() == ' ' || line.front() == '\t') return Refusal{400, "A folded header."};
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos || colon == 0 || line[colon - 1] == ' ' || line[colon - 1] == '\t') {
        return Refusal{400, "A header without a name."};
      }
    }
    if (++lines > limits.fields + 1) return Refusal{431, "Too many headers."};
  }
}

}  // namespace

// --- Beast's parser, and what it tells.

struct RequestParser::Impl final : beast_http::basic_parser<true> {
  Head head;
  int version = 0;
  bool header_done = false;
  const std::function<void(std::string_view)>* take = nullptr;

  void on_request_impl(beast_http::verb, string_view method, string_view target, int the_version, ErrorCode&) override {
    head.method = std::string(view(method));
    head.target = std::string(view(target));
    version = the_version;
  }
  void on_response_impl(int, string_view, int, ErrorCode&) override {}
  void on_field_impl(beast_http::field, string_view name, string_view value, ErrorCode&) override {
    // SECURITY: what comes behind the last chunk is no header of the request.
    if (!header_done) head.fields.push_back({lower(view(name)), std::string(trim(view(value)))});
  }
  void on_header_impl(ErrorCode&) override { header_done = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(string_view body, ErrorCode&) override { return pass(body); }
  void on_chunk_header_impl(std::uint64_t, string_view, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, ErrorCode&) override { return pass(body); }
  void on_finish_impl(ErrorCode&) override {}

  std::size_t pass(string_view body) {
    if (take != nullptr && !body.empty()) (*take)(view(body));
    return body.size();
  }
};

RequestParser::RequestParser(const HeadLimits& limits) : limits_(limits) {}
RequestParser::~RequestParser() = default;

namespace {

/// What the head says of body and connection, or why it must not be believed (RFC 9112 §6.1, §6.3).
std::optional<Refusal> complete(Head& head) {
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  std::size_t codings = 0;
  for (const module::HttpField& field : head.fields) {
    if (field.name == "host") {
      ++hosts;
      head.host = field.value;
    } else if (field.name == "content-length") {
      ++lengths;
      const bool digits = !field.value.empty() && field.value.find_first_not_of("0123456789") == std::string::npos;
      head.content_length = digits ? parse_number<std::uint64_t>(field.value) : std::nullopt;
      if (!head.content_length) return Refusal{400, "A length that is none."};
    } else if (field.name == "transfer-encoding") {
      ++codings;
      if (lower(field.value) != "chunked") return Refusal{501, "A transfer coding that is not known here."};
      head.chunked = true;
    } else if (field.name == "expect") {
      if (lower(field.value) != "100-continue") return Refusal{417, "Something is expected that is not known here."};
      head.expects_continue = !head.http_1_0;
    }
  }
  if (hosts > 1 || (hosts == 0 && !head.http_1_0)) return Refusal{400, "There must be one Host."};
  if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0)) return Refusal{400, "The body's end is not clear."};
  if (codings > 0 && head.http_1_0) return Refusal{400, "HTTP/1.0 knows no transfer coding."};
  head.keep_alive =
      head.http_1_0 ? lists(head.fields, "connection", "keep-alive") : !lists(head.fields, "connection", "close");
  // §3.2.2: an absolute target's authority counts, whatever Host says.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!lower(head.target.substr(0, scheme.size())).starts_with(scheme)) continue;
    const std::size_t end = head.target.find_first_of("/?", scheme.size());
    head.host = head.target.substr(scheme.size(), end == std::string::npos ? end : end - scheme.size());
    head.target = end == std::string::npos ? "/" : head.target.substr(end);
    break;
  }
  return std::nullopt;
}

}  // namespace

std::expected<std::optional<Head>, Refusal> RequestParser::head(std::string& bytes) {
  // RFC 9112 §2.2: an empty line before a request is overlooked.
  if (!begun_ && bytes.starts_with("\r\n")) {
    bytes.erase(0, 2);
    looked_at_ = 0;
    begun_ = true;
  }
  begun_ = begun_ || bytes.size() > 1;
  const std::size_t from = looked_at_ < 3 ? 0 : looked_at_ - 3;
  const std::size_t end = bytes.find("\r\n\r\n", from);
  if (end == std::string::npos || end + 4 > limits_.bytes) {
    if (bytes.size() >= limits_.bytes) return std::unexpected(Refusal{431, "The headers are too large."});
    for (std::size_t line = bytes.find('\n', from); line != std::string::npos; line = bytes.find('\n', line + 1)) {
      if (line == 0 || bytes[line - 1] != '\r') return std::unexpected(Refusal{400, "A line ends badly."});
    }
    looked_at_ = bytes.size();
    return std::nullopt;
  }
  const std::string_view text = std::string_view(bytes).substr(0, end + 4);
  if (const auto refusal = look_strictly(text, limits_)) return std::unexpected(*refusal);
  impl_ = std::make_unique<Impl>();
  impl_->header_limit(static_cast<std::uint32_t>(limits_.bytes) + 1);
  impl_->body_limit(boost::none);
  ErrorCode error;
  const std::size_t used = impl_->put(boost::asio::const_buffer(text.data(), text.size()), error);
  if (error == beast_http::error::bad_version) return std::unexpected(Refusal{505, "HTTP/1.1 is spoken here."});
  if (error || used != text.size() || !impl_->is_header_done()) {
    return std::unexpected(Refusal{400, "This is no request of HTTP."});
  }
  if (impl_->version != 11 && impl_->version != 10) return std::unexpected(Refusal{505, "HTTP/1.1 is spoken here."});
  Head head = std::move(impl_->head);
  head.http_1_0 = impl_->version == 10;
  if (const auto refusal = complete(head)) return std::unexpected(*refusal);
  bytes.erase(0, used);
  impl_->eager(true);
  return head;
}

std::expected<bool, Refusal> RequestParser::body(std::string_view& bytes,
                                                 const std::function<void(std::string_view)>& take) {
  impl_->take = &take;
  ErrorCode error;
  while (!impl_->is_done() && !bytes.empty()) {
    const std::size_t used = impl_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(used);
    if (error == beast_http::error::need_more) {
      // The line of a chunk, or what comes behind the last, is not complete.
      if (bytes.size() > limits_.line_bytes())
        error = beast_http::error::bad_chunk;
      else
        break;
    }
    if (error) return std::unexpected(Refusal{400, "The body's form is wrong."});
  }
  impl_->take = nullptr;
  return impl_->is_done();
}

bool lists(const std::vector<module::HttpField>& fields, std::string_view name, std::string_view token) {
  for (const module::HttpField& field : fields) {
    if (field.name != name) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), item.size() + 1));
      if (lower(trim(item)) == token) return true;
    }
  }
  return false;
}

std::expected<Target, Refusal> parse_target(std::string_view target) {
  const Refusal refusal{400, "The address is not well-formed."};
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  if (!path.starts_with('/') || target.contains('#')) return std::unexpected(refusal);
  Target out{.path = {}, .query = std::string(path.size() < target.size() ? target.substr(path.size() + 1) : "")};
  std::string_view rest = path;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    const std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(segment.size());
    const auto decoded = module::percent_decode(segment);
    if (!decoded || *decoded == "." || *decoded == ".." || (decoded->empty() && !rest.empty())) {
      return std::unexpected(refusal);
    }
    const bool ambiguous = std::ranges::any_of(
        *decoded, [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (ambiguous) return std::unexpected(refusal);
    out.path.append("/").append(*decoded);
  }
  return out;
}

std::optional<std::string> host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    return lower(authority.substr(1, end - 1));
  }
  const std::size_t colon = authority.find(':');
  if (colon != std::string_view::npos && !parse_number<std::uint16_t>(authority.substr(colon + 1))) return std::nullopt;
  std::string host = lower(authority.substr(0, colon));
  if (host.ends_with('.')) host.pop_back();
  if (host.empty() || host.find_first_of("/\\@ \t,") != std::string::npos) return std::nullopt;
  return host;
}

}  // namespace kith::http
