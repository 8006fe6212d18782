#include "ledger.h"

namespace kith::simulation {

std::map<std::string, Exchange> exchanges_of(const History& history) {
  std::map<std::string, Exchange> all;
  const auto& records = history.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Facts& facts = records[i].facts;
    if (facts.name != "iq") continue;
    if (records[i].what == What::sent && (facts.type == "get" || facts.type == "set")) {
      all.emplace(facts.id, Exchange{i});
    } else if (records[i].what == What::received && (facts.type == "result" || facts.type == "error")) {
      const auto found = all.find(facts.id);
      if (found == all.end() || found->second.answered != nowhere) continue;
      if (records[found->second.sent].stream == records[i].stream) found->second.answered = i;
    }
  }
  return all;
}

namespace {

/// The answer to an iq to the account's own address, sent after the message, says what became of it. An error of type
/// wait says nothing, nor does one that comes from somebody else.
void acknowledge(const History& history, std::map<std::string, Message>& messages) {
  const auto& records = history.records();
  std::map<std::pair<unsigned, std::string>, std::vector<Message*>> by_way;
  for (auto& [id, message] : messages) {
    const Record& sent = records[message.sent];
    by_way[{sent.stream, bare_of(sent.facts.to)}].push_back(&message);
  }
  for (const auto& [id, exchange] : exchanges_of(history)) {
    if (exchange.answered == nowhere) continue;
    const Record& question = records[exchange.sent];
    const Facts& answer = records[exchange.answered].facts;
    if (is_full(question.facts.to) || answer.from != question.facts.to || answer.error_type == "wait") continue;
    const auto found = by_way.find({question.stream, question.facts.to});
    if (found == by_way.end()) continue;
    for (Message* message : found->second) {
      if (message->sent < exchange.sent) message->acknowledged = std::min(message->acknowledged, exchange.answered);
    }
  }
}

}  // namespace

std::map<std::string, Message> messages_of(const History& history) {
  std::map<std::string, Message> all;
  const auto& records = history.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    if (record.facts.name != "message") continue;
    if (record.what == What::sent) all.emplace(record.facts.id, Message{record.facts.id, i});
    if (record.what != What::received) continue;
    const auto found = all.find(record.facts.id);
    if (found == all.end()) continue;
    const Record& sent = records[found->second.sent];
    const bool bounce = record.facts.type == "error" && sent.facts.type != "error";
    (bounce ? found->second.bounces : found->second.deliveries).push_back(i);
  }
  acknowledge(history, all);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].what != What::acknowledged) continue;
    const auto found = all.find(records[i].facts.id);
    if (found != all.end()) found->second.acknowledged = std::min(found->second.acknowledged, i);
  }
  return all;
}

}  // namespace kith::simulation
