// Full logins, so many at a time: TCP, STARTTLS with TLS 1.3, SCRAM-SHA-1 (or a token, over a resumed TLS session),
// resource, roster, presence; then the client
// takes leave, and its place is taken by the next. Beside them, sessions may be held that do nothing, to see whether a
// login costs the same on a full server.
#include "failure.h"
#include "load.h"
#include "samples.h"

namespace kith::bench {

namespace {

class Logins {
 public:
  explicit Logins(const Run& run) : run_(run), places_(run.options.at_once) {}

  nlohmann::json run() {
    hold();
    for (std::size_t i = 0; i < places_.size(); ++i) begin(i);
    Loop& loop = run_.world.loop;
    loop.run_for(Seconds(run_.options.warm_up_seconds), "warming up");
    count_ = 0;
    latency_.clear();
    const Meter meter(run_.server);
    loop.run_for(Seconds(run_.options.seconds), "logging in and out");
    nlohmann::json result = meter.per("login", "logins", count_);
    if (count_ == 0) throw StepFailed("logging in and out", "not one login was done");
    result["latency_us"] = latency_of(latency_);
    going_on_ = false;
    loop.run_until([&] { return active_ == 0; }, run_.world.step_limit, "waiting for the last logins");
    result["fast"] = run_.options.fast;
    result["at_once"] = run_.options.at_once;
    result["held"] = run_.options.held;
    return result;
  }

 private:
  struct Place {
    std::unique_ptr<Client> client;
    SteadyClock::time_point started;
    Returning returning;
  };

  void hold() {
    for (unsigned i = 0; i < run_.options.held; ++i) {
      const unsigned account = run_.options.held_first + i % run_.options.held_accounts;
      held_.push_back(std::make_unique<Client>(
          run_.world, Client::Wanted{.user = "u" + std::to_string(account),
                                     .resource = "held" + std::to_string(i / run_.options.held_accounts)}));
    }
    if (!held_.empty()) log_in(run_.world, held_, 0, run_.options.at_once);
  }

  /// A new client at a place; each place has an account of its own.
  void begin(std::size_t i) {
    Place& place = places_[i];
    const std::string user = "u" + std::to_string(run_.options.first + i);
    place.client = std::make_unique<Client>(
        run_.world, Client::Wanted{.user = user,
                                   .resource = "login",
                                   .roster = true,
                                   .presence = true,
                                   .returning = run_.options.fast ? &place.returning : nullptr});
    place.client->on_online = [this, i] {
      latency_.add(std::chrono::duration<double, std::micro>(SteadyClock::now() - places_[i].started).count());
      places_[i].client->log_out();
    };
    place.client->on_closed = [this, i] {
      ++count_;
      --active_;
      if (going_on_) run_.world.loop.defer([this, i] { begin(i); });
    };
    place.started = SteadyClock::now();
    ++active_;
    place.client->connect();
  }

  const Run& run_;
  std::vector<std::unique_ptr<Client>> held_;
  std::vector<Place> places_;
  Samples latency_;
  std::uint64_t count_ = 0;
  std::size_t active_ = 0;
  bool going_on_ = true;
};

}  // namespace

nlohmann::json run_logins(const Run& run) { return Logins(run).run(); }

}  // namespace kith::bench
