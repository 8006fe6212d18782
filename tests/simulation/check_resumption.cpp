// A session under stream management is there for its client for as long as it was promised (XEP-0198 §5): it is resumed
// unless the server was killed, its disk failed, the client took too long, or another one took its place or its room.
#include <algorithm>

#include "checkers.h"
#include "ledger.h"

namespace kith::simulation {

namespace {

/// The server learns of a cut, and starts to count, later than the client; and a login takes its time.
constexpr Duration slack = std::chrono::seconds(15);

class Resumptions {
 public:
  explicit Resumptions(const History& history) : history_(history) {}

  Faults check() {
    for (std::size_t i = 0; i < history_.streams().size(); ++i) {
      const Stream& stream = history_.streams()[i];
      if (!stream.managed() || !stream.over()) continue;
      const std::string& how = history_.records()[stream.ended_at].text;
      if (!how.starts_with("not resumed") || excused(i, stream)) continue;
      faults_.push_back({"resumption", "s" + std::to_string(i) + " was " + how, "s" + std::to_string(i)});
    }
    return std::move(faults_);
  }

 private:
  const Record& record(std::size_t index) const { return history_.records()[index]; }

  bool excused(std::size_t index, const Stream& stream) const {
    // What it was told of a misdeed may not have reached it.
    if (!stream.deserves.empty()) return true;
    if (history_.failing_reads || history_.small_sessions || stream.lazy || history_.narrow_links) return true;
    std::size_t lost = nowhere;
    for (std::size_t i = 0; i < stream.ended_at; ++i) {
      if (record(i).what == What::failed) return true;
      if (record(i).what == What::crashed && i > stream.opened_at) return true;
      if (record(i).stream != index) continue;
      if (record(i).what == What::resumed) lost = nowhere;
      if (record(i).what == What::lost) lost = std::min(lost, i);
    }
    const bool late = lost != nowhere && record(stream.ended_at).at - record(lost).at + slack > history_.resume_time;
    return late || replaced(stream) || password_changed(stream);
  }

  /// By another with its resource, or for there being too many of the account.
  bool replaced(const Stream& stream) const {
    return std::ranges::any_of(history_.streams(), [&](const Stream& other) {
      const std::size_t began = other.bound() ? other.bound_at : other.opened_at;
      return &other != &stream && other.account == stream.account && began > stream.bound_at && began < stream.ended_at;
    });
  }

  bool password_changed(const Stream& stream) const {
    return std::ranges::any_of(history_.records(), [&](const Record& one) {
      return one.what == What::sent && one.facts.payload_ns == "jabber:iq:register" &&
             history_.streams()[one.stream].account == stream.account;
    });
  }

  const History& history_;
  Faults faults_;
};

}  // namespace

Faults check_resumption(const History& history) { return Resumptions(history).check(); }

}  // namespace kith::simulation
