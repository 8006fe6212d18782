// The list of all features.
#pragma once

#include <span>

#include "module/module.h"

namespace kith::modules {

/// Every feature, in the order in which their handlers run within a phase.
std::span<const module::Registration> all();

}  // namespace kith::modules
