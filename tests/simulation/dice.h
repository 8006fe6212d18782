// Chance, from a seed: the same throws in the same order every time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace kith::simulation {

class Dice {
 public:
  /// Seeds next to each other have nothing in common.
  explicit Dice(std::uint64_t seed) : random_(SeededRandom(seed ^ 0x5deece66dU).number() * 0xd1342543de82ef95U) {}

  /// From 0 up to and without `n`; 0 if `n` is 0.
  std::size_t below(std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random_.number() % n); }
  /// From `least` up to and with `most`.
  std::size_t between(std::size_t least, std::size_t most) { return least + below(most - least + 1); }
  Duration between(Duration least, Duration most) {
    return least + Duration(static_cast<Duration::rep>(below(static_cast<std::size_t>((most - least).count()) + 1)));
  }
  /// True in `per_thousand` of a thousand throws.
  bool chance(std::size_t per_thousand) { return below(1000) < per_thousand; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

 private:
  SeededRandom random_;
};

}  // namespace kith::simulation
