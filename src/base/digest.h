// Hashes of bytes where nothing secret is at stake: capabilities (XEP-0115), avatars (XEP-0153); and what others want
// signed by a secret that they share with us. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/secret.h"

namespace kith {

/// 20 raw bytes.
std::string sha1(std::string_view bytes);
/// 32 raw bytes.
std::string sha256(std::string_view bytes);
/// HMAC (RFC 2104) with SHA-1: 20 raw bytes. A key of any length.
std::string hmac_sha1(std::string_view key, std::string_view text);
/// With SHA-256: 32 raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);
/// A key of 32 bytes for one use of a secret; who has it knows neither the secret nor the keys of other uses.
Secret derive_key(const Secret& secret, std::string_view use);

}  // namespace kith
