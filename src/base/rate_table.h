// Rates that are kept for many names at once: an account, a network, a limit's name and a network. One object serves
// all shards, since a stranger's connections land on each of them: a mutex, taken only for what is rare (a login that
// failed, a registration), never for a stanza. Limit: so many names are remembered at most.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/token_bucket.h"

namespace kith {

class RateTable {
 public:
  RateTable(const Clock& clock, std::size_t most_names) : clock_(clock), most_names_(most_names) {}

  /// Takes one of what `rate` gives `name`; false if nothing is left. A name that has not been seen yet finds no place
  /// while the table is full of names that have not recovered: it gets nothing either. For what must not happen more
  /// often.
  bool take(std::string_view name, Rate rate);
  /// Takes one, even into debt, and says how long it takes to pay that. When the table is full, the name that was used
  /// least recently is forgotten. For what is slowed down, never refused.
  Duration take_in_debt(std::string_view name, Rate rate);
  /// How long it takes until the name's debt is paid; zero for a name without debt.
  Duration debt(std::string_view name);
  std::size_t names() const;

 private:
  struct Entry {
    std::string name;
    TokenBucket tokens;
  };
  using Entries = std::list<Entry>;  // least recently used first
  Entry* find(std::string_view name);
  Entry& add(std::string_view name, Rate rate);
  void forget_recovered();

  const Clock& clock_;
  const std::size_t most_names_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> by_name_;  // the views are into entries_
  MonotonicTime next_sweep_{};
};

}  // namespace kith
