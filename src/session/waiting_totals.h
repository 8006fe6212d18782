// How much waits for other servers in all, and of each account's: what all shards count together. Any thread.
//
// Limits: s2s_waiting_bytes_in_all, s2s_waiting_bytes_per_account.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/limits.h"

namespace kith::session {

class WaitingTotals {
 public:
  enum class Verdict : std::uint8_t { taken, too_much_in_all, too_much_of_account };

  /// Counts a message of `account` (a bare JID), if there is room for it.
  Verdict take(const std::string& account, std::uint64_t bytes, const Limits& limits) {
    const std::lock_guard lock(mutex_);
    if (all_ + bytes > limits.s2s_waiting_bytes_in_all) return Verdict::too_much_in_all;
    std::uint64_t& its = of_[account];
    if (its + bytes > limits.s2s_waiting_bytes_per_account) {
      if (its == 0) of_.erase(account);
      return Verdict::too_much_of_account;
    }
    its += bytes;
    all_ += bytes;
    return Verdict::taken;
  }
  /// What waits already, whatever the limits are by now.
  void add(const std::string& account, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    of_[account] += bytes;
    all_ += bytes;
  }
  void give_back(const std::string& account, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    all_ -= std::min(all_, bytes);
    const auto found = of_.find(account);
    if (found == of_.end()) return;
    found->second -= std::min(found->second, bytes);
    if (found->second == 0) of_.erase(found);
  }
  std::uint64_t all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::uint64_t all_ = 0;
  std::unordered_map<std::string, std::uint64_t> of_;
};

}  // namespace kith::session
