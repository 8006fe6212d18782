// The three hashes of SCRAM and their HMAC, over OpenSSL. Any thread; inside the room only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "sasl/credentials.h"

namespace kith::sasl {

/// Bytes of a digest.
std::size_t size_of(Hash hash);
/// H() of RFC 5802 §2.2.
Secret digest(Hash hash, std::string_view bytes);
/// HMAC() of RFC 5802 §2.2.
Secret hmac(Hash hash, std::string_view key, std::string_view text);
/// Hi() of RFC 5802 §2.2, which is PBKDF2. Milliseconds of processor time: never on a shard.
Secret salted_password(Hash hash, std::string_view password, std::string_view salt, std::uint32_t iterations);

}  // namespace kith::sasl
