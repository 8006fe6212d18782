// Hashes of bytes where nothing secret is at stake: capabilities (XEP-0115), avatars (XEP-0153). Any thread.
#pragma once

#include <string>
#include <string_view>

namespace kith {

/// 20 raw bytes.
std::string sha1(std::string_view bytes);
/// 32 raw bytes.
std::string sha256(std::string_view bytes);

}  // namespace kith
