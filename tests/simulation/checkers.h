// The promises that a history must keep. Each checker is a pure function over what the clients saw, so that it can be
// tried on a history that was made up.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "history.h"

namespace kith::simulation {

using Faults = std::vector<Fault>;

struct Checker {
  std::string_view name;
  std::string_view promise;
  Faults (*check)(const History& history);
};

Faults check_answers(const History& history);
Faults check_messages(const History& history);
Faults check_order(const History& history);
Faults check_senders(const History& history);
Faults check_presence(const History& history);
Faults check_stored(const History& history);
Faults check_endings(const History& history);
Faults check_resumption(const History& history);

std::span<const Checker> all_checkers();
/// What all of them found, and what was found while the run went on.
Faults judge(const History& history);

}  // namespace kith::simulation
