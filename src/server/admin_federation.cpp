// What an administrator can do about other servers; the part of AdminWork that concerns them.
#include <algorithm>
#include <mutex>
#include <utility>

#include "server/admin_work.h"

namespace kith::server {

ShardUnit& AdminWork::owner_of_server(std::string_view domain) {
  return *deps_.units[router::owner_of(domain, static_cast<unsigned>(deps_.units.size()))];
}

std::optional<AdminError> AdminWork::not_a_peer(std::string_view domain) const {
  if (deps_.units.front()->runtime->s2s() == nullptr) {
    return AdminError{409, "no-federation",
                      "This server talks to no other: set `s2s` under [listen] in kith.toml and start it again."};
  }
  if (!domain.empty() && has_domain(domain)) {
    return AdminError{409, "own-domain", std::string(domain) + " is a domain of this server."};
  }
  return std::nullopt;
}

void AdminWork::federation(AdminAnswer<AdminFederation> then) {
  if (const auto why = not_a_peer({})) return then(std::unexpected(*why));
  // Each shard adds what it has; the last one answers.
  struct Gathering {
    std::mutex mutex;
    std::size_t left;
    AdminFederation all;
    AdminAnswer<AdminFederation> then;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->left = deps_.units.size();
  gathering->then = std::move(then);
  for (const auto& unit : deps_.units) {
    unit->shard.post([&unit = *unit, gathering] {
      unit.store_refs->blocked_servers.all([&unit, gathering](storage::Result<std::vector<std::string>> blocked) {
        const std::lock_guard lock(gathering->mutex);
        AdminFederation& all = gathering->all;
        for (session::ServerStream& stream : unit.runtime->s2s()->streams()) {
          all.streams.push_back({.domain = std::move(stream.remote),
                                 .own = std::move(stream.local),
                                 .incoming = stream.incoming,
                                 .ready = stream.ready});
        }
        for (session::ServerLine& line : unit.runtime->s2s()->lines()) {
          all.waiting.push_back({.domain = std::move(line.remote),
                                 .own = std::move(line.local),
                                 .messages = line.messages,
                                 .bytes = line.bytes,
                                 .why = std::move(line.why)});
        }
        if (blocked) all.blocked = *std::move(blocked);
        if (--gathering->left > 0) return;
        std::ranges::sort(all.streams, {}, [](const auto& one) { return std::pair(one.domain, one.incoming); });
        std::ranges::sort(all.waiting, {}, [](const auto& one) { return std::pair(one.domain, one.own); });
        gathering->then(std::move(all));
      });
    });
  }
}

void AdminWork::check_server(std::string domain, AdminAnswer<AdminCheck> then) {
  if (const auto why = not_a_peer(domain)) return then(std::unexpected(*why));
  ShardUnit& unit = owner_of_server(domain);
  unit.shard.post([&unit, domain = std::move(domain), own = deps_.domains().front(), then = std::move(then)]() mutable {
    auto shared = std::make_shared<AdminAnswer<AdminCheck>>(std::move(then));
    const bool begun = unit.runtime->s2s()->check(domain, own, [shared](std::vector<session::ServerCheckStep> steps) {
      AdminCheck check;
      for (session::ServerCheckStep& step : steps) {
        check.steps.push_back({.good = step.good, .step = std::move(step.step), .words = std::move(step.words)});
      }
      (*shared)(std::move(check));
    });
    if (!begun) {
      (*shared)(std::unexpected(AdminError{503, "busy", "Too many servers are being tried; try again in a moment."}));
    }
  });
}

void AdminWork::retry_server(std::string domain, AdminAnswer<AdminRetry> then) {
  if (const auto why = not_a_peer(domain)) return then(std::unexpected(*why));
  ShardUnit& unit = owner_of_server(domain);
  unit.shard.post([&unit, domain = std::move(domain), then = std::move(then)]() mutable {
    then(AdminRetry{.messages = unit.runtime->s2s()->retry(domain)});
  });
}

void AdminWork::block_server(std::string domain, bool block, AdminAnswer<AdminDone> then) {
  if (const auto why = not_a_peer(domain)) return then(std::unexpected(*why));
  ShardUnit& unit = *deps_.units.front();
  unit.shard.post([this, &unit, domain = std::move(domain), block, then = std::move(then)]() mutable {
    auto changed = [this, &unit, domain, block, then = std::move(then)](storage::Result<bool> done) mutable {
      const AdminError storage_failed{503, "storage-failed", "The storage refused this; nothing was changed."};
      if (!done) return then(std::unexpected(storage_failed));
      if (!block && !*done) {
        return then(std::unexpected(AdminError{
            404, "not-blocked", domain + " is not blocked; 'kithctl federation status' shows which servers are."}));
      }
      unit.store_refs->blocked_servers.all(
          [this, storage_failed, then = std::move(then)](storage::Result<std::vector<std::string>> all) mutable {
            if (!all) return then(std::unexpected(storage_failed));
            for (const auto& each : deps_.units) {
              each->shard.post([&each = *each, all = *all] { each.runtime->s2s()->block({all.begin(), all.end()}); });
            }
            then(AdminDone{});
          });
    };
    storage::BlockedServerStore& store = unit.store_refs->blocked_servers;
    if (block) {
      store.add(domain, deps_.clock.wall(), std::move(changed));
    } else {
      store.remove(domain, std::move(changed));
    }
  });
}

}  // namespace kith::server
