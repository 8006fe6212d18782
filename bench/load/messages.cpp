// One-to-one messages in a closed loop: whoever gets one answers it, so that each pair has a fixed number of messages
// on their way. Every message carries its number; one that is missing, double or out of order ends the load.
#include <charconv>

#include "failure.h"
#include "load.h"
#include "samples.h"
#include "stanza.h"

namespace kith::bench {

namespace {

constexpr std::size_t message_bytes = 285;  // as sent: about what a chat client writes for a short sentence
constexpr std::size_t number_digits = 10;
constexpr double drain_seconds = 20;
constexpr std::size_t expected_messages_a_second = 300'000;

const std::string enable = "<enable xmlns='urn:xmpp:sm:3'/>";
const std::string ask = "<r xmlns='urn:xmpp:sm:3'/>";

/// One direction of a pair.
struct Lane {
  Client* from = nullptr;
  std::string form;       // the stanza, whose number is written over
  std::size_t number_at;  // where in it
  std::string tag;        // what stands before the number: the lane's own
  std::uint64_t sent = 0;
  std::uint64_t arrived = 0;
  std::vector<SteadyClock::time_point> sent_at;  // of what is on its way, by number
};

class Messages {
 public:
  explicit Messages(const Run& run)
      : run_(run),
        tag_("l" + std::to_string(SteadyClock::now().time_since_epoch().count()) + "-"),
        lanes_(2UL * run.options.pairs) {
    for (unsigned i = 0; i < lanes_.size(); ++i) {
      const std::string user = "u" + std::to_string(run.options.first + i);
      clients_.push_back(
          std::make_unique<Client>(run.world, Client::Wanted{.user = user, .resource = "bench", .presence = true}));
    }
  }

  nlohmann::json run() {
    // Beside a forwarder one after the other: it makes pairs of them in the order in which they come.
    log_in(run_.world, clients_, 0, run_.world.forwarder ? 1 : run_.options.at_once);
    for (unsigned i = 0; i < lanes_.size(); ++i) make_lane(i);
    if (run_.options.acks != 0) enable_acknowledgements();
    for (unsigned i = 0; i < lanes_.size(); i += 2) {
      for (unsigned n = 0; n < run_.options.window; ++n) send(i, SteadyClock::now());
      clients_[i]->flush();
    }
    Loop& loop = run_.world.loop;
    loop.run_for(Seconds(run_.options.warm_up_seconds), "warming up");
    latency_.reserve(static_cast<std::size_t>(run_.options.seconds) * expected_messages_a_second);
    latency_.clear();
    arrived_ = 0;
    const Meter meter(run_.server);
    loop.run_for(Seconds(run_.options.seconds), "exchanging messages");
    nlohmann::json result = meter.per("message", "messages", arrived_);
    if (arrived_ == 0) throw StepFailed("exchanging messages", "not one arrived");
    result["latency_us"] = latency_of(latency_);

    answering_ = false;
    loop.run_until([&] { return under_way_ == 0; }, Seconds(drain_seconds), "waiting for the last messages");
    result["pairs"] = run_.options.pairs;
    result["window"] = run_.options.window;
    if (run_.options.acks != 0) {
      result["acks"] = run_.options.acks;
      // A server that acknowledges nothing would cost less.
      if (acknowledged_ == 0) throw StepFailed("exchanging messages", "nothing was acknowledged");
      result["acknowledgements"] = acknowledged_;
    }
    result["bytes"] = message_bytes;
    return result;
  }

 private:
  void enable_acknowledgements() {
    for (const auto& client : clients_) {
      client->queue(enable);
      client->flush();
    }
    run_.world.loop.run_until([&] { return enabled_ == clients_.size(); }, Seconds(drain_seconds),
                              "enabling stream management");
  }

  /// True if it was one of stream management's.
  bool take_management(unsigned i, std::string_view element) {
    if (element.starts_with("<a ")) {
      ++acknowledged_;
    } else if (element.starts_with("<r ") || element.starts_with("<r/") || element.starts_with("<r>")) {
      clients_[i]->queue("<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(came_[i]) + "'/>");
    } else if (element.starts_with("<enabled")) {
      ++enabled_;
    } else {
      ++came_[i];
      return false;
    }
    return true;
  }

  void make_lane(unsigned i) {
    Lane& lane = lanes_[i];
    lane.from = clients_[i].get();
    lane.tag = tag_ + std::to_string(i) + "-";
    lane.sent_at.resize(run_.options.window);
    lane.form = "<message type='chat' to='" + clients_[i ^ 1U]->full_jid() + "' id='" + lane.tag;
    lane.number_at = lane.form.size();
    lane.form.append(number_digits, '0');
    constexpr std::string_view tail = "</body></message>";
    lane.form += "'><body>";
    lane.form.append(message_bytes - std::min(message_bytes, lane.form.size() + tail.size()), 'x');
    lane.form += tail;
    clients_[i]->on_stanza = [this, i](std::string_view stanza) { on_stanza(i, stanza); };
  }

  void send(unsigned i, SteadyClock::time_point now) {
    Lane& lane = lanes_[i];
    std::uint64_t left = lane.sent;
    for (std::size_t at = lane.number_at + number_digits; at > lane.number_at; left /= 10)
      lane.form[--at] = static_cast<char>('0' + left % 10);
    lane.sent_at[lane.sent % lane.sent_at.size()] = now;
    ++lane.sent;
    ++under_way_;
    lane.from->queue(lane.form);
    if (run_.options.acks != 0 && lane.sent % run_.options.acks == 0) lane.from->queue(ask);
  }

  void on_stanza(unsigned receiver, std::string_view stanza) {
    if (run_.options.acks != 0 && take_management(receiver, stanza)) return;
    if (!stanza.starts_with("<message")) return;
    Lane& lane = lanes_[receiver ^ 1U];
    const std::string_view id = attribute(stanza, "id");
    // What an earlier load left unacknowledged comes at login.
    if (!id.starts_with(tag_)) return;
    std::uint64_t number = 0;
    const bool mine = id.starts_with(lane.tag);
    if (mine) std::from_chars(id.data() + lane.tag.size(), id.data() + id.size(), number);
    if (!mine || number != lane.arrived || attribute(stanza, "type") == "error") {
      return clients_[receiver]->fail("got another message than number " + std::to_string(lane.arrived) + " of " +
                                      lane.from->user() + ": " + std::string(stanza));
    }
    const auto now = SteadyClock::now();
    latency_.add(std::chrono::duration<double, std::micro>(now - lane.sent_at[number % lane.sent_at.size()]).count());
    ++lane.arrived;
    ++arrived_;
    --under_way_;
    if (answering_) send(receiver, now);
  }

  const Run& run_;
  std::string tag_;  ///< of the ids of this run's messages
  std::vector<Lane> lanes_;
  std::vector<std::unique_ptr<Client>> clients_;
  Samples latency_;
  std::vector<std::uint32_t> came_ = std::vector<std::uint32_t>(lanes_.size());  ///< stanzas since <enabled/>, each
  std::size_t enabled_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t under_way_ = 0;
  bool answering_ = true;
};

}  // namespace

nlohmann::json run_messages(const Run& run) { return Messages(run).run(); }

}  // namespace kith::bench
