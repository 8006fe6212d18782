#include "server/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/encoding.h"

namespace kith::server {
namespace {

struct Unit {
  std::string_view word;
  std::uint64_t factor;
};

constexpr std::uint64_t kib = 1024;
// No "KB" and "MB": some mean 1000 and some 1024 by them.
constexpr std::array<Unit, 7> size_units{
    {{"", 1}, {"B", 1}, {"byte", 1}, {"bytes", 1}, {"KiB", kib}, {"MiB", kib* kib}, {"GiB", kib* kib* kib}}};
constexpr std::array<Unit, 16> time_units{{{"s", 1},
                                           {"sec", 1},
                                           {"second", 1},
                                           {"seconds", 1},
                                           {"m", 60},
                                           {"min", 60},
                                           {"minute", 60},
                                           {"minutes", 60},
                                           {"h", 3600},
                                           {"hour", 3600},
                                           {"hours", 3600},
                                           {"d", 86'400},
                                           {"day", 86'400},
                                           {"days", 86'400},
                                           {"week", 604'800},
                                           {"weeks", 604'800}}};

template <std::size_t n>
std::optional<std::uint64_t> factor_of(const std::array<Unit, n>& units, std::string_view word) {
  const auto found = std::ranges::find(units, word, &Unit::word);
  if (found == units.end()) return std::nullopt;
  return found->factor;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes a whole number off the front of `text`, and the spaces after it.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
  return number;
}

/// Takes a word off the front of `text`, up to a space, a digit or a slash, and the spaces after it.
std::string_view take_word(std::string_view& text) {
  const auto end = std::ranges::find_if(text, [](char c) { return c == ' ' || c == '/' || is_digit(c); });
  const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text = trimmed(text.substr(word.size()));
  return word;
}

std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  // Sums and products of what people write stay far below this, so that nothing behind overflows.
  constexpr std::uint64_t most = std::uint64_t{1} << 53U;
  if (a != 0 && b > most / a) return std::nullopt;
  return a * b;
}

std::optional<std::uint64_t> take_size(std::string_view& text) {
  const std::optional<std::uint64_t> number = take_number(text);
  if (!number) return std::nullopt;
  const std::optional<std::uint64_t> factor = factor_of(size_units, take_word(text));
  if (!factor) return std::nullopt;
  return product(*number, *factor);
}

std::string number_and(std::uint64_t number, std::string_view unit) { return fmt::format("{} {}", number, unit); }

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = trimmed(text);
  const std::optional<std::uint64_t> size = take_size(rest);
  if (!rest.empty()) return std::nullopt;
  return size;
}

std::string show_size(std::uint64_t bytes) {
  for (const std::string_view unit : {"GiB", "MiB", "KiB"}) {
    const std::uint64_t factor = *factor_of(size_units, unit);
    if (bytes != 0 && bytes % factor == 0) return number_and(bytes / factor, unit);
  }
  return number_and(bytes, bytes == 1 ? "byte" : "bytes");
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  std::string_view rest = trimmed(text);
  if (rest.empty()) return std::nullopt;
  std::uint64_t total = 0;
  while (!rest.empty()) {
    const std::optional<std::uint64_t> number = take_number(rest);
    if (!number) return std::nullopt;
    const std::optional<std::uint64_t> factor = factor_of(time_units, take_word(rest));
    if (!factor) return std::nullopt;
    const std::optional<std::uint64_t> part = product(*number, *factor);
    constexpr std::uint64_t most_seconds = std::uint64_t{100} * 366 * 86'400;
    if (!part || *part > most_seconds || total + *part > most_seconds) return std::nullopt;
    total += *part;
  }
  return std::chrono::seconds(total);
}

std::string show_duration(std::chrono::seconds duration) {
  const auto seconds = static_cast<std::uint64_t>(duration.count());
  for (const auto& [one, many] :
       {std::pair{"week", "weeks"}, {"day", "days"}, {"hour", "hours"}, {"minute", "minutes"}}) {
    const std::uint64_t factor = *factor_of(time_units, one);
    if (seconds != 0 && seconds % factor == 0) return number_and(seconds / factor, seconds == factor ? one : many);
  }
  return number_and(seconds, seconds == 1 ? "second" : "seconds");
}

std::optional<Rate> parse_rate(std::string_view text, bool of_bytes) {
  const auto take_amount = [of_bytes](std::string_view& from) {
    return of_bytes ? take_size(from) : take_number(from);
  };
  std::string_view rest = trimmed(text);
  const std::optional<std::uint64_t> amount = take_amount(rest);
  if (!amount || *amount == 0 || !rest.starts_with('/')) return std::nullopt;
  rest = trimmed(rest.substr(1));
  const std::optional<std::uint64_t> per = factor_of(time_units, take_word(rest));
  if (!per) return std::nullopt;
  std::uint64_t burst = *amount;
  if (!rest.empty()) {
    if (take_word(rest) != "burst") return std::nullopt;
    const std::optional<std::uint64_t> written = take_amount(rest);
    if (!written || *written == 0 || !rest.empty()) return std::nullopt;
    burst = *written;
  }
  return Rate{.per_second = static_cast<double>(*amount) / static_cast<double>(*per),
              .burst = static_cast<double>(burst)};
}

std::string show_rate(Rate rate, bool of_bytes) {
  const auto amount = [of_bytes](double value) {
    const auto whole = static_cast<std::uint64_t>(std::llround(value));
    return of_bytes ? show_size(whole) : fmt::format("{}", whole);
  };
  // The shortest time in which the rate is a whole number; a day if there is none.
  std::string_view per = "s";
  for (const std::string_view unit : {"s", "minute", "hour", "day"}) {
    per = unit;
    const double value = rate.per_second * static_cast<double>(*factor_of(time_units, unit));
    if (value >= 0.5 && std::abs(value - std::round(value)) < 1e-6 * value) break;
  }
  const double value = rate.per_second * static_cast<double>(*factor_of(time_units, per));
  return fmt::format("{}/{} burst {}", amount(value), per, amount(rate.burst));
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  std::string address(text.substr(0, colon));
  const bool bracketed = address.starts_with('[') && address.ends_with(']') && address.size() > 2;
  if (bracketed) address = address.substr(1, address.size() - 2);
  // inet_pton reads up to the first NUL.
  if (address.contains('\0')) return std::nullopt;
  const int family = bracketed ? AF_INET6 : AF_INET;
  std::array<unsigned char, sizeof(in6_addr)> raw{};
  if (inet_pton(family, address.c_str(), raw.data()) != 1) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  if (inet_ntop(family, raw.data(), canonical.data(), canonical.size()) == nullptr) return std::nullopt;
  return Endpoint{.address = canonical.data(), .port = *port};
}

bool Endpoint::is_loopback() const { return is_ipv6() ? address == "::1" : address.starts_with("127."); }

std::string Endpoint::text() const {
  return is_ipv6() ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace kith::server
