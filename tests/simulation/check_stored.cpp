// The result of a set is on disk (docs/durability.md), across crashes: who reads a contact's name, a private document
// or a vCard sees the last value whose set was answered, or one whose set was under way; never an older one, never
// nothing, never one whose set had failed. And nobody sees another's.
//
// A contact is written whole. A change that failed is still in the server's memory until the roster has been loaded
// again (docs/durability.md), and another change of the same contact, written meanwhile, may take it along: for
// contacts a set that failed counts as one that may still come.
#include <algorithm>

#include "checkers.h"
#include "ledger.h"

namespace kith::simulation {

namespace {

struct Write {
  std::string id;
  std::string value;  ///< empty: a removal
  std::size_t sent = 0;
  std::size_t answered = nowhere;
  bool failed = false;
};
struct Read {
  std::string id;
  std::string value;
  std::size_t sent = 0;
};
struct Place {
  std::vector<Write> writes;
  std::vector<Read> reads;
};

class Stored {
 public:
  explicit Stored(const History& history) : history_(history) {}

  Faults check() {
    for (const auto& [id, exchange] : exchanges_of(history_)) note(id, exchange);
    for (const RosterRead& read : rosters_) spread(read);
    for (const auto& [name, place] : places_) {
      for (const Read& read : place.reads) check(name, place, read);
    }
    return std::move(faults_);
  }

 private:
  struct RosterRead {
    std::string account;
    std::string id;
    std::size_t sent = 0;
    std::vector<RosterLine> items;
  };

  const Record& record(std::size_t index) const { return history_.records()[index]; }

  void note(const std::string& id, const Exchange& exchange) {
    const Facts& question = record(exchange.sent).facts;
    const std::string& account = history_.streams()[record(exchange.sent).stream].account;
    if (!question.to.empty() && question.to != account) return;
    const bool answered = exchange.answered != nowhere;
    const Facts answer = answered ? record(exchange.answered).facts : Facts{};
    const bool failed = answered && answer.type == "error";
    const auto write = [&](const std::string& place, const std::string& value) {
      places_[account + " " + place].writes.push_back({id, value, exchange.sent, exchange.answered, failed});
    };
    const auto read = [&](const std::string& place, const std::string& value) {
      if (answered && !failed) places_[account + " " + place].reads.push_back({id, value, exchange.sent});
    };
    if (question.payload_ns == "jabber:iq:roster") {
      for (const RosterLine& item : question.items) {
        write("contact " + item.jid, item.subscription == "remove" ? std::string() : item.name);
      }
      if (question.type == "get") read_roster(account, id, exchange, answer);
    } else if (question.payload_ns == "jabber:iq:private" && !question.key.empty()) {
      question.type == "set" ? write(question.key, question.mark) : read(question.key, answer.mark);
    } else if (question.payload_ns == "vcard-temp") {
      question.type == "set" ? write("vcard", question.mark) : read("vcard", answer.mark);
    }
  }

  /// A roster is a read of every contact that the account ever wrote.
  void read_roster(const std::string& account, const std::string& id, const Exchange& exchange, const Facts& answer) {
    if (exchange.answered == nowhere || answer.type != "result") return;
    rosters_.push_back({account, id, exchange.sent, answer.items});
  }

  void spread(const RosterRead& roster) {
    const std::string prefix = roster.account + " contact ";
    for (auto& [name, place] : places_) {
      if (!name.starts_with(prefix)) continue;
      std::string value;
      for (const RosterLine& item : roster.items) {
        if (name == prefix + item.jid) value = item.name;
      }
      place.reads.push_back({roster.id, value, roster.sent});
    }
  }

  void check(const std::string& name, const Place& place, const Read& read) {
    const auto wrong = [&](const std::string& why) {
      faults_.push_back({"stored", name + " reads '" + read.value + "': " + why, read.id});
    };
    std::vector<const Write*> candidates;
    for (const Write& write : place.writes) {
      if (write.value == read.value) candidates.push_back(&write);
    }
    static const Write nothing_yet{.id = {}, .value = {}, .sent = 0, .answered = 0};
    if (read.value.empty()) candidates.push_back(&nothing_yet);
    if (candidates.empty()) return wrong("nobody stored that here");
    const bool contact = name.find(" contact ") != std::string::npos;
    const auto possible = [&](const Write* candidate) {
      if (candidate->failed && contact) return true;
      if (candidate->failed) return candidate->answered > read.sent;
      return std::ranges::none_of(place.writes, [&](const Write& later) {
        return !later.failed && later.answered < read.sent && candidate->answered < later.sent;
      });
    };
    if (std::ranges::none_of(candidates, possible)) {
      wrong(candidates.front()->failed ? "that set had failed" : "a later set was answered before this was asked");
    }
  }

  const History& history_;
  std::map<std::string, Place> places_;
  std::vector<RosterRead> rosters_;
  Faults faults_;
};

}  // namespace

Faults check_stored(const History& history) { return Stored(history).check(); }

}  // namespace kith::simulation
