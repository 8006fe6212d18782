// Presence storms: accounts with many mutual contacts tell them a new status, some at a time; each goes on once all
// contacts (and the account itself) have heard of it. What is counted is what arrives. Every status carries its number:
// one that is missing, double or out of order ends the load.
#include <charconv>

#include "failure.h"
#include "load.h"
#include "ring.h"
#include "samples.h"
#include "stanza.h"

namespace kith::bench {

namespace {

constexpr double drain_seconds = 20;

class Presence {
 public:
  explicit Presence(const Run& run)
      : run_(run),
        ring_(run.options.first, run.options.accounts, run.options.contacts),
        tellers_(ring_.accounts()),
        heard_(static_cast<std::size_t>(ring_.accounts()) * ring_.accounts(), nothing) {
    for (unsigned i = 0; i < ring_.accounts(); ++i) {
      clients_.push_back(std::make_unique<Client>(
          run.world, Client::Wanted{.user = ring_.user(i), .resource = "bench", .roster = true, .presence = true}));
      clients_[i]->on_stanza = [this, i](std::string_view stanza) { on_stanza(i, stanza); };
    }
  }

  nlohmann::json run() {
    log_in(run_.world, clients_, 0, run_.options.at_once);
    Loop& loop = run_.world.loop;
    const std::size_t all = static_cast<std::size_t>(ring_.accounts()) * (ring_.contacts() + 1);
    try {
      loop.run_until([&] { return heard_of_ == all; }, Seconds(drain_seconds), "waiting for each contact's presence");
    } catch (const StepFailed& failed) {
      throw StepFailed(failed.what(), std::to_string(heard_of_) + " of " + std::to_string(all) +
                                          " are known; the load 'contacts' makes the accounts contacts");
    }
    const unsigned at_once = std::min(run_.options.at_once, ring_.accounts());
    for (unsigned n = 0; n < at_once; ++n) tell_next();
    loop.run_for(Seconds(run_.options.warm_up_seconds), "warming up");
    arrived_ = 0;
    latency_.clear();
    const Meter meter(run_.server);
    loop.run_for(Seconds(run_.options.seconds), "telling contacts");
    nlohmann::json result = meter.per("delivery", "deliveries", arrived_);
    if (arrived_ == 0) throw StepFailed("telling contacts", "nothing arrived");
    result["latency_us"] = latency_of(latency_);
    going_on_ = false;
    loop.run_until([&] { return under_way_ == 0; }, Seconds(drain_seconds), "waiting for the last presences");
    result["accounts"] = ring_.accounts();
    result["contacts"] = ring_.contacts();
    result["at_once"] = at_once;
    return result;
  }

 private:
  static constexpr std::uint32_t nothing = ~0U;

  struct Teller {
    std::uint32_t number = 0;
    unsigned outstanding = 0;
    SteadyClock::time_point told;
  };

  /// The next of the accounts, in turn, that has nothing on its way.
  void tell_next() {
    while (tellers_[next_ % ring_.accounts()].outstanding > 0) ++next_;  // one has just finished, so there is one
    const unsigned i = next_++ % ring_.accounts();
    Teller& teller = tellers_[i];
    ++teller.number;
    teller.outstanding = ring_.contacts() + 1;
    teller.told = SteadyClock::now();
    ++under_way_;
    clients_[i]->queue("<presence><show>away</show><status>s" + std::to_string(teller.number) + "</status></presence>");
    clients_[i]->flush();
  }

  void on_stanza(unsigned receiver, std::string_view stanza) {
    if (!stanza.starts_with("<presence")) return;
    const auto sender = ring_.place_of(attribute(stanza, "from"));
    if (!sender) return;
    const std::string_view type = attribute(stanza, "type");
    if (type == "unavailable") return;  // the end of a session before this load
    if (!type.empty()) return clients_[receiver]->fail("was told: " + std::string(stanza));
    std::uint32_t number = 0;
    const std::string_view status = leaf_text(stanza, "<status>s");
    std::from_chars(status.data(), status.data() + status.size(), number);
    std::uint32_t& last = heard_[static_cast<std::size_t>(receiver) * ring_.accounts() + *sender];
    if (number == 0) {  // the presence at login; it may come twice, once asked for and once by itself
      if (last == nothing) ++heard_of_;
      if (last == nothing) last = 0;
      return;
    }
    Teller& teller = tellers_[*sender];
    if (number != last + 1 || number != teller.number) {
      return clients_[receiver]->fail("heard status " + std::to_string(number) + " of " + ring_.user(*sender) +
                                      " after " + std::to_string(last));
    }
    last = number;
    ++arrived_;
    latency_.add(std::chrono::duration<double, std::micro>(SteadyClock::now() - teller.told).count());
    if (--teller.outstanding > 0) return;
    --under_way_;
    // Not at once: the sender may be another client than the one that is being read.
    if (going_on_) run_.world.loop.defer([this] { tell_next(); });
  }

  const Run& run_;
  Ring ring_;
  std::vector<Teller> tellers_;
  std::vector<std::uint32_t> heard_;  // the last number, by receiver and sender
  std::vector<std::unique_ptr<Client>> clients_;
  Samples latency_;
  std::size_t heard_of_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t under_way_ = 0;
  unsigned next_ = 0;
  bool going_on_ = true;
};

}  // namespace

nlohmann::json run_presence(const Run& run) { return Presence(run).run(); }

}  // namespace kith::bench
