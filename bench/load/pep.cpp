// Personal events (XEP-0163): an account publishes, and clients of its contacts, whose capabilities (XEP-0115) say that
// they want it, are told; the next event is published once all have heard of one. Each event has its number: one that
// is missing, double or out of order ends the load. The account and its contacts become that first, over the protocol.
#include <algorithm>
#include <charconv>
#include <set>

#include "failure.h"
#include "load.h"
#include "samples.h"
#include "stanza.h"

namespace kith::bench {

namespace {

constexpr double drain_seconds = 60;
constexpr double try_seconds = 0.5;
constexpr unsigned most_tries = 120;
/// What all receivers are, and the hash of it (XEP-0115 §5.1).
constexpr std::string_view capabilities =
    "<identity category='client' type='pc'/><feature var='http://jabber.org/protocol/disco#info'/>"
    "<feature var='http://jabber.org/protocol/tune+notify'/>";
constexpr std::string_view capabilities_hash = "zFBE5RgUCnuSSTPXM4MjEo+Isro=";
constexpr std::string_view capabilities_node = "urn:example:kith-load";

class Pep {
 public:
  explicit Pep(const Run& run)
      : run_(run), contacts_(std::min(run.options.contacts, run.options.receivers)), heard_(run.options.receivers) {
    publisher_ = add(user(0), "bench", true);
    publisher_->on_stanza = [this](std::string_view stanza) { on_own(stanza); };
  }

  nlohmann::json run() {
    Loop& loop = run_.world.loop;
    for (unsigned i = 0; i < run_.options.receivers; ++i) {
      Client* client = add(user(1 + i % contacts_), "bench" + std::to_string(i / contacts_), false);
      client->on_stanza = [this, i](std::string_view stanza) { on_stanza(i, stanza); };
    }
    // The first client of each contact answers for it.
    log_in(run_.world, clients_, 0, run_.options.at_once);
    for (unsigned i = 1; i <= contacts_; ++i) {
      if (!mutual_.contains(user(i))) say(*publisher_, "<presence type='subscribe' to='" + bare(i) + "'/>");
    }
    loop.run_until([&] { return mutual_.size() == contacts_; }, run_.world.step_limit, "becoming contacts");

    for (std::size_t i = 1; i < clients_.size(); ++i) {
      say(*clients_[i], "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='" +
                            std::string(capabilities_node) + "' ver='" + std::string(capabilities_hash) +
                            "'/></presence>");
    }
    // What they want the server has to ask, and nobody says when it knows: when all have heard of the same event.
    for (unsigned tries = 0; number_ == 0 || outstanding_ > 0; ++tries) {
      if (tries == most_tries) {
        throw StepFailed("waiting until all are told",
                         std::to_string(outstanding_) + " of " + std::to_string(run_.options.receivers) + " are not");
      }
      publish();
      loop.run_for(Seconds(try_seconds), "publishing for the first time");
    }
    before_ = number_;
    going_on_ = true;
    publish();
    loop.run_for(Seconds(run_.options.warm_up_seconds), "warming up");
    measured_ = true;
    arrived_ = 0;
    latency_.clear();
    const Meter meter(run_.server);
    loop.run_for(Seconds(run_.options.seconds), "publishing");
    nlohmann::json result = meter.per("delivery", "deliveries", arrived_);
    if (arrived_ == 0) throw StepFailed("publishing", "nothing arrived");
    result["latency_us"] = latency_of(latency_);
    going_on_ = false;
    loop.run_until([&] { return outstanding_ == 0; }, Seconds(drain_seconds), "waiting for the last event");
    result["contacts"] = contacts_;
    result["receivers"] = run_.options.receivers;
    return result;
  }

 private:
  Client* add(std::string user, std::string resource, bool roster) {
    clients_.push_back(std::make_unique<Client>(
        run_.world,
        Client::Wanted{.user = std::move(user), .resource = std::move(resource), .roster = roster, .presence = true}));
    return clients_.back().get();
  }
  std::string user(unsigned place) const { return "u" + std::to_string(run_.options.first + place); }
  std::string bare(unsigned place) const { return user(place) + "@" + run_.world.domain; }

  void say(Client& client, const std::string& stanza) {
    client.queue(stanza);
    client.flush();
  }

