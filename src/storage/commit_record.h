// Which tickets are decided and which of them failed: the CommitLog that the stores' writer fills in. Any thread.
// The failed ones are kept as ranges, at most `most_ranges`: beyond that the two with the smallest gap among the older
// half are joined, so that a few old writes that were committed are called failed (a retry), never the other way round.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>

#include "storage/storage.h"

namespace kith::storage {

class CommitRecord final : public CommitLog {
 public:
  static constexpr std::size_t most_ranges = 1024;

  Ticket decided() const override { return {decided_.load(std::memory_order_acquire)}; }
  bool failed(Ticket ticket) const override;

  /// Everything up to and with `ticket` is decided. Failures are told before. True if that is news.
  bool decide(Ticket ticket);
  void fail(Ticket ticket);

 private:
  void join_two();

  std::atomic<std::uint64_t> decided_{0};
  // OPTIMIZATION: what lies above has not failed; nearly every question ends here.
  std::atomic<std::uint64_t> highest_failed_{0};
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::uint64_t> failed_;  // first → last
};

}  // namespace kith::storage
