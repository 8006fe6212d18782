// The server ends a stream only for a reason, and says the right one (RFC 6120 §4.9): what a client provoked, a
// conflict with a session that came later, a limit that was hit. Never for a fault of its own, and never without a word
// unless it crashed or the client did not listen.
#include <algorithm>

#include "checkers.h"
#include "ledger.h"

namespace kith::simulation {

namespace {

bool happened_during(const History& history, const Stream& stream, What what) {
  for (std::size_t i = stream.opened_at; i < std::min(stream.ended_at, history.records().size()); ++i) {
    if (history.records()[i].what == what) return true;
  }
  return false;
}

/// True if the server was stopping when the stream began, or was told to stop while it lasted.
bool stopped_during(const History& history, const Stream& stream) {
  bool stopping = false;
  for (std::size_t i = 0; i < stream.opened_at; ++i) {
    if (history.records()[i].what == What::stopping) stopping = true;
    if (history.records()[i].what == What::crashed || history.records()[i].what == What::restarted) stopping = false;
  }
  return stopping || happened_during(history, stream, What::stopping);
}

bool deserved(const History& history, const Stream& stream) {
  if (std::ranges::find(stream.deserves, stream.error) != stream.deserves.end()) return true;
  const auto others = std::ranges::count_if(history.streams(), [&](const Stream& other) {
    return &other != &stream && other.account == stream.account && other.opened_at < stream.ended_at;
  });
  if (stream.error == "conflict" || stream.error == "policy-violation") return others > 0;
  if (stream.error == "resource-constraint") return stream.lazy || history.small_outbox || history.small_sessions;
  if (stream.error == "connection-timeout") return stream.lazy || !stream.bound();
  if (stream.error == "system-shutdown") return stopped_during(history, stream);
  if (stream.error == "reset") {
    return std::ranges::any_of(history.records(), [&](const Record& record) {
      return record.what == What::sent && record.facts.payload_ns == "jabber:iq:register" &&
             history.streams()[record.stream].account == stream.account;
    });
  }
  return false;
}

}  // namespace

Faults check_endings(const History& history) {
  Faults faults;
  for (std::size_t i = 0; i < history.streams().size(); ++i) {
    const Stream& stream = history.streams()[i];
    const std::string name = "s" + std::to_string(i);
    if (!stream.error.empty() && !deserved(history, stream)) {
      faults.push_back({"endings", name + " ended with " + stream.error + ", which it did not deserve", name});
    }
    const bool listened = !stream.lazy && !history.narrow_links;
    if (stream.end == End::by_server && stream.error.empty() && listened &&
        !happened_during(history, stream, What::crashed) && !happened_during(history, stream, What::restarted)) {
      faults.push_back({"endings", name + " ended without a word", name});
    }
  }
  return faults;
}

}  // namespace kith::simulation
