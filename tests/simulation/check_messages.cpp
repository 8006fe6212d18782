// What was acknowledged is delivered, stored or bounced, once (docs/durability.md "What is
// acknowledged when"). A message counts as acknowledged when an iq that was sent behind it to the account's own address
// is answered, by anything but an error of type wait.
//
// What docs/durability.md allows: a message that was handed to a session may be lost with that session's connection,
// or, if it is managed, with a crash of the server; what a managed session ends without having confirmed goes another
// way, so that its client may see it again on another stream; what the offline store handed out comes again if the
// session ended without a sign of life after it, or if the server crashed or the disk failed before the removal was
// written.
#include <algorithm>

#include "checkers.h"
#include "ledger.h"

namespace kith::simulation {

namespace {

/// A server learns of a cut a moment after the client's side does.
constexpr Duration grace = std::chrono::seconds(1);
/// Longer than a stall of the disk, which holds output back.
constexpr Duration a_while = std::chrono::seconds(12);

class Messages {
 public:
  explicit Messages(const History& history) : history_(history), exchanges_(exchanges_of(history)) {}

  Faults check() {
    for (const auto& [id, message] : messages_of(history_)) {
      check_receivers(message);
      check_once(message);
      if (message.acknowledged != nowhere) check_not_lost(message);
    }
    return std::move(faults_);
  }

 private:
  const Record& record(std::size_t index) const { return history_.records()[index]; }
  const Stream& stream_of(std::size_t index) const { return history_.streams()[record(index).stream]; }
  void wrong(const std::string& why, const Message& message) { faults_.push_back({"messages", why, message.id}); }

  void check_receivers(const Message& message) {
    const Record& sent = record(message.sent);
    for (const std::size_t at : message.deliveries) {
      if (stream_of(at).account != bare_of(sent.facts.to)) wrong("delivered to " + stream_of(at).account, message);
    }
    for (const std::size_t at : message.bounces) {
      if (record(at).stream != sent.stream && stream_of(at).jid != history_.streams()[sent.stream].jid)
        wrong("somebody else got it back", message);
      if (record(at).facts.from != sent.facts.to) wrong("it came back from " + record(at).facts.from, message);
    }
  }

  void check_once(const Message& message) {
    for (std::size_t i = 1; i < message.bounces.size(); ++i) {
      const std::size_t first = message.bounces[i - 1];
      const std::size_t second = message.bounces[i];
      if (record(first).stream == record(second).stream || !may_be_twice(first, second))
        wrong("came back twice", message);
    }
    const bool seen_for_sure = std::ranges::any_of(
        message.deliveries, [&](std::size_t at) { return !unconfirmed(at, history_.records().size()); });
    if (!message.bounces.empty() && seen_for_sure && !another_had_it(message))
      wrong("was delivered and came back", message);
    for (std::size_t i = 0; i < message.deliveries.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) check_pair(message, message.deliveries[j], message.deliveries[i]);
    }
  }

  void check_pair(const Message& message, std::size_t first, std::size_t second) {
    const bool kept_first = record(first).facts.delayed;
    const bool kept_second = record(second).facts.delayed;
    const bool same_stream = record(first).stream == record(second).stream;
    if (kept_first && kept_second) {
      if (happened(What::failed, 0, second)) return;  // What could not be removed is handed out again.
      if (same_stream && !another_had_it(message)) return wrong("came twice on one stream", message);
      if (confirmed(first, second) && !another_had_it(message))
        wrong("handed out again, after its receiver had shown that it was there", message);
    } else if (same_stream && !another_had_it(message)) {
      wrong("came twice on one stream", message);
    } else if (kept_first != kept_second && !may_be_twice(first, second) && !another_had_it(message)) {
      wrong("was delivered and kept", message);
    }
    // Else it went to several sessions of the account at once.
  }

  bool happened(What what, std::size_t after, std::size_t before) const {
    for (std::size_t i = after; i < before; ++i) {
      if (record(i).what == what) return true;
    }
    return false;
  }

  /// True if the server has heard from the managed stream, before `end`, that this delivery has arrived.
  bool told(std::size_t delivery, std::size_t end) const {
    const unsigned stream = record(delivery).stream;
    std::size_t at = delivery;
    while (at < end && !(record(at).what == What::told && record(at).stream == stream)) ++at;
    return std::ranges::any_of(exchanges_, [&](const auto& entry) {
      return record(entry.second.sent).stream == stream && entry.second.sent > at && entry.second.answered < end;
    });
  }

  /// True if it reached a managed stream that did not say so, so that it may go another way, too.
  bool unconfirmed(std::size_t delivery, std::size_t end) const {
    const Stream& stream = stream_of(delivery);
    return stream.managed() && stream.managed_at < delivery && !told(delivery, end);
  }

  /// What a slow reader hears last may have been the first.
  bool may_be_twice(std::size_t first, std::size_t second) const {
    return unconfirmed(first, second) || unconfirmed(second, history_.records().size());
  }

  /// True if a managed session of the account may have had its own, and kept it for a client that did not come back.
  bool another_had_it(const Message& message) const {
    const auto had = [&](const Stream& stream) {
      const bool confirmed = std::ranges::any_of(message.deliveries, [&](std::size_t at) {
        return &stream_of(at) == &stream && !unconfirmed(at, history_.records().size());
      });
      return stream.managed() && stream.account == bare_of(record(message.sent).facts.to) && !confirmed;
    };
    return std::ranges::any_of(history_.streams(), had);
  }

