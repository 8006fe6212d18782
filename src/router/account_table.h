// The accounts of one shard that are in memory: loaded when first addressed, dropped when idle. While one is being
// loaded, what is for it waits in its own bounded queue, in order.
#pragma once

#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <unordered_map>

#include "base/clock.h"
#include "base/events.h"
#include "base/limits.h"
#include "base/timer_wheel.h"
#include "module/account.h"
#include "module/hooks.h"
#include "router/commit_waiters.h"
#include "storage/storage.h"
#include "xmpp/jid.h"

namespace kith::router {

/// Why an account could not be had.
enum class Absence { no_such_account, storage_failed, queue_full };

class AccountTable {
 public:
  using Visit = std::move_only_function<void(std::expected<module::Account*, Absence>)>;

  AccountTable(const Clock& clock, TimerWheel& timers, Events& events, const Limits& limits, storage::Stores& stores,
               CommitWaiters& commits, const module::Hooks& hooks);

  /// Wraps the visits that waited for one account, so that what the first of them sends to it comes after the last.
  std::function<void(const std::function<void()>& visits)> in_one_turn = [](const auto& visits) { visits(); };

  /// Calls `visit` with the account: at once if it is loaded, else when it is, after all that came before for the same
  /// one.
  void with(const xmpp::BareJid& jid, Visit visit) { with(jid, std::move(visit), limits_.account_queue_stanzas); }
  /// The same for what no peer can make grow: there is always room.
  void with_room(const xmpp::BareJid& jid, Visit visit) {
    with(jid, std::move(visit), std::numeric_limits<std::size_t>::max());
  }
  /// OPTIMIZATION: with() for what is mostly there. False, and nothing is called, if the account is not in memory.
  template <class Now>
  bool with_loaded(const xmpp::BareJid& jid, Now&& visit) {
    const auto found = entries_.find(jid);
    if (found == entries_.end() || !found->second.account) return false;
    Entry& entry = found->second;  // stays where it is, whatever is added meanwhile
    entry.last_used = clock_.now();
    const std::uint64_t generation = entry.generation;
    const std::uint64_t removals = removals_;
    visit(*entry.account);
    if (removals == removals_ && entry.account->roster().last_write() == entry.watched) return true;
    visited(jid, generation);
    return true;
  }
  /// The account if it is in memory, or null.
  module::Account* loaded(const xmpp::BareJid& jid) const;
  /// Drops an account from memory at once (it was removed). Its sessions are gone already.
  void forget(const xmpp::BareJid& jid);
  std::size_t size() const { return entries_.size(); }
  void for_each(const std::function<void(module::Account&)>& visit) const;

 private:
  struct Entry {
    std::unique_ptr<module::Account> account;  ///< null while loading
    std::deque<Visit> queue;
    MonotonicTime last_used{};
    storage::Ticket watched;  ///< the last roster write whose outcome is being watched
    std::uint64_t generation = 0;
  };
  void with(const xmpp::BareJid& jid, Visit visit, std::size_t most_waiting);
  void load(const xmpp::BareJid& jid);
  /// Makes the roster in memory what the disk has, after a write of it has failed.
  void reload_roster(const xmpp::BareJid& jid, std::uint64_t generation);
  void loaded_now(const xmpp::BareJid& jid, std::uint64_t generation,
                  std::expected<std::unique_ptr<module::Account>, Absence> result);
  void visit_now(const xmpp::BareJid& jid, Entry& entry, Visit visit);
  /// Watches what a visit wrote of the roster.
  void visited(const xmpp::BareJid& jid, std::uint64_t generation);
  void drop_idle();

  const Clock& clock_;
  TimerWheel& timers_;
  Events& events_;
  const Limits& limits_;
  storage::Stores& stores_;
  CommitWaiters& commits_;
  const module::Hooks& hooks_;
  std::unordered_map<xmpp::BareJid, Entry> entries_;
  std::uint64_t generations_ = 0;
  std::uint64_t removals_ = 0;  ///< grows when an entry goes
  Timer sweep_;
};

}  // namespace kith::router
