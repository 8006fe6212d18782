// Sizes, durations, rates and endpoints as people write them in kith.toml, both ways. Pure functions; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/token_bucket.h"
#include "server/config.h"

namespace kith::server {

/// "256 KiB", "20MiB", "512 bytes", "512".
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string show_size(std::uint64_t bytes);

/// "5 minutes", "30s", "1h 30m".
std::optional<std::chrono::seconds> parse_duration(std::string_view text);
std::string show_duration(std::chrono::seconds duration);

/// "10/s", "3/hour burst 5"; of bytes also "32 KiB/s burst 64 KiB". Without a burst, it is the amount before the slash.
std::optional<Rate> parse_rate(std::string_view text, bool of_bytes);
std::string show_rate(Rate rate, bool of_bytes);

/// Only numeric addresses: a name could mean another address tomorrow.
std::optional<Endpoint> parse_endpoint(std::string_view text);

/// `text` in quotation marks, as TOML writes it.
std::string toml_text(std::string_view text);

}  // namespace kith::server
