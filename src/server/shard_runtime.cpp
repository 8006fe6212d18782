#include "server/shard_runtime.h"

#include <utility>

namespace kith::server {

ShardRuntime::ShardRuntime(const ShardSurroundings& surroundings, ShardSettings settings)
    : hosts_(std::move(settings.hosts)),
      limits_(settings.limits),
      stores_(surroundings.stores),
      no_files_(surroundings.shard),
      files_(surroundings.files != nullptr ? *surroundings.files : no_files_),
      passwords_(surroundings.shard, surroundings.random, surroundings.run_job),
      router_({.shard = surroundings.index,
               .clock = surroundings.clock,
               .random = surroundings.random,
               .events = surroundings.events,
               .timers = surroundings.timers,
               .limits = limits_,
               .hosts = hosts_,
               .stores = stores_,
               .commit_log = surroundings.commit_log,
               .crossroads = surroundings.crossroads}),
      archive_ids_(surroundings.server_secret),
      c2s_({.shard = surroundings.shard,
            .clock = surroundings.clock,
            .random = surroundings.random,
            .events = surroundings.events,
            .timers = surroundings.timers,
            .limits = limits_,
            .hosts = hosts_,
            .stores = stores_,
            .router = router_,
            .guard = surroundings.guard,
            .passwords = surroundings.password_checker,
            .server_secret = surroundings.server_secret,
            .send_off = surroundings.send_off}) {
  if (surroundings.federation) {
    s2s_ = std::make_unique<session::S2sService>(
        session::S2sDeps{.shard = surroundings.shard,
                         .clock = surroundings.clock,
                         .random = surroundings.random,
                         .events = surroundings.events,
                         .timers = surroundings.timers,
                         .limits = limits_,
                         .hosts = hosts_,
                         .stores = stores_,
                         .router = router_,
                         .crossroads = surroundings.crossroads,
                         .secret = surroundings.federation->secret,
                         .require_certificates = surroundings.federation->require_certificates,
                         .dane = surroundings.federation->dane,
                         .onions = surroundings.federation->onions,
                         .waiting = surroundings.federation->waiting,
                         .resolve = surroundings.federation->resolve,
                         .dial = surroundings.federation->dial});
    router_.set_remote_servers(s2s_.get());
  }
  if (surroundings.components != nullptr) {
    components_ = std::make_unique<session::Components>(session::ComponentDeps{.shard = surroundings.shard,
                                                                               .clock = surroundings.clock,
                                                                               .random = surroundings.random,
                                                                               .events = surroundings.events,
                                                                               .timers = surroundings.timers,
                                                                               .limits = limits_,
                                                                               .router = router_,
                                                                               .crossroads = surroundings.crossroads,
                                                                               .places = *surroundings.components});
  }
  const module::ModuleDeps deps{.clock = surroundings.clock,
                                .random = surroundings.random,
                                .events = surroundings.events,
                                .timers = surroundings.timers,
                                .delivery = router_,
                                .passwords = passwords_,
                                .accounts = router_,
                                .stores = stores_,
                                .archive_ids = archive_ids_,
                                .files = files_,
                                .secret = surroundings.server_secret,
                                .limits = limits_,
                                .rates = surroundings.rates,
                                .hosts = hosts_,
                                .active = active_,
                                .software_version = surroundings.software_version,
                                .started = surroundings.started};
  for (const auto& [registration, values] : settings.modules) active_.push_back(registration->descriptor);
  for (const auto& [registration, values] : settings.modules) {
    std::unique_ptr<module::Module> made = registration->make(deps);
    made->configure(values);
    made->attach(router_.hooks());
    modules_.emplace(registration, std::move(made));
  }
  if (!surroundings.web) return;
  websockets_ =
      std::make_unique<session::WebSocketStreams>(surroundings.shard, surroundings.web->clock, limits_, hosts_, c2s_,
                                                  surroundings.web->admit, std::move(settings.websocket_origins));
  http_ = std::make_unique<http::HttpService>(http::HttpDeps{.shard = surroundings.shard,
                                                             .clock = surroundings.clock,
                                                             .events = surroundings.events,
                                                             .timers = surroundings.timers,
                                                             .limits = limits_,
                                                             .hosts = hosts_,
                                                             .hooks = router_.hooks(),
                                                             .rates = surroundings.web->rates,
                                                             .websockets = websockets_.get()},
                                              std::move(settings.http));
}

void ShardRuntime::reload(ShardSettings settings) {
  hosts_.replace(std::move(settings.hosts));
  limits_ = settings.limits;
  for (const auto& [registration, values] : settings.modules) {
    const auto found = modules_.find(registration);
    if (found != modules_.end()) found->second->configure(values);
  }
  if (http_) {
    http_->reload(std::move(settings.http));
    websockets_->reload(std::move(settings.websocket_origins));
  }
  c2s_.limits_changed();
  c2s_.close_streams_of_lost_domains();
}

}  // namespace kith::server