  void publish() {
    ++number_;
    outstanding_ = run_.options.receivers;
    when_ = SteadyClock::now();
    say(*publisher_,
        "<iq type='set' id='event'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish "
        "node='http://jabber.org/protocol/tune'><item id='current'><tune "
        "xmlns='http://jabber.org/protocol/tune'><artist>Gerald Finzi</artist><length>255</length><source>Music "
        "for Love's Labors Lost (Suite for small orchestra)</source><title>Introduction (Allegro "
        "vigoroso)</title><track>" +
            std::to_string(number_) + "</track></tune></item></publish></pubsub></iq>");
  }

  /// What comes to the publisher.
  void on_own(std::string_view stanza) {
    const std::string_view type = attribute(stanza, "type");
    if (type == "error") return publisher_->fail("was answered: " + std::string(stanza));
    if (stanza.starts_with("<presence") && type == "subscribe") {
      publisher_->queue("<presence type='subscribed' to='" + std::string(attribute(stanza, "from")) + "'/>");
    } else if (stanza.starts_with("<iq") && type == "get") {
      answer(*publisher_, stanza);
    } else if (stanza.starts_with("<iq") && attribute(stanza, "id") != "event") {
      on_roster(stanza, type == "set");
    }
  }

  /// The roster at login, and each change of it.
  void on_roster(std::string_view stanza, bool pushed) {
    for (std::size_t at = stanza.find("<item "); at != std::string_view::npos; at = stanza.find("<item ", at + 1)) {
      const std::string_view item = stanza.substr(at);
      const std::string_view jid = attribute(item, "jid");
      if (attribute(item, "subscription") == "both") mutual_.emplace(jid.substr(0, jid.find('@')));
    }
    if (pushed) publisher_->queue("<iq type='result' id='" + std::string(attribute(stanza, "id")) + "'/>");
  }

  /// The question what the client is.
  void answer(Client& client, std::string_view question) {
    client.queue("<iq type='result' id='" + std::string(attribute(question, "id")) + "' to='" +
                 std::string(attribute(question, "from")) +
                 "'><query xmlns='http://jabber.org/protocol/disco#info' node='" + std::string(capabilities_node) +
                 "#" + std::string(capabilities_hash) + "'>" + std::string(capabilities) + "</query></iq>");
  }

  void on_stanza(unsigned receiver, std::string_view stanza) {
    Client& client = *clients_[receiver + 1];
    const std::string_view type = attribute(stanza, "type");
    if (type == "error") return client.fail("was told: " + std::string(stanza));
    if (stanza.starts_with("<iq")) {
      if (type == "get") answer(client, stanza);
      if (type == "set") client.queue("<iq type='result' id='" + std::string(attribute(stanza, "id")) + "'/>");
      return;
    }
    if (stanza.starts_with("<presence")) {
      if (type != "subscribe" || receiver >= contacts_) return;
      const std::string from(attribute(stanza, "from"));
      client.queue("<presence type='subscribed' to='" + from + "'/><presence type='subscribe' to='" + from + "'/>");
      return;
    }
    std::uint32_t number = 0;
    const std::string_view track = leaf_text(stanza, "<track>");
    std::from_chars(track.data(), track.data() + track.size(), number);
    if (number == 0) return;
    if (before_ == 0) {
      if (number == number_ && heard_[receiver] != number) --outstanding_;
      heard_[receiver] = number;
      return;
    }
    // Some servers greet each presence with the newest, late: until it is measured, that is no fault.
    if (number <= before_ || (!measured_ && number == heard_[receiver])) return;
    if (number != heard_[receiver] + 1 || number != number_) {
      return client.fail("heard event " + std::to_string(number) + " after " + std::to_string(heard_[receiver]));
    }
    heard_[receiver] = number;
    ++arrived_;
    latency_.add(std::chrono::duration<double, std::micro>(SteadyClock::now() - when_).count());
    if (--outstanding_ > 0) return;
    // Not at once: it is another client that is being read.
    if (going_on_) run_.world.loop.defer([this] { publish(); });
  }

  const Run& run_;
  const unsigned contacts_;
  std::vector<std::uint32_t> heard_;  // the last number, by receiver
  std::vector<std::unique_ptr<Client>> clients_;
  Client* publisher_ = nullptr;
  std::set<std::string> mutual_;
  Samples latency_;
  SteadyClock::time_point when_;
  std::uint64_t arrived_ = 0;
  std::uint32_t number_ = 0;
  std::uint32_t before_ = 0;  // the number of the first event that all have heard of
  unsigned outstanding_ = 0;
  bool going_on_ = false;
  bool measured_ = false;
};

}  // namespace

nlohmann::json run_pep(const Run& run) { return Pep(run).run(); }

}  // namespace kith::bench
