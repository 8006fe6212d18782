#include "module/http_file.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/encoding.h"

namespace kith::module {

namespace {

constexpr std::size_t piece_bytes = 256 * 1024;

class FileSource final : public HttpSource {
 public:
  FileSource(std::unique_ptr<storage::FileReader> reader, ByteRange range)
      : reader_(std::move(reader)), at_(range.first), left_(range.bytes) {}
  void next(std::move_only_function<void(std::optional<std::string> piece)> then) override {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece_bytes));
    // Advanced at once: when the answer is there, this may be gone.
    const std::uint64_t from = at_;
    at_ += most;
    left_ -= most;
    reader_->read(from, most, [then = std::move(then), most](storage::Result<std::string> bytes) mutable {
      if (!bytes || bytes->size() != most) return then(std::nullopt);
      then(*std::move(bytes));
    });
  }

 private:
  std::unique_ptr<storage::FileReader> reader_;
  std::uint64_t at_;
  std::uint64_t left_;
};

/// §13.1.2: the weak comparison.
bool lists_tag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == tag || item == "*") return true;
  }
  return false;
}

}  // namespace

RangeWish read_range(std::string_view field, std::uint64_t size, ByteRange& range) {
  if (!field.starts_with("bytes=")) return RangeWish::whole;
  field.remove_prefix(6);
  const std::size_t dash = field.find('-');
  if (dash == std::string_view::npos || field.contains(',')) return RangeWish::whole;
  const std::string_view from = field.substr(0, dash);
  const std::string_view to = field.substr(dash + 1);
  if (from.empty()) {
    const auto last = parse_number<std::uint64_t>(to);
    if (!last) return RangeWish::whole;
    if (*last == 0 || size == 0) return RangeWish::unsatisfiable;
    range.bytes = std::min(*last, size);
    range.first = size - range.bytes;
    return RangeWish::part;
  }
  const auto first = parse_number<std::uint64_t>(from);
  const auto last = to.empty() ? std::optional(size) : parse_number<std::uint64_t>(to);
  if (!first || !last || (!to.empty() && *last < *first)) return RangeWish::whole;
  if (*first >= size) return RangeWish::unsatisfiable;
  range.first = *first;
  range.bytes = std::min(*last, size - 1) - *first + 1;
  return RangeWish::part;
}

HttpReply file_reply(const HttpRequest& request, const ServedFile& served,
                     std::unique_ptr<storage::FileReader> reader) {
  HttpReply reply{.fields = served.fields};
  reply.fields.push_back({"ETag", served.etag});
  reply.fields.push_back({"Last-Modified", format_http_date(served.modified)});
  reply.fields.push_back({"Accept-Ranges", "bytes"});
  const WallTime modified = std::chrono::floor<std::chrono::seconds>(served.modified);
  // §13.2.2, in its order.
  if (const auto match = request.field("if-match"); match && !lists_tag(*match, served.etag)) {
    reply.status = 412;
    return reply;
  }
  if (const auto none = request.field("if-none-match")) {
    if (lists_tag(*none, served.etag)) {
      reply.status = 304;
      return reply;
    }
  } else if (const auto since = request.field("if-modified-since")) {
    const auto time = parse_http_date(*since);
    if (time && modified <= *time) {
      reply.status = 304;
      return reply;
    }
  }
  ByteRange range{.first = 0, .bytes = reader->size()};
  if (const auto wanted = request.field("range")) {
    const auto only_if = request.field("if-range");
    const bool holds = !only_if || *only_if == served.etag || parse_http_date(*only_if) == modified;
    const RangeWish wish = holds ? read_range(*wanted, reader->size(), range) : RangeWish::whole;
    if (wish == RangeWish::unsatisfiable) {
      reply.status = 416;
      reply.fields.push_back({"Content-Range", "bytes */" + std::to_string(reader->size())});
      return reply;
    }
    if (wish == RangeWish::part) {
      reply.status = 206;
      reply.fields.push_back({"Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                                   std::to_string(range.first + range.bytes - 1) + "/" +
                                                   std::to_string(reader->size())});
    }
  }
  reply.source_bytes = range.bytes;
  reply.source = std::make_unique<FileSource>(std::move(reader), range);
  return reply;
}

}  // namespace kith::module
