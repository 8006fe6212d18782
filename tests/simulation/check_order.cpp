// RFC 6120 §10.1: what one session sends to another arrives in the order in which it was sent. Held for messages that
// are worth keeping (the others may overtake those that wait in the offline store, src/modules/offline/offline.h).
// What may come late: a message out of the offline store, when the receiver was not the only session of its account,
// or had not made itself available from the start, so that the store was not its own to empty in order.
#include <algorithm>

#include "checkers.h"
#include "ledger.h"

namespace kith::simulation {

namespace {

/// So early, however slow the link, that the server knows of it within the offline store's settling time.
constexpr Duration at_once = std::chrono::seconds(4);

struct Receiver {
  bool wanted_all = false;  ///< available at once, and ever since, with a priority that is not negative
  bool alone = true;
};

Receiver look_at(const History& history, unsigned which) {
  const Stream& stream = history.streams()[which];
  Receiver receiver;
  for (std::size_t i = stream.opened_at; i < std::min(stream.ended_at, history.records().size()); ++i) {
    const Record& record = history.records()[i];
    if (record.what != What::sent || record.stream != which) continue;
    if (record.facts.name != "presence" || !record.facts.to.empty()) continue;
    const bool wants = record.facts.type.empty() && record.facts.priority >= 0;
    if (wants && record.at - history.records()[stream.opened_at].at <= at_once) receiver.wanted_all = true;
    if (!wants) {
      receiver.wanted_all = false;
      break;
    }
  }
  for (const Stream& other : history.streams()) {
    if (&other == &stream || other.account != stream.account) continue;
    // What a managed one has left behind comes late, too.
    if (other.managed() && other.opened_at < stream.ended_at) receiver.alone = false;
    if (other.opened_at < stream.ended_at && other.ended_at > stream.opened_at) receiver.alone = false;
  }
  return receiver;
}

}  // namespace

Faults check_order(const History& history) {
  Faults faults;
  const auto& records = history.records();
  std::map<std::string, std::size_t> sent;
  // The latest that arrived, by receiving and sending stream.
  std::map<std::pair<unsigned, unsigned>, std::size_t> latest;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    if (record.facts.name != "message") continue;
    if (record.what == What::sent && record.facts.for_offline) sent[record.facts.id] = i;
    if (record.what != What::received || record.facts.type == "error") continue;
    const auto found = sent.find(record.facts.id);
    if (found == sent.end()) continue;
    std::size_t& last = latest[{record.stream, records[found->second].stream}];
    if (found->second >= last) {
      last = found->second;
      continue;
    }
    const Receiver receiver = look_at(history, record.stream);
    if (record.facts.delayed && !(receiver.alone && receiver.wanted_all)) continue;
    faults.push_back({"order", "came after " + records[last].facts.id, record.facts.id});
  }
  return faults;
}

}  // namespace kith::simulation
