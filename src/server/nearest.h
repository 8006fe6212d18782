// The name that was probably meant where somebody mistyped one.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace kith::server {

/// How many letters must be put in, left out, changed or swapped with their neighbour to get from one to the other.
/// Of names longer than 64 bytes only the beginning counts.
std::size_t edit_distance(std::string_view a, std::string_view b);
/// The one of `names` with the least distance to `wrong`, the first of several; empty if there are none.
std::string nearest(std::string_view wrong, const std::set<std::string>& names);

}  // namespace kith::server
