// Randomness, handed to whoever needs it, so that tests and the simulation can be replayed from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kith {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> out) = 0;

  /// A token of `bytes` random bytes in base64url without padding; 16 bytes (128 bits) unless told otherwise.
  /// SECURITY: stream ids, resources and every other name that must not be guessed come from here.
  std::string token(std::size_t bytes = 16);
  std::uint64_t number();
};

/// getrandom(2). Any thread.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> out) override;
};

/// The same sequence for the same seed (splitmix64). For tests and the simulation only.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::byte> out) override;

 private:
  std::uint64_t state_;
};

}  // namespace kith
