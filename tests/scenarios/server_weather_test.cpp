// Another server that comes and goes, for minutes or for days, with cuts in the midst of everything, and a server of
// ours that is killed and restarted: all chance from a seed, hours in milliseconds. What people of ours have written
// arrives there, all of it and in order; and twice only what the other server had handled without its acknowledgement
// leaving.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "federated.h"

namespace kith::scenario {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// xorshift: the same on every machine.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}
  std::uint64_t below(std::uint64_t most) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return (state_ >> 11U) % most;
  }
  bool one_in(std::uint64_t most) { return below(most) == 0; }

 private:
  std::uint64_t state_;
};

class Weather : public Federated {
 protected:
  static Limits slow_to_forget() {
    Limits limits;
    limits.s2s_wait_time = std::chrono::hours(24 * 30);
    return limits;
  }
  Weather() : Federated(slow_to_forget()) {}

  /// far.example does what it can at this moment.
  void pump(Chance& chance, bool calm) {
    if (!up) return refuse_call();
    if (!link || link->closed()) {
      lose();
      link = with_management ? managed() : ready();
      on_stream = 0;
    }
    if (!link) return;
    const std::string came = taken(*link);
    for (auto at = came.find("<body>"); at != std::string::npos; at = came.find("<body>", at + 1)) {
      take(std::stoul(came.substr(at + 6)));
    }
    counted += count_of(came, "<message");
    if (came.find("<r xmlns='urn:xmpp:sm:3'") != std::string::npos) asked = true;
    if (asked && (calm || !chance.one_in(3))) {
      asked = false;
      link->send("<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(counted) + "'/>");
      world.settle();
      unacknowledged.clear();
    }
  }
  void take(std::uint64_t number) {
    if (on_stream != 0) EXPECT_EQ(number, on_stream + 1) << "within a stream";
    on_stream = number;
    EXPECT_LE(number, highest + 1) << "something was left out";
    if (number <= highest) {
      EXPECT_TRUE(may_come_again.contains(number)) << number << " came twice";
      ++repeated;
    }
    highest = std::max(highest, number);
    unacknowledged.insert(number);
  }
  /// The stream has ended: what it did not acknowledge may be sent again.
  void lose() {
    may_come_again.insert(unacknowledged.begin(), unacknowledged.end());
    unacknowledged.clear();
    counted = 0;
    asked = false;
    link.reset();
  }
  void cut() {
    link->cut();
    world.settle();
    lose();
  }
  void live(std::uint64_t seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chance chance(seed);
    with_management = !chance.one_in(4);
    std::uint64_t written = 0;
    for (int step = 0; step < 80; ++step) {
      const std::uint64_t act = chance.below(20);
      if (act < 9) {
        for (std::uint64_t i = chance.below(5); i <= 4; ++i) write("romeo@far.example", std::to_string(++written));
      } else if (act < 11) {
        up = !chance.one_in(2);
        if (!up && link) cut();
      } else if (act == 11 && link) {
        cut();
      } else if (act == 12 && link) {
        link->send(closing);
        world.settle();
        lose();
      } else if (act == 13) {
        lose();
        world.restart();
        juliet = available(world, "juliet@localhost", "balcony");
      } else if (act == 14) {
        world.stop_and_start();
        juliet = available(world, "juliet@localhost", "balcony");
      } else {
        // From seconds to a day.
        const std::uint64_t longest[] = {5, 60, 3600, 86'400};
        pass(seconds(1 + chance.below(longest[chance.below(4)])), chance, false);
      }
      heard();
      pump(chance, false);
    }
    up = true;
    for (int i = 0; i < 300 && (highest < written || (with_management && !unacknowledged.empty())); ++i)
      pass(minutes(1), chance, true);
    EXPECT_EQ(highest, written);
    pass(minutes(5), chance, true);
    EXPECT_TRUE(world.shard(0).s2s()->lines().empty());
  }
  void pass(Duration time, Chance& chance, bool calm) {
    const Duration step = std::max<Duration>(time / 20, seconds(1));
    for (Duration gone{}; gone < time; gone += step) {
      world.advance(step);
      heard();
      if (juliet->stream_closed()) juliet = available(world, "juliet@localhost", "balcony");
      pump(chance, calm);
    }
  }

  bool up = true;
  bool with_management = true;
  bool asked = false;
  std::unique_ptr<net::LinkClient> link;
  std::size_t counted = 0;      ///< on this stream
  std::uint64_t on_stream = 0;  ///< the last on this stream
  std::uint64_t highest = 0;    ///< of all
  std::uint64_t repeated = 0;
  std::set<std::uint64_t> unacknowledged;
  std::set<std::uint64_t> may_come_again;
};

class WeatherBySeed : public Weather, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(WeatherBySeed, nothing_is_lost_and_order_is_kept) { live(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Seeds, WeatherBySeed, testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace kith::scenario
