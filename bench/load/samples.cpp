#include "samples.h"

#include <algorithm>
#include <cmath>

namespace kith::bench {

double Samples::percentile(double p) {
  if (values_.empty()) return 0;
  const auto count = static_cast<double>(values_.size());
  const auto rank = static_cast<std::ptrdiff_t>(std::clamp(std::ceil(p * count), 1.0, count)) - 1;
  const auto at = values_.begin() + rank;
  std::nth_element(values_.begin(), at, values_.end());
  return static_cast<double>(*at);
}

}  // namespace kith::bench
