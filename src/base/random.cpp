#include "base/random.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <sys/random.h>

#include "base/encoding.h"

namespace kith {

std::string Random::token(std::size_t bytes) {
  std::string raw(bytes, '\0');
  fill(std::as_writable_bytes(std::span(raw)));
  return base64url_encode(raw);
}

std::uint64_t Random::number() {
  std::uint64_t value = 0;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

void SystemRandom::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();  // SECURITY: without randomness no secret can be made; going on would be worse than stopping.
    }
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

void SeededRandom::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    z ^= z >> 31U;
    const std::size_t n = std::min(out.size(), sizeof z);
    std::memcpy(out.data(), &z, n);
    out = out.subspan(n);
  }
}

}  // namespace kith
