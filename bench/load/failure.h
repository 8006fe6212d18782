// How a load ends early: one sentence that says which step failed and why.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace kith::bench {

/// Thrown by the steps of a load, caught by main(), which prints it and ends with 1.
class StepFailed : public std::runtime_error {
 public:
  StepFailed(std::string_view step, std::string_view why)
      : std::runtime_error(std::string(step) + ": " + std::string(why)) {}
};

}  // namespace kith::bench
