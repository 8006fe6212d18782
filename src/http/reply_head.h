// The head of an answer (RFC 9112 §4), with the headers that keep browsers from doing more than is meant. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "module/http.h"

namespace kith::http {

struct ReplyHead {
  int status = 200;
  std::optional<std::uint64_t> length;  ///< nothing: the status has no body
  bool keep_alive = true;
  bool cross_origin = false;
  WallTime now{};
};

std::string_view reason_of(int status);

/// SECURITY: what `fields` do not say themselves is as strict as it can be: no sniffing, no scripts, no frames, no
/// copies in caches, no referrer, no use by other sites. A line break in a value is none afterwards.
std::string write_head(const ReplyHead& head, const std::vector<module::HttpField>& fields);

}  // namespace kith::http
