// The loads. Each is a function in a file of its own that puts one kind of work on a server and returns what it cost as
// JSON; loads() lists them. A new one is a file and a line there, and an entry in bench/harness/loads.py.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "client.h"
#include "process.h"

namespace kith::bench {

struct Options {
  // Which accounts: u<first>, u<first+1>, …
  unsigned first = 0;
  unsigned accounts = 100;
  unsigned pairs = 50;
  unsigned window = 4;
  unsigned acks = 0;  ///< stream management: an acknowledgement is asked for each so many messages; 0: none
  double seconds = 8;
  double warm_up_seconds = 1;
  double settle_seconds = 4;
  unsigned at_once = 16;
  bool fast = false;  ///< logins by token over resumed TLS
  std::vector<unsigned> sessions{1000};
  unsigned base_sessions = 100;
  unsigned held = 0;
  unsigned held_first = 0;
  unsigned held_accounts = 450;
  unsigned contacts = 50;
  unsigned messages = 200;
  unsigned batch = 20;
  unsigned stored = 100'000;
  unsigned page = 50;
  unsigned occupants = 100;
  unsigned receivers = 1000;
  std::string rooms_prefix = "rooms";
};

struct Run {
  World& world;
  const Process& server;
  const Options& options;
};

nlohmann::json run_messages(const Run& run);
nlohmann::json run_idle(const Run& run);
nlohmann::json run_logins(const Run& run);
nlohmann::json run_contacts(const Run& run);
nlohmann::json run_presence(const Run& run);
nlohmann::json run_offline(const Run& run);
nlohmann::json run_pages(const Run& run);
nlohmann::json run_room(const Run& run);
nlohmann::json run_pep(const Run& run);

struct Load {
  const char* name;
  const char* help;
  nlohmann::json (*run)(const Run& run);
  /// Whether it can be put on a forwarder, which knows no XMPP.
  bool on_forwarder;
};

const std::vector<Load>& loads();

/// Processor time and wall time from its making on.
class Meter {
 public:
  explicit Meter(const Process& server);
  double seconds() const;
  double server_seconds() const;
  /// What `count` things cost: per thing for the server and for the generator, and per second.
  /// Keys: NOUNS, NOUNS_per_second, processor_us_per_NOUN, generator_us_per_NOUN, and how busy both were.
  nlohmann::json per(const std::string& noun, const std::string& nouns, std::uint64_t count) const;

 private:
  const Process& server_;
  SteadyClock::time_point started_;
  double server_before_;
  ProcessorTime divided_before_;
  double own_before_;
};

class Samples;
/// p50, p99, p99.9 and the largest of samples in microseconds.
nlohmann::json latency_of(Samples& samples);

/// Connects clients, so many at a time, until all are online.
void log_in(World& world, const std::vector<std::unique_ptr<Client>>& clients, std::size_t from, std::size_t at_once);

}  // namespace kith::bench
