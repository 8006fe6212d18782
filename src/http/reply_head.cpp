#include "http/reply_head.h"

#include <algorithm>
#include <array>
#include <utility>

namespace kith::http {

namespace {

using Pair = std::pair<std::string_view, std::string_view>;

/// What a feature may say otherwise.
constexpr std::array<Pair, 5> strict{{
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
}};
/// What is the server's alone.
constexpr std::array<std::string_view, 5> own{"Connection", "Content-Length", "Date", "Keep-Alive",
                                              "Transfer-Encoding"};

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(x) == lower(y);
  });
}

void append(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (const char c : value) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  out += "\r\n";
}

}  // namespace

std::string_view reason_of(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 33> reasons{{
      {100, "Continue"},
      {101, "Switching Protocols"},
      {200, "OK"},
      {201, "Created"},
      {204, "No Content"},
      {206, "Partial Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {426, "Upgrade Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {412, "Precondition Failed"},
      {507, "Insufficient Storage"},
  }};
  const auto found = std::ranges::find(reasons, status, &std::pair<int, std::string_view>::first);
  return found == reasons.end() ? "Status" : found->second;
}

std::string write_head(const ReplyHead& head, const std::vector<module::HttpField>& fields) {
  std::string out = "HTTP/1.1 " + std::to_string(head.status) + " ";
  out.append(reason_of(head.status)).append("\r\n");
  append(out, "Date", module::format_http_date(head.now));
  if (head.length) append(out, "Content-Length", std::to_string(*head.length));
  append(out, "Connection", head.keep_alive ? "keep-alive" : "close");
  const auto said = [&](std::string_view name) {
    return std::ranges::any_of(fields, [&](const module::HttpField& field) { return same_name(field.name, name); });
  };
  for (const auto& [name, value] : strict) {
    if (said(name)) continue;
    append(out, name, head.cross_origin && name == "Cross-Origin-Resource-Policy" ? "cross-origin" : value);
  }
  if (head.cross_origin && !said("Access-Control-Allow-Origin")) append(out, "Access-Control-Allow-Origin", "*");
  for (const module::HttpField& field : fields) {
    if (std::ranges::none_of(own, [&](std::string_view name) { return same_name(field.name, name); })) {
      append(out, field.name, field.value);
    }
  }
  out += "\r\n";
  return out;
}

}  // namespace kith::http
