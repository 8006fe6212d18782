// RFC 6120 §8.2.3: an iq of type get or set is answered exactly once, with its id, by the address that it went to.
// What is not asked for: an answer on a stream that ended before it could come, and one that another client owes whose
// own stream ended.
#include <map>

#include "checkers.h"

namespace kith::simulation {

namespace {

struct Request {
  std::size_t sent = 0;
  std::size_t answers = 0;
  std::size_t taken_by = SIZE_MAX;  ///< the record of its arrival at another client
};

bool is_request(const Facts& facts) { return facts.name == "iq" && (facts.type == "get" || facts.type == "set"); }
bool is_answer(const Facts& facts) { return facts.name == "iq" && (facts.type == "result" || facts.type == "error"); }

bool by_right_address(const History& history, const Record& question, const Record& answer) {
  const Stream& stream = history.streams()[question.stream];
  const std::string& to = question.facts.to;
  if (answer.facts.from == to) return true;
  // A stanza that could not be read at all is answered by the server.
  if (answer.facts.error == "bad-request" && answer.facts.from == history.domain) return true;
  // What has no `to` is for the own account.
  return to.empty() && (answer.facts.from == stream.account || answer.facts.from.empty());
}

/// True if nobody can be blamed for the lack of an answer.
bool excused(const History& history, const Record& question, const Request& request) {
  const Stream& asker = history.streams()[question.stream];
  if (asker.end != End::left) return true;
  if (question.facts.to.find('/') == std::string::npos) return false;
  // It was for a client: one that took it owes the answer, and one that went away may have lost it on the way.
  if (request.taken_by != SIZE_MAX) {
    const Stream& taker = history.streams()[history.records()[request.taken_by].stream];
    return taker.end != End::left;
  }
  for (const Stream& stream : history.streams()) {
    // A managed session takes requests until it is over for the server, too.
    if (stream.jid == question.facts.to && stream.managed() && stream.end != End::left) return true;
    if (stream.jid == question.facts.to && stream.over() && stream.ended_at > request.sent && stream.end != End::left)
      return true;
  }
  return false;
}

}  // namespace

Faults check_answers(const History& history) {
  Faults faults;
  const auto wrong = [&](const std::string& why, const std::string& id) { faults.push_back({"answers", why, id}); };
  std::map<std::string, Request> requests;
  const auto& records = history.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    const Facts& facts = record.facts;
    if (record.what == What::sent && is_request(facts)) requests[facts.id].sent = i;
    if (record.what != What::received) continue;
    const auto found = requests.find(facts.id);
    if (is_request(facts)) {
      if (found != requests.end()) found->second.taken_by = i;
      continue;
    }
    if (!is_answer(facts)) continue;
    if (found == requests.end()) {
      wrong("an answer to nothing", facts.id);
      continue;
    }
    const Record& question = records[found->second.sent];
    // A session that took the resource over hears what was on its way to the one before: the address is the same.
    if (history.streams()[question.stream].jid != history.streams()[record.stream].jid)
      wrong("somebody else got the answer", facts.id);
    if (!by_right_address(history, question, record)) wrong("the answer comes from " + facts.from, facts.id);
    if (++found->second.answers == 2) wrong("answered twice", facts.id);
  }
  for (const auto& [id, request] : requests) {
    const Record& question = records[request.sent];
    if (request.answers == 0 && !excused(history, question, request)) wrong("never answered", id);
  }
  return faults;
}

}  // namespace kith::simulation
