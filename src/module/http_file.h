// A stored file as the answer to a request: whole or a part of it (Range, RFC 9110 §14), or the word that the client
// has it already (If-None-Match, If-Modified-Since, §13). Streamed from the FileStore; never whole in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "module/http.h"
#include "storage/files.h"

namespace kith::module {

/// What part of a file is asked for.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

enum class RangeWish : std::uint8_t {
  whole,         ///< none is asked for, several, or in a form that is not understood: then the file is sent
  part,          ///< this one
  unsatisfiable  ///< there is no such part
};
/// Reads a Range field for a file of `size` bytes.
RangeWish read_range(std::string_view field, std::uint64_t size, ByteRange& range);

struct ServedFile {
  std::string etag;  ///< with its quotes; of one content only
  WallTime modified{};
  std::vector<HttpField> fields{};  ///< Content-Type and all else that belongs to the file
};

/// The answer with the file, or that part of it that is asked for. Status 200, 206, 304, 412 or 416.
HttpReply file_reply(const HttpRequest& request, const ServedFile& served, std::unique_ptr<storage::FileReader> reader);

}  // namespace kith::module
