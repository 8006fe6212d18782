// Presence and rosters reach only those entitled (RFC 6121 §4, §2). The model is the
// simplest that cannot blame wrongly: an account may be seen by whom it ever let in, and by whom a session told of
// itself; not any more by whom it turned away, once an answer has proved that the server knows (and nobody let him in
// again, and the disk never failed, which takes such changes back).
#include <algorithm>

#include "checkers.h"
#include "ledger.h"

namespace kith::simulation {

namespace {

std::string local_of(const std::string& jid) { return jid.substr(0, jid.find('@')); }

class Presence {
 public:
  explicit Presence(const History& history) : history_(history), exchanges_(exchanges_of(history)) {}

  Faults check() {
    const auto& records = history_.records();
    for (std::size_t i = 0; i < records.size(); ++i) {
      const Record& record = records[i];
      if (record.what == What::failed) disk_failed_ = true;
      if (record.what == What::sent) note_sent(i);
      if (record.what == What::received && record.facts.name == "presence") received(i);
      if (record.what == What::received && record.facts.name == "iq") roster(record);
    }
    return std::move(faults_);
  }

 private:
  struct Sight {
    std::vector<std::size_t> let_in;
    std::vector<std::size_t> turned_away;
    bool told = false;  ///< by directed presence, at least once
  };
  using Pair = std::pair<std::string, std::string>;  // whose presence, who sees it

  const Record& record(std::size_t index) const { return history_.records()[index]; }
  const std::string& account_of(std::size_t index) const { return history_.streams()[record(index).stream].account; }

  void note_sent(std::size_t at) {
    const Facts& facts = record(at).facts;
    if (facts.name == "iq") {
      for (const RosterLine& item : facts.items) {
        if (item.subscription == "remove") sights_[{account_of(at), item.jid}].turned_away.push_back(at);
      }
      return;
    }
    if (facts.name != "presence") return;
    if (facts.has_status) marks_[facts.mark] = at;
    Sight& sight = sights_[{account_of(at), bare_of(facts.to)}];
    if (facts.type == "subscribed") sight.let_in.push_back(at);
    if (facts.type == "unsubscribed") sight.turned_away.push_back(at);
    if (!facts.to.empty() && facts.type.empty()) sight.told = true;
  }

  void received(std::size_t at) {
    const Facts& facts = record(at).facts;
    if (!facts.type.empty() && facts.type != "unavailable") return;
    const std::string& watcher = account_of(at);
    const std::string owner = bare_of(facts.from);
    if (owner == watcher) return;
    const Sight& sight = sights_[{owner, watcher}];
    if (!facts.has_status) {
      // The server's own word that somebody is gone.
      if (sight.let_in.empty() && !sight.told) wrong(watcher + " never had a right to see " + owner, facts.from);
      return;
    }
    const auto found = marks_.find(facts.mark);
    if (found == marks_.end()) return wrong("presence that nobody sent", facts.mark);
    const Facts& sent = record(found->second).facts;
    if (!sent.to.empty()) {
      if (bare_of(sent.to) != watcher) wrong("directed to somebody else, it reached " + watcher, facts.mark);
      return;
    }
    // What ends a session takes back what it told, too.
    if (sent.type == "unavailable" && sight.told) return;
    if (sight.let_in.empty()) return wrong(watcher + " was never let in by " + owner, facts.mark);
    if (turned_away(sight, found->second, at)) wrong(watcher + " was turned away by " + owner, facts.mark);
  }

  /// When the server has shown that it knows of what was sent at `at`; `nowhere` if it never did.
  std::size_t known(std::size_t at) {
    const auto [entry, fresh] = known_.emplace(at, nowhere);
    std::size_t& proof = entry->second;
    if (!fresh) return proof;
    for (const auto& [id, exchange] : exchanges_) {
      if (exchange.answered == nowhere || record(exchange.sent).stream != record(at).stream) continue;
      const Facts& question = record(exchange.sent).facts;
      const bool own = question.to.empty() || question.to == account_of(at);
      if (own && exchange.sent > at && record(exchange.answered).facts.type == "result") {
        proof = std::min(proof, exchange.answered);
      }
    }
    return proof;
  }

  bool turned_away(const Sight& sight, std::size_t sent, std::size_t received) {
    if (disk_failed_) return false;
    for (const std::size_t away : sight.turned_away) {
      if (known(away) >= sent) continue;
      // What the same session said before is settled; what another one said may have been on its way.
      const bool in_again = std::ranges::any_of(sight.let_in, [&](std::size_t in) {
        const bool settled = in < away && (record(in).stream == record(away).stream || known(in) < away);
        return in < received && !settled;
      });
      if (!in_again) return true;
    }
    return false;
  }

  void roster(const Record& record) {
    const Stream& stream = history_.streams()[record.stream];
    if (record.facts.payload_ns != "jabber:iq:roster" || record.facts.type == "error") return;
    if (record.facts.type == "set" && !record.facts.items.empty() && record.facts.from != stream.account) {
      wrong("a roster push from " + record.facts.from, record.facts.id);
    }
    for (const RosterLine& item : record.facts.items) {
      if (!item.name.empty() && !item.name.starts_with(local_of(stream.account) + ":")) {
        wrong(stream.account + " sees another's contact", item.name);
      }
    }
  }

  void wrong(std::string why, std::string about) { faults_.push_back({"presence", std::move(why), std::move(about)}); }

  const History& history_;
  std::map<std::string, Exchange> exchanges_;
  std::map<Pair, Sight> sights_;
  std::map<std::string, std::size_t> marks_;
  std::map<std::size_t, std::size_t> known_;
  bool disk_failed_ = false;
  Faults faults_;
};

}  // namespace

Faults check_presence(const History& history) { return Presence(history).check(); }

}  // namespace kith::simulation
