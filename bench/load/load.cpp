#include "load.h"

#include <algorithm>

#include "samples.h"

namespace kith::bench {

const std::vector<Load>& loads() {
  static const std::vector<Load> all = {
      {"messages", "pairs of clients answer each other in a closed loop", run_messages, true},
      {"idle", "sessions that do nothing", run_idle, true},
      {"logins", "clients log in and out again and again", run_logins, false},
      {"contacts", "makes the accounts each other's contacts (needed once before 'presence')", run_contacts, false},
      {"presence", "clients tell all their contacts a new status", run_presence, false},
      {"offline", "messages to accounts that are away, which then come and fetch them", run_offline, false},
      {"pages", "an account reads its archive, page by page", run_pages, false},
      {"room", "many enter a room, and some of them speak", run_room, false},
      {"pep", "an account publishes events that clients of its contacts want", run_pep, false},
  };
  return all;
}

Meter::Meter(const Process& server)
    : server_(server),
      started_(SteadyClock::now()),
      server_before_(server.processor_seconds()),
      divided_before_(server.processor_time()),
      own_before_(own_processor_seconds()) {}

double Meter::seconds() const { return Seconds(SteadyClock::now() - started_).count(); }

double Meter::server_seconds() const { return server_.processor_seconds() - server_before_; }

nlohmann::json Meter::per(const std::string& noun, const std::string& nouns, std::uint64_t count) const {
  const double wall = seconds();
  const double server = server_seconds();
  const double own = own_processor_seconds() - own_before_;
  const ProcessorTime divided = server_.processor_time();
  const double user = divided.user_seconds - divided_before_.user_seconds;
  const double system = divided.system_seconds - divided_before_.system_seconds;
  const auto number = static_cast<double>(std::max<std::uint64_t>(count, 1));
  return {{"seconds", wall},
          {nouns, count},
          {nouns + "_per_second", static_cast<double>(count) / wall},
          {"processor_us_per_" + noun, server * 1e6 / number},
          {"generator_us_per_" + noun, own * 1e6 / number},
          {"system_share", user + system > 0 ? system / (user + system) : 0},
          {"cores_of_server", server / wall},
          {"cores_of_generator", own / wall}};
}

nlohmann::json latency_of(Samples& samples) {
  return {{"p50", samples.percentile(0.5)},
          {"p99", samples.percentile(0.99)},
          {"p999", samples.percentile(0.999)},
          {"most", samples.percentile(1)},
          {"samples", samples.count()}};
}

void log_in(World& world, const std::vector<std::unique_ptr<Client>>& clients, std::size_t from, std::size_t at_once) {
  std::size_t started = from;
  std::size_t online = from;
  const auto start_one = [&] {
    if (started < clients.size()) clients[started++]->connect();
  };
  for (std::size_t i = from; i < clients.size(); ++i) {
    clients[i]->on_online = [&] {
      ++online;
      start_one();
    };
  }
  while (started < clients.size() && started - from < at_once) start_one();
  const std::string step = "logging in " + std::to_string(clients.size() - from) + " clients";
  world.loop.run_until([&] { return online == clients.size(); }, world.step_limit, step);
  for (std::size_t i = from; i < clients.size(); ++i) clients[i]->on_online = nullptr;
}

}  // namespace kith::bench
