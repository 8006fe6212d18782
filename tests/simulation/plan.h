// What a seed decides before anything happens: how many of what, which limits, how bad the weather is, and what people
// like to do.
#pragma once

#include <string>
#include <vector>

#include "dice.h"
#include "house.h"
#include "link.h"

namespace kith::simulation {

/// What a person can do next; each seed weighs them anew, so that each looks into another corner.
enum class Act : std::uint8_t {
  say,              ///< some messages to one address, and then perhaps the ping that acknowledges them
  appear,           ///< broadcast presence
  disappear,        ///< unavailable
  direct_presence,  ///< to one address
  subscribe,        ///< subscribe, subscribed, unsubscribe, unsubscribed
  edit_roster,
  store,  ///< private XML, a vCard
  ask,    ///< an iq of any feature to anybody
  change_password,
  stop_reading,
  keep_alive,
  leave,  ///< the stream's end
  half_close,
  vanish,     ///< the cable is cut
  misbehave,  ///< what ends a stream with an error
  count_
};

struct Plan {
  std::uint64_t seed = 0;
  HouseOptions house{};
  LinkWeather links{};
  std::vector<std::string> accounts{};  ///< bare JIDs
  std::size_t people = 0;
  std::size_t resources = 2;  ///< per account; people of one account may want the same one
  std::size_t acts = 0;       ///< of all people together
  std::size_t crashes = 0;    ///< in thousandths of acts
  std::size_t big_messages = 0;
  std::size_t managed = 0;  ///< in thousandths of logins: with stream management
  Duration longest_thought{};
  std::vector<std::size_t> weights{};  ///< by Act
};

Plan make_plan(std::uint64_t seed);
std::string describe(const Plan& plan);

}  // namespace kith::simulation
