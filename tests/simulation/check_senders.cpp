// `from` is always true. Whatever reaches a client bears the address of the session that sent it (for
// subscriptions: of its account), and what was sent under a forged address reaches nobody.
#include <map>

#include "checkers.h"
#include "ledger.h"

namespace kith::simulation {

namespace {

bool is_subscription(const std::string& type) {
  return type == "subscribe" || type == "subscribed" || type == "unsubscribe" || type == "unsubscribed";
}

}  // namespace

Faults check_senders(const History& history) {
  Faults faults;
  const auto& records = history.records();
  std::map<std::string, std::size_t> sent;  // by what the simulation wrote into it
  const auto key_of = [](const Facts& facts) {
    return facts.name == "presence" && facts.has_status ? facts.mark : facts.id;
  };
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    const Facts& facts = record.facts;
    if (record.what == What::sent && !key_of(facts).empty() && facts.type != "result") sent[key_of(facts)] = i;
    if (record.what != What::received) continue;
    if (facts.mark == "forged") faults.push_back({"senders", "a forged message was delivered", facts.mark});
    const bool answer = facts.type == "error" || facts.type == "result";
    if (answer) continue;
    const auto found = sent.find(key_of(facts));
    if (found == sent.end()) continue;
    const Stream& sender = history.streams()[records[found->second].stream];
    const std::string& truth = is_subscription(facts.type) ? sender.account : sender.jid;
    if (facts.from != truth) {
      faults.push_back({"senders", "it is from " + truth + " and says from " + facts.from, found->first});
    }
  }
  return faults;
}

}  // namespace kith::simulation
