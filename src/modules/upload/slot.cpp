#include "modules/upload/slot.h"

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/encoding.h"

namespace kith::modules {

namespace {

/// What a browser may show in its own window. No SVG, no HTML, no PDF: these can run scripts.
constexpr std::array<std::string_view, 22> shown{
    "image/png",  "image/jpeg", "image/gif",  "image/webp", "image/avif",      "image/bmp", "image/heic", "image/jxl",
    "audio/mpeg", "audio/ogg",  "audio/opus", "audio/aac",  "audio/mp4",       "audio/wav", "audio/webm", "audio/flac",
    "video/mp4",  "video/webm", "video/ogg",  "video/mpeg", "video/quicktime", "text/plain"};
/// What must not even keep its name.
constexpr std::array<std::string_view, 9> active{"text/html",
                                                 "application/xhtml+xml",
                                                 "image/svg+xml",
                                                 "text/xml",
                                                 "application/xml",
                                                 "text/javascript",
                                                 "application/javascript",
                                                 "text/css",
                                                 "application/x-shockwave-flash"};

constexpr std::chrono::seconds longest_copy = std::chrono::days(1);

std::string proof(const Secret& key, const Slot& slot) {
  // The name comes last: it alone may have any character.
  return base64url_encode(hmac_sha256(key.reveal(), slot.id + "\n" + std::to_string(slot.bytes) + "\n" +
                                                        std::to_string(slot.until) + "\n" + slot.name));
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view("!#$&^_.+-").contains(c);
  });
}

}  // namespace

std::string slot_query(const Secret& key, const Slot& slot) {
  return "size=" + std::to_string(slot.bytes) + "&until=" + std::to_string(slot.until) + "&proof=" + proof(key, slot);
}

std::optional<Slot> read_slot(const Secret& key, const std::string& id, const std::string& name,
                              const module::HttpRequest& request) {
  const auto bytes = parse_number<std::uint64_t>(request.parameter("size").value_or(""));
  const auto until = parse_number<std::int64_t>(request.parameter("until").value_or(""));
  const auto given = request.parameter("proof");
  if (!bytes || !until || !given) return std::nullopt;
  Slot slot{.id = id, .name = name, .bytes = *bytes, .until = *until};
  if (!equal_in_constant_time(proof(key, slot), *given)) return std::nullopt;
  return slot;
}

std::string clean_name(std::string_view name) {
  if (const std::size_t slash = name.find_last_of("/\\"); slash != std::string_view::npos) {
    name.remove_prefix(slash + 1);
  }
  std::string clean;
  for (const char c : name) clean += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '_' : c;
  if (clean.size() > most_name_bytes) {
    // Its ending says what it is.
    const std::size_t dot = clean.rfind('.');
    const std::string ending = dot == std::string::npos || clean.size() - dot > 20 ? std::string() : clean.substr(dot);
    std::size_t length = most_name_bytes - ending.size();
    while (length > 0 && (static_cast<unsigned char>(clean[length]) & 0xc0U) == 0x80) --length;
    clean = clean.substr(0, length) + ending;
  }
  if (clean.empty() || clean == "." || clean == ".." || !is_utf8(clean)) return "file";
  return clean;
}

std::string media_type(std::string_view field) {
  std::string type(field.substr(0, field.find(';')));
  for (char& c : type) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  while (type.ends_with(' ')) type.pop_back();
  while (type.starts_with(' ')) type.erase(0, 1);
  const std::size_t slash = type.find('/');
  const bool sound = type.size() <= 100 && slash != std::string::npos &&
                     is_token(std::string_view(type).substr(0, slash)) &&
                     is_token(std::string_view(type).substr(slash + 1));
  return sound ? type : std::string();
}

std::vector<module::HttpField> file_fields(std::string_view type, std::string_view name, std::chrono::seconds left) {
  std::string content(type.empty() || std::ranges::find(active, type) != active.end() || type.ends_with("+xml") ||
                              type.ends_with("script")
                          ? "application/octet-stream"
                          : type);
  const bool inline_too = std::ranges::find(shown, content) != shown.end();
  if (content == "text/plain") content += "; charset=utf-8";
  // RFC 6266 §4.3: the form that has room for all of Unicode.
  std::string disposition(inline_too ? "inline" : "attachment");
  disposition.append("; filename*=UTF-8''").append(module::percent_encode(name));
  return {
      {"Content-Type", content},
      {"Content-Disposition", disposition},
      {"Content-Security-Policy",
       "default-src 'none'; img-src 'self'; media-src 'self'; frame-ancestors 'none'; sandbox"},
      {"Cache-Control", "private, max-age=" + std::to_string(std::min(left, longest_copy).count()) + ", immutable"}};
}

}  // namespace kith::modules
