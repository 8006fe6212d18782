// A room (XEP-0045) with many occupants: all enter, and then some speak in turn, a fixed number of messages on their
// way; the next is said once everybody has heard one. Each message has its number: one that is missing, double or out
// of order ends the load. Nothing is kept (XEP-0334), since not every server has an archive of rooms.
#include <charconv>

#include "failure.h"
#include "load.h"
#include "samples.h"
#include "stanza.h"

namespace kith::bench {

namespace {

constexpr double drain_seconds = 60;

class Room {
 public:
  explicit Room(const Run& run)
      : run_(run),
        occupants_(run.options.occupants),
        speakers_(std::min(run.options.window, run.options.occupants)),
        room_("bench" + std::to_string(run.options.occupants) + "@" + run.options.rooms_prefix + "." +
              run.world.domain),
        spoken_(speakers_),
        heard_(static_cast<std::size_t>(occupants_) * speakers_) {
    for (unsigned i = 0; i < occupants_; ++i) {
      clients_.push_back(std::make_unique<Client>(
          run.world, Client::Wanted{.user = "u" + std::to_string(run.options.first + i % run.options.accounts),
                                    .resource = "room" + std::to_string(i / run.options.accounts),
                                    .presence = true}));
      clients_[i]->on_stanza = [this, i](std::string_view stanza) { on_stanza(i, stanza); };
    }
  }

  nlohmann::json run() {
    log_in(run_.world, clients_, 0, run_.options.at_once);
    Loop& loop = run_.world.loop;
    enter(0);
    loop.run_until([&] { return joined_ == 1; }, Seconds(drain_seconds), "making the room");
    say(0, "<iq type='set' id='make' to='" + room_ +
               "'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' "
               "type='submit'/></query></iq>");
    loop.run_until([&] { return made_; }, Seconds(drain_seconds), "configuring the room");

    const Meter entering(run_.server);
    next_ = 1;
    while (next_ < occupants_ && next_ <= run_.options.at_once) enter(next_++);
    loop.run_until([&] { return joined_ == occupants_; }, run_.world.step_limit, "entering");
    const nlohmann::json joins = entering.per("join", "joins", occupants_ - 1);

    for (unsigned speaker = 0; speaker < speakers_; ++speaker) speak(speaker);
    loop.run_for(Seconds(run_.options.warm_up_seconds), "warming up");
    arrived_ = 0;
    latency_.clear();
    const Meter meter(run_.server);
    loop.run_for(Seconds(run_.options.seconds), "speaking");
    nlohmann::json result = meter.per("delivery", "deliveries", arrived_);
    if (arrived_ == 0) throw StepFailed("speaking", "nothing arrived");
    result["latency_us"] = latency_of(latency_);
    going_on_ = false;
    loop.run_until([&] { return under_way_ == 0; }, Seconds(drain_seconds), "waiting for the last messages");
    result["occupants"] = occupants_;
    result["joined_in_seconds"] = joins["seconds"];
    result["processor_us_per_join"] = joins["processor_us_per_join"];
    return result;
  }

 private:
  struct Spoken {
    std::uint32_t number = 0;
    unsigned outstanding = 0;
    SteadyClock::time_point when;
  };

  void say(unsigned client, const std::string& stanza) {
    clients_[client]->queue(stanza);
    clients_[client]->flush();
  }

  void enter(unsigned client) {
    say(client, "<presence to='" + room_ + "/n" + std::to_string(client) +
                    "'><x xmlns='http://jabber.org/protocol/muc'><history maxchars='0'/></x></presence>");
  }

  void speak(unsigned speaker) {
    Spoken& spoken = spoken_[speaker];
    ++spoken.number;
    spoken.outstanding = occupants_;
    spoken.when = SteadyClock::now();
    ++under_way_;
    say(speaker, "<message type='groupchat' to='" + room_ + "'><body>m" + std::to_string(spoken.number) +
                     " Double, double toil and trouble; fire burn, and cauldron bubble.</body><no-store "
                     "xmlns='urn:xmpp:hints'/></message>");
  }

  void on_stanza(unsigned receiver, std::string_view stanza) {
    const std::string_view type = attribute(stanza, "type");
    if (stanza.starts_with("<iq")) {
      if (attribute(stanza, "id") == "make" && type == "result") made_ = true;
      return;
    }
    if (type == "error") return clients_[receiver]->fail("was told: " + std::string(stanza));
    if (stanza.starts_with("<presence")) {
      const bool own =
          stanza.find("code='110'") != std::string_view::npos || stanza.find("code=\"110\"") != std::string_view::npos;
      if (!own || type == "unavailable") return;
      ++joined_;
      if (next_ != 0 && next_ < occupants_)
        run_.world.loop.defer([this] {
          if (next_ < occupants_) enter(next_++);
        });
      return;
    }
    const std::string_view from = attribute(stanza, "from");
    const std::size_t slash = from.find("/n");
    const std::string_view body = leaf_text(stanza, "<body>m");
    if (slash == std::string_view::npos || body.empty()) return;  // the subject
    unsigned speaker = 0;
    std::uint32_t number = 0;
    std::from_chars(from.data() + slash + 2, from.data() + from.size(), speaker);
    std::from_chars(body.data(), body.data() + body.size(), number);
    if (speaker >= speakers_) return clients_[receiver]->fail("heard somebody who does not speak");
    std::uint32_t& last = heard_[static_cast<std::size_t>(receiver) * speakers_ + speaker];
    Spoken& spoken = spoken_[speaker];
    if (number != last + 1 || number != spoken.number) {
      return clients_[receiver]->fail("heard message " + std::to_string(number) + " after " + std::to_string(last));
    }
    last = number;
    ++arrived_;
    latency_.add(std::chrono::duration<double, std::micro>(SteadyClock::now() - spoken.when).count());
    if (--spoken.outstanding > 0) return;
    --under_way_;
    // Not at once: the speaker may be another client than the one that is being read.
    if (going_on_) run_.world.loop.defer([this, speaker] { speak(speaker); });
  }

  const Run& run_;
  const unsigned occupants_;
  const unsigned speakers_;
  const std::string room_;
  std::vector<Spoken> spoken_;
  std::vector<std::uint32_t> heard_;  // the last number, by receiver and speaker
  std::vector<std::unique_ptr<Client>> clients_;
  Samples latency_;
  std::uint64_t arrived_ = 0;
  std::uint64_t under_way_ = 0;
  unsigned joined_ = 0;
  unsigned next_ = 0;
  bool made_ = false;
  bool going_on_ = true;
};

}  // namespace

nlohmann::json run_room(const Run& run) { return Room(run).run(); }

}  // namespace kith::bench
