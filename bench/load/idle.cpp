// Sessions that are logged in and do nothing: what each takes of the server's memory, at one or several numbers of
// them.
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
  const std::int64_t before = run.server.anonymous_kib();
  nlohmann::json steps = nlohmann::json::array();
  for (const unsigned sessions : run.options.sessions) {
    const std::size_t had = clients.size();
    while (clients.size() < sessions) clients.push_back(idle_client(run, static_cast<unsigned>(clients.size())));
    const Meter meter(run.server);
    log_in(run.world, clients, had, run.options.at_once);
    nlohmann::json step = meter.per("login", "logins", clients.size() - had);
    // What a server gives back a little later (buffers, parsers, garbage) is not the price of an idle session.
    run.world.loop.run_for(Seconds(run.options.settle_seconds), "letting the sessions rest");
    const std::int64_t after = run.server.anonymous_kib();
    step["sessions"] = clients.size();
    step["kib_per_session"] = static_cast<double>(after - before) / static_cast<double>(clients.size());
    step["anonymous_kib"] = after;
    steps.push_back(std::move(step));
  }
  return {{"anonymous_kib_before", before}, {"accounts", run.options.accounts}, {"steps", std::move(steps)}};
}

}  // namespace kith::bench
