// Messages on their way to other servers, in SQL: a table in the order in which they leave, so that a page is a walk
// and what was acknowledged goes by one range.
#pragma once

#include <atomic>
#include <cstdint>

#include "storage/sqlite/shard_access.h"
#include "storage/storage.h"

namespace kith::storage::sqlite {

/// Where the ids of all shards come from. Any thread.
class OutboundIds {
 public:
  /// `last`: the highest that may be in use.
  void start_above(std::uint64_t last) { last_.store(last, std::memory_order_relaxed); }
  std::uint64_t next() { return last_.fetch_add(1, std::memory_order_relaxed) + 1; }

 private:
  std::atomic<std::uint64_t> last_ = 0;
};

class OutboundSql final : public OutboundStore {
 public:
  OutboundSql(ShardAccess& access, OutboundIds& ids) : access_(access), ids_(ids) {}
  Added add(const std::string& remote, const std::string& local, const xmpp::BareJid& sender, WallTime when,
            std::string stanza) override;
  void page(const std::string& remote, const std::string& local, std::uint64_t after, std::size_t most,
            std::size_t most_bytes, Callback<std::vector<OutboundMessage>> then) override;
  Ticket remove_through(const std::string& remote, const std::string& local, std::uint64_t id) override;
  void lines(Callback<std::vector<OutboundLine>> then) override;

 private:
  ShardAccess& access_;
  OutboundIds& ids_;
};

}  // namespace kith::storage::sqlite
