// The version that kithctl tells; the same as the project's in CMakeLists.txt.
#pragma once

namespace kith::ctl {

inline constexpr const char* version = "0.1.0";

}  // namespace kith::ctl
