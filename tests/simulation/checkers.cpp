#include "checkers.h"

#include <array>

namespace kith::simulation {

std::span<const Checker> all_checkers() {
  static constexpr std::array checkers{
      Checker{"answers", "Each iq get and set is answered exactly once, to who asked, by whom he asked.",
              &check_answers},
      Checker{"messages", "What was acknowledged is delivered, kept or bounced, once.", &check_messages},
      Checker{"order", "What one session sends to another comes in order.", &check_order},
      Checker{"senders", "The address of the sender is true.", &check_senders},
      Checker{"presence", "Presence and rosters reach only those entitled.", &check_presence},
      Checker{"stored", "The result of a set is on disk.", &check_stored},
      Checker{"endings", "Streams end for a reason, and the right one is given.", &check_endings},
      Checker{"resumption", "A managed session is there for as long as it was promised.", &check_resumption},
  };
  return checkers;
}

Faults judge(const History& history) {
  Faults all = history.faults();
  for (const Checker& checker : all_checkers()) {
    const Faults found = checker.check(history);
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

}  // namespace kith::simulation
