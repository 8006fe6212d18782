// What was measured once per event (a message, a login), each one kept: a histogram would round the tail away, and the
// tail is what one wants to see.
#pragma once

#include <cstddef>
#include <vector>

namespace kith::bench {

class Samples {
 public:
  /// Memory for so many, so that it does not grow while something is measured.
  void reserve(std::size_t count) { values_.reserve(count); }
  void add(double value) { values_.push_back(static_cast<float>(value)); }
  void clear() { values_.clear(); }
  std::size_t count() const { return values_.size(); }

  /// The smallest value that at least the share `p` (0 to 1) of all values does not exceed (nearest rank); 0 without
  /// any. Reorders the samples, which nobody reads in order.
  double percentile(double p);

 private:
  std::vector<float> values_;
};

}  // namespace kith::bench
