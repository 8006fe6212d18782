#include "storage/commit_record.h"

#include <algorithm>
#include <iterator>

namespace kith::storage {

bool CommitRecord::failed(Ticket ticket) const {
  if (ticket.number == 0 || ticket.number > highest_failed_.load(std::memory_order_acquire)) return false;
  const std::lock_guard lock(mutex_);
  auto after = failed_.upper_bound(ticket.number);
  return after != failed_.begin() && std::prev(after)->second >= ticket.number;
}

bool CommitRecord::decide(Ticket ticket) {
  if (ticket.number <= decided_.load(std::memory_order_relaxed)) return false;
  decided_.store(ticket.number, std::memory_order_release);
  return true;
}

void CommitRecord::fail(Ticket ticket) {
  const std::uint64_t number = ticket.number;
  const std::lock_guard lock(mutex_);
  auto after = failed_.upper_bound(number);
  auto range = failed_.end();
  if (after != failed_.begin()) {
    const auto before = std::prev(after);
    if (before->second >= number) return;
    if (before->second + 1 == number) {
      before->second = number;
      range = before;
    }
  }
  if (range == failed_.end()) range = failed_.emplace(number, number).first;
  if (after != failed_.end() && after->first == number + 1) {
    range->second = after->second;
    failed_.erase(after);
  }
  if (failed_.size() > most_ranges) join_two();
  if (number > highest_failed_.load(std::memory_order_relaxed))
    highest_failed_.store(number, std::memory_order_release);
}

void CommitRecord::join_two() {
  auto best = failed_.begin();
  std::uint64_t smallest = UINT64_MAX;
  auto range = failed_.begin();
  for (std::size_t i = 0; i < most_ranges / 2; ++i, ++range) {
    const std::uint64_t gap = std::next(range)->first - range->second;
    if (gap < smallest) {
      smallest = gap;
      best = range;
    }
  }
  const auto second = std::next(best);
  best->second = second->second;
  failed_.erase(second);
}

}  // namespace kith::storage
