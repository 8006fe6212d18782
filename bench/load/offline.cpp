// Offline storms. First, senders write to accounts that are away, a batch at a time; a ping to the account's bare
// address, answered, says that the batch is stored (docs/durability.md; other servers promise less by that answer).
// Then the accounts come and fetch what waits. Every message carries its number: each has to come once, and in order.
#include <charconv>

#include "failure.h"
#include "load.h"
#include "samples.h"
#include "stanza.h"

namespace kith::bench {

namespace {

constexpr std::size_t body_bytes = 120;

class Offline {
 public:
  explicit Offline(const Run& run)
      : run_(run),
        lanes_(run.options.pairs),
        // What an earlier run has left behind in the store must not be taken for this one's.
        tag_("o" + std::to_string(SteadyClock::now().time_since_epoch().count()) + "-") {
    for (unsigned i = 0; i < lanes_.size(); ++i) {
      const std::string sender = "u" + std::to_string(run.options.first + i);
      const std::string receiver = "u" + std::to_string(run.options.first + run.options.pairs + i);
      lanes_[i].to = receiver + "@" + run.world.domain;
      senders_.push_back(
          std::make_unique<Client>(run.world, Client::Wanted{.user = sender, .resource = "bench", .presence = true}));
      receivers_.push_back(std::make_unique<Client>(run.world, Client::Wanted{.user = receiver, .resource = "bench"}));
      senders_[i]->on_stanza = [this, i](std::string_view stanza) { on_answer(i, stanza); };
      receivers_[i]->on_stanza = [this, i](std::string_view stanza) { on_fetched(i, stanza); };
    }
  }

  nlohmann::json run() {
    nlohmann::json result = {{"store", store()}};
    result["fetch"] = fetch();
    result["pairs"] = run_.options.pairs;
    result["messages_each"] = run_.options.messages;
    result["batch"] = run_.options.batch;
    return result;
  }

 private:
  struct Lane {
    std::string to;
    unsigned sent = 0;
    unsigned acknowledged = 0;
    unsigned fetched = 0;
    SteadyClock::time_point asked;
  };

  std::uint64_t all() const { return static_cast<std::uint64_t>(run_.options.messages) * run_.options.pairs; }

  nlohmann::json store() {
    log_in(run_.world, senders_, 0, run_.options.at_once);
    const Meter meter(run_.server);
    for (unsigned i = 0; i < lanes_.size(); ++i) {
      send_batch(i);
      senders_[i]->flush();
    }
    run_.world.loop.run_until([&] { return acknowledged_ == all(); }, run_.world.step_limit, "storing messages");
    nlohmann::json result = meter.per("message", "messages", acknowledged_);
    result["latency_us"] = latency_of(latency_);
    return result;
  }

  nlohmann::json fetch() {
    // Logged in first and available later, so that what is measured is the fetching.
    log_in(run_.world, receivers_, 0, run_.options.at_once);
    const Meter meter(run_.server);
    for (const auto& receiver : receivers_) {
      receiver->queue("<presence/>");
      receiver->flush();
    }
    run_.world.loop.run_until([&] { return fetched_ == all(); }, run_.world.step_limit, "fetching messages");
    return meter.per("message", "messages", fetched_);
  }

  void send_batch(unsigned i) {
    static const std::string body(body_bytes, 'x');
    Lane& lane = lanes_[i];
    const unsigned end = std::min(lane.sent + run_.options.batch, run_.options.messages);
    for (; lane.sent < end; ++lane.sent) {
      senders_[i]->queue("<message type='chat' to='" + lane.to + "' id='" + tag_ + std::to_string(lane.sent) +
                         "'><body>" + body + "</body></message>");
    }
    senders_[i]->queue("<iq type='get' id='p" + std::to_string(lane.sent) + "' to='" + lane.to +
                       "'><ping xmlns='urn:xmpp:ping'/></iq>");
    lane.asked = SteadyClock::now();
  }

  /// The answer to the ping, be it a result or an error: only one of type `wait` acknowledges nothing.
  void on_answer(unsigned i, std::string_view stanza) {
    if (stanza.starts_with("<message") && attribute(stanza, "type") == "error")
      return senders_[i]->fail("got a message back: " + std::string(stanza));
    Lane& lane = lanes_[i];
    if (!stanza.starts_with("<iq") || attribute(stanza, "id") != "p" + std::to_string(lane.sent)) return;
    const std::size_t error = stanza.find("<error");
    if (error != std::string_view::npos && attribute(stanza.substr(error), "type") == "wait")
      return senders_[i]->fail("was asked to wait: " + std::string(stanza));
    latency_.add(std::chrono::duration<double, std::micro>(SteadyClock::now() - lane.asked).count());
    acknowledged_ += lane.sent - lane.acknowledged;
    lane.acknowledged = lane.sent;
    if (lane.sent < run_.options.messages) send_batch(i);
  }

  void on_fetched(unsigned i, std::string_view stanza) {
    if (!stanza.starts_with("<message")) return;
    const std::string_view id = attribute(stanza, "id");
    if (!id.starts_with(tag_)) return;
    Lane& lane = lanes_[i];
    unsigned number = 0;
    std::from_chars(id.data() + tag_.size(), id.data() + id.size(), number);
    if (number != lane.fetched)
      return receivers_[i]->fail("fetched message " + std::to_string(number) + " where " +
                                 std::to_string(lane.fetched) + " was due");
    ++lane.fetched;
    ++fetched_;
  }

  const Run& run_;
  std::vector<Lane> lanes_;
  std::string tag_;
  std::vector<std::unique_ptr<Client>> senders_;
  std::vector<std::unique_ptr<Client>> receivers_;
  Samples latency_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t fetched_ = 0;
};

}  // namespace

nlohmann::json run_offline(const Run& run) { return Offline(run).run(); }

}  // namespace kith::bench
