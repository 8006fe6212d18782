#include "base/rate_table.h"

#include <chrono>

namespace kith {

RateTable::Entry* RateTable::find(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  entries_.splice(entries_.end(), entries_, found->second);
  return &entries_.back();
}

RateTable::Entry& RateTable::add(std::string_view name, Rate rate) {
  entries_.push_back({std::string(name), TokenBucket(rate, clock_.now())});
  by_name_.emplace(entries_.back().name, std::prev(entries_.end()));
  return entries_.back();
}

/// Names that have all their tokens again are as good as forgotten. Looked for once a minute at most: a flood of new
/// names must not make each of them walk the table.
void RateTable::forget_recovered() {
  const MonotonicTime now = clock_.now();
  if (now < next_sweep_) return;
  next_sweep_ = now + std::chrono::minutes(1);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (!entry->tokens.full(now)) {
      ++entry;
      continue;
    }
    by_name_.erase(entry->name);
    entry = entries_.erase(entry);
  }
}

bool RateTable::take(std::string_view name, Rate rate) {
  const std::lock_guard lock(mutex_);
  Entry* entry = find(name);
  if (entry == nullptr) {
    if (entries_.size() >= most_names_) forget_recovered();
    if (entries_.size() >= most_names_) return false;
    entry = &add(name, rate);
  }
  return entry->tokens.take(1, clock_.now());
}

Duration RateTable::take_in_debt(std::string_view name, Rate rate) {
  const std::lock_guard lock(mutex_);
  Entry* entry = find(name);
  if (entry == nullptr) {
    if (entries_.size() >= most_names_) {
      by_name_.erase(entries_.front().name);
      entries_.pop_front();
    }
    entry = &add(name, rate);
  }
  return entry->tokens.take_in_debt(1, clock_.now());
}

Duration RateTable::debt(std::string_view name) {
  const std::lock_guard lock(mutex_);
  Entry* entry = find(name);
  return entry == nullptr ? Duration::zero() : entry->tokens.debt(clock_.now());
}

std::size_t RateTable::names() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace kith
