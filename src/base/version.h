// The version of Kith, in one place: CMakeLists.txt reads it here, and kithd and kithctl tell it.
#pragma once

#include <string_view>

namespace kith {

inline constexpr std::string_view version = "0.1.0";

}  // namespace kith