  /// True if the message must have been removed before it was handed out a second time: its receiver had all that was
  /// handed out, said a word after that, and was there for a while, so that its output was seen to be empty; and
  /// nothing happened to the write that removes it.
  bool confirmed(std::size_t first, std::size_t second) const {
    const Stream& receiver = stream_of(first);
    // What a slow reader hears may have been handed to it long before: only a stream that began later tells of a second
    // time.
    if (stream_of(second).opened_at < first || happened(What::crashed, first, second)) return false;
    if (receiver.lazy || history_.narrow_links) return false;
    if (receiver.managed() && !told(first, second)) return false;
    const std::size_t end = std::min(receiver.ended_at, second);
    return std::ranges::any_of(exchanges_, [&](const auto& entry) {
      const Exchange& exchange = entry.second;
      if (exchange.sent < first || exchange.answered > end || &stream_of(exchange.sent) != &receiver) return false;
      return record(end).at - record(exchange.answered).at >= a_while && !handed_more(receiver, exchange.sent, end);
    });
  }

  bool handed_more(const Stream& receiver, std::size_t after, std::size_t before) const {
    for (std::size_t i = after; i < before; ++i) {
      const Record& one = record(i);
      if (one.what == What::received && one.facts.delayed && &history_.streams()[one.stream] == &receiver) return true;
    }
    return false;
  }

  void check_not_lost(const Message& message) {
    const Facts& sent = record(message.sent).facts;
    // Headlines and errors, and what has no content, are for who is there.
    if (sent.mark.empty() || sent.type == "headline" || sent.type == "error") return;
    if (!message.deliveries.empty()) return;
    const bool back_in_time =
        std::ranges::any_of(message.bounces, [&](std::size_t at) { return at < message.acknowledged; });
    if (back_in_time) return;
    // What an account sends to itself is answered without a way through its queue: what comes back may come after the
    // answer, and then finds nobody if the stream ends with that.
    const bool to_self = stream_of(message.sent).account == bare_of(sent.to);
    if (to_self && (!message.bounces.empty() || left_with_the_answer(message))) return;
    // What came back while the client was away is with it after the word that resumes the session.
    const bool resumed = record(message.acknowledged).facts.type == "resumption";
    if (!message.bounces.empty() && (resumed || came_late(message))) return;
    if (!message.bounces.empty()) return wrong("came back only after it was acknowledged", message);
    for (const Stream& stream : history_.streams()) {
      if (may_have_lost(stream, message)) return;
    }
    wrong("acknowledged and lost", message);
  }

  bool left_with_the_answer(const Message& message) const {
    const Stream& sender = stream_of(message.sent);
    return sender.over() && record(sender.ended_at).at - record(message.acknowledged).at < a_while;
  }

  /// True if it may have waited in a managed session that ended later.
  bool came_late(const Message& message) const {
    const Record& sent = record(message.sent);
    return std::ranges::any_of(history_.streams(), [&](const Stream& stream) {
      return stream.managed() && stream.account == bare_of(sent.facts.to);
    });
  }

  /// True if the message may have been on its way to this session when that ended: as it came, or later, out of the
  /// store, which forgets what it handed out at the receiver's next word.
  bool may_have_lost(const Stream& stream, const Message& message) const {
    const Record& sent = record(message.sent);
    if (stream.account != bare_of(sent.facts.to) || stream.end == End::left) return false;
    const std::size_t end = std::min(stream.ended_at, history_.records().size());
    const bool managed = stream.managed() && stream.managed_at < message.sent;
    // The server waits for the client of a managed one that is over.
    const Duration waits = managed ? history_.resume_time + a_while : grace;
    if (stream.over() && record(stream.ended_at).at + waits < sent.at) return false;
    if (managed) {
      // What goes another way and finds none is for nobody, or comes back to a sender who may have left.
      if (!sent.facts.for_offline || history_.small_offline_store) return true;
      return happened(What::crashed, message.sent, history_.records().size()) || happened(What::failed, 0, end);
    }
    if (words(stream, end).second > 0) return true;
    if (stream.opened_at > message.acknowledged) return false;
    if (stream.jid == sent.facts.to || (is_full(sent.facts.to) && !stream.bound())) return true;
    return words(stream, message.acknowledged).first;
  }

  /// Whether the stream's client made itself available, and how much it said after that.
  std::pair<bool, std::size_t> words(const Stream& stream, std::size_t before) const {
    std::pair<bool, std::size_t> found{false, 0};
    for (std::size_t i = stream.opened_at; i < before; ++i) {
      if (record(i).what != What::sent || &history_.streams()[record(i).stream] != &stream) continue;
      if (found.first) ++found.second;
      const Facts& facts = record(i).facts;
      if (facts.name == "presence" && facts.type.empty() && facts.to.empty()) found.first = true;
    }
    return found;
  }

  const History& history_;
  std::map<std::string, Exchange> exchanges_;
  Faults faults_;
};

}  // namespace

Faults check_messages(const History& history) { return Messages(history).check(); }

}  // namespace kith::simulation
