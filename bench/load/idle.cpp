// Sessions that are logged in and do nothing: what each takes of the server's memory, at one or several numbers of
// them. The memory is compared with that of a server that has some sessions already: what a server takes once, at its
// first logins, and what it gives back once it has started, is not the price of a session.
#include "failure.h"
#include "load.h"

namespace kith::bench {

namespace {

std::unique_ptr<Client> idle_client(const Run& run, unsigned i) {
  const unsigned account = run.options.first + i % run.options.accounts;
  return std::make_unique<Client>(run.world,
                                  Client::Wanted{.user = "u" + std::to_string(account),
                                                 .resource = "idle" + std::to_string(i / run.options.accounts)});
}

}  // namespace

nlohmann::json run_idle(const Run& run) {
  std::vector<std::unique_ptr<Client>> clients;
  const auto grow_to = [&](std::size_t count) {
    const std::size_t had = clients.size();
    while (clients.size() < count) clients.push_back(idle_client(run, static_cast<unsigned>(clients.size())));
    const Meter meter(run.server);
    log_in(run.world, clients, had, run.options.at_once);
    nlohmann::json cost = meter.per("login", "logins", clients.size() - had);
    // Nor is what it gives back a little later: buffers, parsers, garbage.
    run.world.loop.run_for(Seconds(run.options.settle_seconds), "letting the sessions rest");
    return cost;
  };
  grow_to(run.options.base_sessions);
  const std::size_t base = clients.size();
  const std::int64_t before = run.server.anonymous_kib();
  nlohmann::json steps = nlohmann::json::array();
  for (const unsigned sessions : run.options.sessions) {
    if (sessions <= clients.size())
      throw StepFailed("choosing numbers of sessions", "each must be above the one before");
    nlohmann::json step = grow_to(sessions);
    const std::int64_t after = run.server.anonymous_kib();
    step["sessions"] = sessions;
    step["kib_per_session"] = static_cast<double>(after - before) / static_cast<double>(sessions - base);
    step["anonymous_kib"] = after;
    steps.push_back(std::move(step));
  }
  return {{"base_sessions", base},
          {"base_anonymous_kib", before},
          {"accounts", run.options.accounts},
          {"steps", std::move(steps)}};
}

}  // namespace kith::bench
