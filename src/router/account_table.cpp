#include "router/account_table.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::router {

namespace {
constexpr Duration sweep_every = std::chrono::seconds(30);
}

AccountTable::AccountTable(const Clock& clock, TimerWheel& timers, Events& events, const Limits& limits,
                           storage::Stores& stores, CommitWaiters& commits, const module::Hooks& hooks)
    : clock_(clock),
      timers_(timers),
      events_(events),
      limits_(limits),
      stores_(stores),
      commits_(commits),
      hooks_(hooks) {
  sweep_.set_action([this] { drop_idle(); });
}

module::Account* AccountTable::loaded(const xmpp::BareJid& jid) const {
  const auto found = entries_.find(jid);
  return found == entries_.end() ? nullptr : found->second.account.get();
}

void AccountTable::for_each(const std::function<void(module::Account&)>& visit) const {
  for (const auto& [jid, entry] : entries_) {
    if (entry.account) visit(*entry.account);
  }
}

void AccountTable::with(const xmpp::BareJid& jid, Visit visit, std::size_t most_waiting) {
  auto [found, fresh] = entries_.try_emplace(jid);
  Entry& entry = found->second;
  if (entry.account) {
    visit_now(jid, entry, std::move(visit));
    return;
  }
  if (entry.queue.size() >= most_waiting) {
    events_.limit_hit("account_queue_stanzas");
    visit(std::unexpected(Absence::queue_full));
    return;
  }
  entry.queue.push_back(std::move(visit));
  if (fresh) {
    entry.generation = ++generations_;
    if (!sweep_.waiting()) timers_.schedule(sweep_, sweep_every);
    load(jid);
  }
}

void AccountTable::load(const xmpp::BareJid& jid) {
  const std::uint64_t generation = entries_.at(jid).generation;
  // No stanza may pass before it is known who is blocked, and what is archived.
  std::vector<std::string> kinds = hooks_.loaded_kinds();
  kinds.emplace_back(module::BlockList::kind);
  kinds.emplace_back(module::ArchivePreferences::kind);
  stores_.loads.load(jid, std::move(kinds),
                     [this, jid, generation](storage::Result<std::optional<storage::AccountData>> data) {
                       if (!data) return loaded_now(jid, generation, std::unexpected(Absence::storage_failed));
                       if (!*data) return loaded_now(jid, generation, std::unexpected(Absence::no_such_account));
                       storage::AccountData& found = **data;
                       auto account = std::make_unique<module::Account>(
                           jid, module::Roster(jid, stores_.rosters, std::move(found.roster)), found.created);
                       const auto document = [&](std::string_view kind) -> std::string_view {
                         const auto its = found.documents.find(std::string(kind));
                         return its == found.documents.end() ? std::string_view() : its->second;
                       };
                       account->block_list() = module::BlockList::from_document(document(module::BlockList::kind));
                       account->archive_preferences() =
                           module::ArchivePreferences::from_document(document(module::ArchivePreferences::kind));
                       account->nodes() = module::NodeList(found.pubsub);
                       found.documents.erase(std::string(module::BlockList::kind));
                       found.documents.erase(std::string(module::ArchivePreferences::kind));
                       account->set_loaded_documents(std::move(found.documents));
                       loaded_now(jid, generation, std::move(account));
                     });
}

void AccountTable::loaded_now(const xmpp::BareJid& jid, std::uint64_t generation,
                              std::expected<std::unique_ptr<module::Account>, Absence> result) {
  const auto found = entries_.find(jid);
  // The account may have been removed while it was being loaded; what waited then was told so by forget().
  if (found == entries_.end() || found->second.generation != generation) return;
  std::deque<Visit> queue = std::move(found->second.queue);
  found->second.queue.clear();
  if (!result) {
    entries_.erase(found);
    ++removals_;
    for (Visit& visit : queue) visit(std::unexpected(result.error()));
    return;
  }
  found->second.account = std::move(*result);
  found->second.last_used = clock_.now();
  in_one_turn([&] {
    for (Visit& visit : queue) {
      // A visit may remove the account; those that follow must not see it.
      const auto still = entries_.find(jid);
      if (still == entries_.end() || still->second.generation != generation) {
        visit(std::unexpected(Absence::no_such_account));
      } else {
        visit_now(jid, still->second, std::move(visit));
      }
    }
  });
}

void AccountTable::visit_now(const xmpp::BareJid& jid, Entry& entry, Visit visit) {
  entry.last_used = clock_.now();
  const std::uint64_t generation = entry.generation;
  visit(entry.account.get());
  visited(jid, generation);
}

void AccountTable::visited(const xmpp::BareJid& jid, std::uint64_t generation) {
  const auto still = entries_.find(jid);
  if (still == entries_.end() || still->second.generation != generation || !still->second.account) return;
  module::Account& account = *still->second.account;
  if (account.roster().last_write() == still->second.watched) return;
  still->second.watched = account.roster().last_write();
  // Memory is ahead of the disk; if the disk refuses, memory goes back to what the disk has.
  commits_.when_decided(still->second.watched, [this, jid, generation](bool committed) {
    if (committed) return;
    events_.record(LogLevel::warning, "roster_write_failed");
    reload_roster(jid, generation);
  });
}

void AccountTable::reload_roster(const xmpp::BareJid& jid, std::uint64_t generation) {
  const auto account_now = [this, jid, generation]() -> module::Account* {
    const auto entry = entries_.find(jid);
    return entry == entries_.end() || entry->second.generation != generation ? nullptr : entry->second.account.get();
  };
  module::Account* account = account_now();
  if (account == nullptr) return;
  stores_.rosters.load(jid, [this, jid, generation, account_now,
                             asked_at = account->roster().last_write()](storage::Result<storage::RosterData> data) {
    module::Account* loaded = account_now();
    if (loaded == nullptr || !data) return;
    if (loaded->roster().last_write() != asked_at) {
      // It was written to while it was being read: what was read is too old.
      reload_roster(jid, generation);
      return;
    }
    loaded->roster().reload(std::move(*data));
  });
}

void AccountTable::forget(const xmpp::BareJid& jid) {
  const auto found = entries_.find(jid);
  if (found == entries_.end()) return;
  std::deque<Visit> queue = std::move(found->second.queue);
  const std::unique_ptr<module::Account> account = std::move(found->second.account);
  entries_.erase(found);
  ++removals_;
  for (Visit& visit : queue) visit(std::unexpected(Absence::no_such_account));
  if (account) account->let_answers_go();
}

void AccountTable::drop_idle() {
  const MonotonicTime now = clock_.now();
  removals_ += std::erase_if(entries_, [&](const auto& item) {
    const Entry& entry = item.second;
    return entry.account && entry.account->sessions().empty() && entry.queue.empty() &&
           !entry.account->answers_held() && now - entry.last_used >= limits_.account_idle_time &&
           commits_.decided(entry.account->last_write());
  });
  if (!entries_.empty()) timers_.schedule(sweep_, sweep_every);
}

}  // namespace kith::router
