// The daemon's shards: each a thread with its loop, its stores, its runtime and its mailbox; and the ways between them.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "router/crossing.h"
#include "runtime/mailbox.h"
#include "runtime/shard.h"
#include "server/shard_runtime.h"
#include "storage/disk_files.h"
#include "storage/sql_storage.h"

namespace kith::server {

struct ShardUnit {
  ShardUnit(unsigned index, const Clock& clock) : shard(index, clock) {}
  runtime::Shard shard;
  std::unique_ptr<storage::ShardStores> stores;
  std::unique_ptr<storage::Stores> store_refs;
  std::unique_ptr<storage::DiskFiles> files;
  std::unique_ptr<ShardRuntime> runtime;
  std::unique_ptr<runtime::Mailbox<router::Crossing>> mailbox;
  std::thread thread;
};

/// The ways between shards, over their mailboxes. Any thread.
class ShardRoads final : public router::Crossroads {
 public:
  explicit ShardRoads(std::vector<std::unique_ptr<ShardUnit>>& units) : units_(units) {}
  unsigned shards() const override { return static_cast<unsigned>(units_.size()); }
  bool send(unsigned shard, router::Crossing& crossing) override { return units_[shard]->mailbox->push(crossing); }
  void at(unsigned shard, std::move_only_function<void(router::Router&)> work) override {
    ShardUnit& unit = *units_[shard];
    unit.shard.post([&unit, work = std::move(work)]() mutable { work(unit.runtime->router()); });
  }

 private:
  std::vector<std::unique_ptr<ShardUnit>>& units_;
};

}  // namespace kith::server
