// The stores of storage/storage.h in memory, for tests of features: callbacks wait until the test runs them, writes and
// reads can be made to fail. Not part of the program. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/storage.h"

namespace kith::module::testing {

/// What all stores of a test share: the numbers of writes and the answers that wait.
class MemoryDisk {
 public:
  /// From now on every write fails, every read fails.
  bool failing_writes = false;
  bool failing_reads = false;

  /// Gives the write a number, and does it unless writes fail.
  template <class Apply>
  storage::Ticket write(Apply apply) {
    const storage::Ticket ticket{++last_};
    if (failing_writes) {
      failed_.insert(ticket.number);
    } else {
      apply();
    }
    return ticket;
  }
  bool failed(storage::Ticket ticket) const { return failed_.contains(ticket.number); }
  storage::Ticket last() const { return {last_}; }

  template <class T>
  void answer_read(storage::Callback<T> then, T value) {
    if (failing_reads) return answer<T>(std::move(then), std::unexpected(storage::StorageError::unavailable));
    answer<T>(std::move(then), std::move(value));
  }
  template <class T>
  void answer_write(storage::Ticket ticket, storage::Callback<T> then, T value) {
    if (failed(ticket)) return answer<T>(std::move(then), std::unexpected(storage::StorageError::full));
    answer<T>(std::move(then), std::move(value));
  }
  void later(std::move_only_function<void()> task) { waiting_.push_back(std::move(task)); }
  /// What waits is answered in the opposite order, as by readers that work side by side.
  void reverse() { std::ranges::reverse(waiting_); }
  /// Runs what waits, and what that makes wait. True if there was anything.
  bool run() {
    const bool any = !waiting_.empty();
    while (!waiting_.empty()) {
      auto task = std::move(waiting_.front());
      waiting_.pop_front();
      task();
    }
    return any;
  }

 private:
  template <class T>
  void answer(storage::Callback<T> then, storage::Result<T> value) {
    later([then = std::move(then), value = std::move(value)]() mutable { then(std::move(value)); });
  }

  std::uint64_t last_ = 0;
  std::set<std::uint64_t> failed_;
  std::deque<std::move_only_function<void()>> waiting_;
};

class MemoryRosters final : public storage::RosterStore {
 public:
  explicit MemoryRosters(MemoryDisk& disk) : disk_(disk) {}
  void load(const xmpp::BareJid& account, storage::Callback<storage::RosterData> then) override {
    disk_.answer_read(std::move(then), data[account]);
  }
  storage::Ticket put(const xmpp::BareJid& account, const storage::RosterItem& item, std::uint64_t version) override {
    return disk_.write([&] {
      storage::RosterData& roster = data[account];
      std::erase_if(roster.items, [&](const auto& old) { return old.contact == item.contact; });
      std::erase_if(roster.removed, [&](const auto& old) { return old.second == item.contact; });
      roster.items.push_back(item);
      roster.item_versions.insert_or_assign(item.contact, version);
      roster.version = version;
    });
  }
  storage::Ticket remove(const xmpp::BareJid& account, const xmpp::BareJid& contact, std::uint64_t version) override {
    return disk_.write([&] {
      storage::RosterData& roster = data[account];
      std::erase_if(roster.items, [&](const auto& old) { return old.contact == contact; });
      roster.item_versions.erase(contact);
      roster.removed.emplace_back(version, contact);
      roster.version = version;
    });
  }

  std::map<xmpp::BareJid, storage::RosterData> data;

 private:
  MemoryDisk& disk_;
};

class MemoryAccounts final : public storage::AccountStore {
 public:
  explicit MemoryAccounts(MemoryDisk& disk) : disk_(disk) {}
  void find(const xmpp::BareJid& jid, storage::Callback<std::optional<storage::AccountRecord>> then) override {
    const auto found = records.find(jid);
    disk_.answer_read(std::move(then), found == records.end() ? std::nullopt : std::optional(found->second));
  }
  void add(const storage::AccountRecord& record, storage::Callback<bool> then) override {
    bool added = false;
    const auto ticket = disk_.write([&] { added = records.try_emplace(record.jid, record).second; });
    disk_.answer_write(ticket, std::move(then), added);
  }
  void set_credentials(const xmpp::BareJid& jid, const xmpp::Credentials& credentials,
                       storage::Callback<bool> then) override {
    bool there = false;
    const auto ticket = disk_.write([&] {
      const auto found = records.find(jid);
      there = found != records.end();
      if (there) found->second.credentials = credentials;
      if (keys_gone) keys_gone(jid);
    });
    disk_.answer_write(ticket, std::move(then), there);
  }
  void add_keys(const xmpp::BareJid& jid, const xmpp::Credentials& keys, const std::string& salt,
                storage::Callback<bool> then) override {
    bool holds = false;
    const auto ticket = disk_.write([&] {
      const auto found = records.find(jid);
      holds = found != records.end() && has_salt(found->second.credentials, salt);
      if (!holds) return;
      xmpp::Credentials& there = found->second.credentials;
      if (!there.sha1) there.sha1 = keys.sha1;
      if (!there.sha256) there.sha256 = keys.sha256;
      if (!there.sha512) there.sha512 = keys.sha512;
    });
    disk_.answer_write(ticket, std::move(then), holds);
  }
  static bool has_salt(const xmpp::Credentials& credentials, const std::string& salt) {
    return std::ranges::any_of(std::array{&credentials.sha1, &credentials.sha256, &credentials.sha512},
                               [&](const auto* keys) { return *keys && (*keys)->salt == salt; });
  }
  void remove(const xmpp::BareJid& jid, storage::Callback<bool> then) override {
    bool there = false;
    const auto ticket = disk_.write([&] {
      there = records.erase(jid) != 0;
      seen.erase(jid);
      if (keys_gone) keys_gone(jid);
    });
    disk_.answer_write(ticket, std::move(then), there);
  }
  void list(const std::string& domain, storage::Callback<std::vector<xmpp::BareJid>> then) override {
    std::vector<xmpp::BareJid> names;
    for (const auto& [jid, record] : records) {
      if (domain.empty() || jid.domainpart() == domain) names.push_back(jid);
    }
    disk_.answer_read(std::move(then), std::move(names));
  }
  storage::Ticket set_last_seen(const xmpp::BareJid& jid, const LastSeen& last) override {
    return disk_.write([&] { seen.insert_or_assign(jid, last); });
  }
  void last_seen(const xmpp::BareJid& jid, storage::Callback<std::optional<LastSeen>> then) override {
    const auto found = seen.find(jid);
    disk_.answer_read(std::move(then), found == seen.end() ? std::nullopt : std::optional(found->second));
  }

  std::map<xmpp::BareJid, storage::AccountRecord> records;
  std::map<xmpp::BareJid, LastSeen> seen;
  std::function<void(const xmpp::BareJid&)> keys_gone{};  ///< tells the tokens

 private:
  MemoryDisk& disk_;
};

class MemoryOffline final : public storage::OfflineStore {
 public:
  explicit MemoryOffline(MemoryDisk& disk) : disk_(disk) {}
  storage::Ticket add(const xmpp::BareJid& account, WallTime when, std::string stanza) override {
    return disk_.write([&] { messages[account].push_back({++last_id_, when, std::move(stanza)}); });
  }
  void page(const xmpp::BareJid& account, std::uint64_t after, std::size_t most,
            storage::Callback<std::vector<storage::OfflineMessage>> then) override {
    std::vector<storage::OfflineMessage> found;
    for (const auto& message : messages[account]) {
      if (message.id > after && found.size() < most) found.push_back(message);
    }
    disk_.answer_read(std::move(then), std::move(found));
  }
  storage::Ticket remove_through(const xmpp::BareJid& account, std::uint64_t id) override {
    return disk_.write(
        [&] { std::erase_if(messages[account], [&](const auto& message) { return message.id <= id; }); });
  }
  void size(const xmpp::BareJid& account, storage::Callback<Size> then) override {
    Size size;
    for (const auto& message : messages[account]) {
      ++size.messages;
      size.bytes += message.stanza.size();
    }
    disk_.answer_read(std::move(then), size);
  }

  std::map<xmpp::BareJid, std::vector<storage::OfflineMessage>> messages;

 private:
  MemoryDisk& disk_;
  std::uint64_t last_id_ = 0;
};

class MemoryDocuments final : public storage::DocumentStore {
 public:
  explicit MemoryDocuments(MemoryDisk& disk) : disk_(disk) {}
  void get(const xmpp::BareJid& account, const std::string& kind, const std::string& key,
           storage::Callback<std::optional<std::string>> then) override {
    const auto found = documents.find({account, kind, key});
    disk_.answer_read(std::move(then), found == documents.end() ? std::nullopt : std::optional(found->second));
  }
  void get_several(const xmpp::BareJid& account, std::vector<std::string> kinds,
                   storage::Callback<std::map<std::string, std::string>> then) override {
    std::map<std::string, std::string> several;
    for (const std::string& kind : kinds) {
      if (const auto found = documents.find({account, kind, ""}); found != documents.end())
        several.emplace(kind, found->second);
    }
    disk_.answer_read(std::move(then), std::move(several));
  }
  storage::Ticket put(const xmpp::BareJid& account, const std::string& kind, const std::string& key,
                      std::string document) override {
    return disk_.write([&] { documents.insert_or_assign({account, kind, key}, std::move(document)); });
  }
  void count(const xmpp::BareJid& account, const std::string& kind, storage::Callback<std::uint64_t> then) override {
    const auto n = std::ranges::count_if(documents, [&](const auto& entry) {
      return std::get<0>(entry.first) == account && std::get<1>(entry.first) == kind;
    });
    disk_.answer_read(std::move(then), static_cast<std::uint64_t>(n));
  }

  std::map<std::tuple<xmpp::BareJid, std::string, std::string>, std::string> documents;

 private:
  MemoryDisk& disk_;
};

class MemoryArchive final : public storage::ArchiveStore {
 public:
  struct Entry {
    xmpp::BareJid account;
    xmpp::Jid peer;
    std::string stanza;
    std::string reference{};
  };
  explicit MemoryArchive(MemoryDisk& disk) : disk_(disk) {}
  Added add(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer, std::string stanza,
            const std::string& reference) override {
    const std::uint64_t id = next_id(when);
    const auto ticket = disk_.write([&] { messages.emplace(id, Entry{account, peer, std::move(stanza), reference}); });
    return {.id = id, .ticket = ticket};
  }
  Added add_rewriting(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer, std::string stanza,
                      const std::string& reference, Rewrite rewrite) override {
    const std::uint64_t id = next_id(when);
    const auto ticket = disk_.write([&] {
      std::size_t seen = 0;
      bool more = !reference.empty();
      for (auto& [earlier, entry] : messages | std::views::reverse) {
        if (!more || seen == most_rewritten) break;
        if (entry.account != account || entry.peer.bare_text() != peer.bare_text() || entry.reference != reference)
          continue;
        ++seen;
        Rewritten rewritten = rewrite(entry.stanza);
        more = rewritten.more;
        if (rewritten.stanza) entry = {account, entry.peer, *std::move(rewritten.stanza), {}};
      }
      messages.emplace(id, Entry{account, peer, std::move(stanza)});
    });
    return {.id = id, .ticket = ticket};
  }
  Added add_rewriting_id(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer, std::string stanza,
                         std::uint64_t target, Rewrite rewrite) override {
    const std::uint64_t id = next_id(when);
    const auto ticket = disk_.write([&] {
      const auto named = messages.find(target);
      const bool there = named != messages.end() && named->second.account == account &&
                         named->second.peer.bare_text() == peer.bare_text();
      const std::string reference = there ? named->second.reference : std::string();
      for (auto& [earlier, entry] : messages) {
        const bool meant = earlier == target || (!reference.empty() && entry.reference == reference);
        if (!there || !meant || entry.account != account) continue;
        if (Rewritten rewritten = rewrite(entry.stanza); rewritten.stanza)
          entry = {account, entry.peer, *std::move(rewritten.stanza), {}};
      }
      messages.emplace(id, Entry{account, peer, std::move(stanza)});
    });
    return {.id = id, .ticket = ticket};
  }
  void page(const xmpp::BareJid& account, storage::ArchiveQuery query,
            storage::Callback<storage::ArchivePage> then) override {
    storage::ArchivePage page;
    const auto here = [&](std::uint64_t id) {
      const auto found = messages.find(id);
      return found != messages.end() && found->second.account == account;
    };
    for (const auto* ids : {&query.must_exist, &query.ids}) page.known = page.known && std::ranges::all_of(*ids, here);
    for (const auto& [id, entry] : messages) {
      const bool named = std::ranges::find(query.ids, id) != query.ids.end();
      if (page.known && (query.ids.empty() ? matches(account, query, id, entry) : named))
        page.messages.push_back({.id = id, .stanza = entry.stanza});
    }
    page.complete = page.messages.size() <= query.most;
    const auto more = static_cast<std::ptrdiff_t>(page.complete ? 0 : page.messages.size() - query.most);
    if (query.from_newest) {
      page.messages.erase(page.messages.begin(), page.messages.begin() + more);
    } else {
      page.messages.erase(page.messages.end() - more, page.messages.end());
    }
    disk_.answer_read(std::move(then), std::move(page));
  }
  void count(const xmpp::BareJid& account, storage::ArchiveQuery query,
             storage::Callback<std::uint64_t> then) override {
    const auto n = std::ranges::count_if(
        messages, [&](const auto& one) { return matches(account, query, one.first, one.second); });
    disk_.answer_read(std::move(then), static_cast<std::uint64_t>(n));
  }
  void ends(const xmpp::BareJid& account, storage::Callback<std::optional<Ends>> then) override {
    std::optional<Ends> ends;
    for (const auto& [id, entry] : messages) {
      if (entry.account == account) ends = Ends{.first = ends ? ends->first : id, .last = id};
    }
    disk_.answer_read(std::move(then), ends);
  }
  void expire(WallTime when, std::size_t most, storage::Callback<bool> then) override {
    bool any = false;
    const auto ticket = disk_.write([&] {
      const auto before = static_cast<std::uint64_t>(when.time_since_epoch().count());
      for (std::size_t i = 0; i < most && !messages.empty() && messages.begin()->first < before; ++i) {
        messages.erase(messages.begin());
        any = true;
      }
    });
    disk_.answer_write(ticket, std::move(then), any);
  }

  void forget(const xmpp::BareJid& owner) {
    std::erase_if(messages, [&](const auto& one) { return one.second.account == owner; });
  }

  std::map<std::uint64_t, Entry> messages;

 private:
  std::uint64_t next_id(WallTime when) {
    return last_id_ = std::max(last_id_ + 1, static_cast<std::uint64_t>(when.time_since_epoch().count()));
  }
  static bool matches(const xmpp::BareJid& account, const storage::ArchiveQuery& query, std::uint64_t id,
                      const Entry& entry) {
    return entry.account == account && id > query.above && id < query.below &&
           (!query.with || entry.peer.bare_text() == query.with->text()) &&
           (query.with_resource.empty() || entry.peer.resourcepart() == query.with_resource);
  }
  MemoryDisk& disk_;
  std::uint64_t last_id_ = 0;
};

class MemorySessions final : public storage::SessionStore {
 public:
  explicit MemorySessions(MemoryDisk& disk) : disk_(disk) {}
  storage::Ticket put(const xmpp::BareJid& account, std::string state) override {
    return disk_.write([&] {
      const std::uint64_t number = ++last_;
      sessions.emplace(number, storage::SavedSession{.number = number, .account = account, .state = std::move(state)});
    });
  }
  void page(std::uint64_t after, std::size_t most,
            storage::Callback<std::vector<storage::SavedSession>> then) override {
    std::vector<storage::SavedSession> page;
    for (auto at = sessions.upper_bound(after); at != sessions.end() && page.size() < most; ++at)
      page.push_back(at->second);
    disk_.answer_read(std::move(then), std::move(page));
  }
  storage::Ticket remove(std::uint64_t number) override {
    return disk_.write([&] { sessions.erase(number); });
  }

  std::map<std::uint64_t, storage::SavedSession> sessions;

 private:
  MemoryDisk& disk_;
  std::uint64_t last_ = 0;
};

class MemoryTokens final : public storage::TokenStore {
 public:
  MemoryTokens(MemoryDisk& disk, MemoryAccounts& accounts) : disk_(disk), accounts_(accounts) {
    accounts_.keys_gone = [this](const xmpp::BareJid& account) {
      std::erase_if(tokens, [&](const auto& one) { return std::get<0>(one.first) == account; });
    };
  }
  void find(const xmpp::BareJid& account, const std::string& client,
            storage::Callback<storage::LoginTokens> then) override {
    storage::LoginTokens found;
    if (const auto record = accounts_.records.find(account); record != accounts_.records.end())
      found.account = record->second;
    for (const auto& [key, record] : tokens) {
      if (std::get<0>(key) == account && std::get<1>(key) == client) found.tokens.push_back(record);
    }
    disk_.answer_read(std::move(then), std::move(found));
  }
  void list(const xmpp::BareJid& account, storage::Callback<std::vector<storage::TokenRecord>> then) override {
    std::vector<storage::TokenRecord> found;
    for (const auto& [key, record] : tokens) {
      if (std::get<0>(key) == account) found.push_back(record);
    }
    disk_.answer_read(std::move(then), std::move(found));
  }
  storage::Ticket put(const xmpp::BareJid& account, const storage::TokenRecord& record,
                      const storage::LoginBasis& basis, std::size_t) override {
    return disk_.write([&] {
      const auto owner = accounts_.records.find(account);
      const bool has_token =
          tokens.contains({account, record.client, true}) || tokens.contains({account, record.client, false});
      if (owner == accounts_.records.end() || !MemoryAccounts::has_salt(owner->second.credentials, basis.salt) ||
          (basis.by_token && !has_token))
        return;
      tokens.insert_or_assign({account, record.client, true}, record);
    });
  }
  storage::Ticket used(const xmpp::BareJid& account, const std::string& client, bool fresh, WallTime when) override {
    return disk_.write([&] {
      if (auto node = tokens.extract({account, client, fresh}); !node.empty()) {
        node.key() = {account, client, false};
        node.mapped().fresh = false;
        node.mapped().used = when;
        tokens.erase(node.key());
        tokens.insert(std::move(node));
      }
    });
  }
  storage::Ticket remove(const xmpp::BareJid& account, const std::string& client) override {
    return disk_.write([&] {
      for (const bool fresh : {true, false}) tokens.erase({account, client, fresh});
    });
  }
  void remove_client(const xmpp::BareJid& account, const std::string& client, storage::Callback<bool> then) override {
    bool any = false;
    const auto ticket =
        disk_.write([&] { any = tokens.erase({account, client, true}) + tokens.erase({account, client, false}) != 0; });
    disk_.answer_write(ticket, std::move(then), any);
  }

  std::map<std::tuple<xmpp::BareJid, std::string, bool>, storage::TokenRecord> tokens;

 private:
  MemoryDisk& disk_;
  MemoryAccounts& accounts_;
};

class MemoryPubsub final : public storage::PubsubStore {
 public:
  explicit MemoryPubsub(MemoryDisk& disk) : disk_(disk) {}
  void load(const xmpp::BareJid& owner, storage::Callback<storage::PubsubData> then) override {
    disk_.answer_read(std::move(then), data_of(owner));
  }
  storage::PubsubData data_of(const xmpp::BareJid& owner) const {
    storage::PubsubData data;
    for (const auto& [key, node] : nodes) {
      if (key.first != owner) continue;
      storage::PubsubNode& made =
          data.nodes.emplace_back(storage::PubsubNode{.name = key.second, .config = node.config});
      for (const auto& [jid, person] : node.people) made.people.push_back(person);
      for (const auto& item : node.items) data.bytes += item.payload.size();
    }
    return data;
  }
  storage::Ticket put_node(const xmpp::BareJid& owner, const std::string& node, std::string config) override {
    return disk_.write([&] { nodes[{owner, node}].config = std::move(config); });
  }
  storage::Ticket remove_node(const xmpp::BareJid& owner, const std::string& node) override {
    return disk_.write([&] { nodes.erase({owner, node}); });
  }
  storage::Ticket put_person(const xmpp::BareJid& owner, const std::string& node,
                             const storage::PubsubPerson& person) override {
    return disk_.write([&] {
      auto& people = nodes[{owner, node}].people;
      if (person.affiliation.empty() && person.subscription.empty()) {
        people.erase(person.jid.text());
      } else {
        people.insert_or_assign(person.jid.text(), person);
      }
    });
  }
  storage::Ticket publish(const xmpp::BareJid& owner, const std::string& node, std::vector<storage::PubsubItem> items,
                          const storage::PubsubKeep& keep) override {
    return disk_.write([&] {
      auto& there = nodes[{owner, node}].items;
      for (storage::PubsubItem& item : items) {
        std::erase_if(there, [&](const auto& other) { return other.id == item.id; });
        there.push_back(std::move(item));
      }
      trim_now(there, keep);
    });
  }
  storage::Ticket retract(const xmpp::BareJid& owner, const std::string& node, std::vector<std::string> ids) override {
    return disk_.write([&] {
      std::erase_if(nodes[{owner, node}].items,
                    [&](const auto& item) { return std::ranges::find(ids, item.id) != ids.end(); });
    });
  }
  storage::Ticket trim(const xmpp::BareJid& owner, const std::string& node, const storage::PubsubKeep& keep) override {
    return disk_.write([&] { trim_now(nodes[{owner, node}].items, keep); });
  }
  void items(const xmpp::BareJid& owner, const std::string& node, storage::PubsubQuery query,
             storage::Callback<storage::PubsubPage> then) override {
    auto all = nodes[{owner, node}].items;
    if (query.since) std::erase_if(all, [&](const auto& item) { return item.when < *query.since; });
    if (!query.payloads) {
      for (storage::PubsubItem& item : all) item.payload.clear();
    }
    storage::PubsubPage page{.items = {}, .total = all.size()};
    if (!query.ids.empty()) {
      for (const std::string& id : query.ids) {
        const auto found = std::ranges::find(all, id, &storage::PubsubItem::id);
        if (found != all.end()) page.items.push_back(*found);
      }
      return disk_.answer_read(std::move(then), std::move(page));
    }
    const auto after = std::ranges::find(all, query.after, &storage::PubsubItem::id);
    const auto before = std::ranges::find(all, query.before, &storage::PubsubItem::id);
    page.known = (query.after.empty() || after != all.end()) && (query.before.empty() || before != all.end());
    if (!page.known) return disk_.answer_read(std::move(then), std::move(page));
    std::deque<storage::PubsubItem> found(query.after.empty() ? all.begin() : std::next(after),
                                          query.before.empty() ? all.end() : before);
    page.complete = found.size() <= query.most;
    while (found.size() > query.most) query.from_newest ? found.pop_front() : found.pop_back();
    page.items.assign(found.begin(), found.end());
    disk_.answer_read(std::move(then), std::move(page));
  }
  void newest(const xmpp::BareJid& owner, std::vector<std::string> names,
              storage::Callback<std::map<std::string, storage::PubsubItem>> then) override {
    std::map<std::string, storage::PubsubItem> found;
    for (const std::string& name : names) {
      const auto& there = nodes[{owner, name}].items;
      if (!there.empty()) found.emplace(name, there.back());
    }
    disk_.answer_read(std::move(then), std::move(found));
  }

  struct Node {
    std::string config;
    std::map<std::string, storage::PubsubPerson> people;
    std::deque<storage::PubsubItem> items;
  };
  std::map<std::pair<xmpp::BareJid, std::string>, Node> nodes;

 private:
  static void trim_now(std::deque<storage::PubsubItem>& items, const storage::PubsubKeep& keep) {
    if (keep.since) std::erase_if(items, [&](const auto& item) { return item.when < *keep.since; });
    while (items.size() > keep.most_items) items.pop_front();
  }
  MemoryDisk& disk_;
};

class MemoryRooms final : public storage::RoomStore {
 public:
  MemoryRooms(MemoryDisk& disk, MemoryArchive& archive) : disk_(disk), archive_(archive) {}
  void load(const xmpp::BareJid& room, storage::Callback<std::optional<storage::RoomData>> then) override {
    std::optional<storage::RoomData> data;
    if (const auto found = rooms.find(room); found != rooms.end()) {
      data = storage::RoomData{.config = found->second.config, .subject = found->second.subject};
      for (const auto& [jid, person] : found->second.people) data->people.push_back(person);
    }
    disk_.answer_read(std::move(then), std::move(data));
  }
  storage::Ticket put(const xmpp::BareJid& room, const std::string& name, bool listed, std::string config) override {
    return disk_.write([&] {
      Room& made = rooms[room];
      made.name = name;
      made.listed = listed;
      made.config = std::move(config);
    });
  }
  storage::Ticket put_subject(const xmpp::BareJid& room, std::string subject) override {
    return disk_.write([&] {
      if (const auto found = rooms.find(room); found != rooms.end()) found->second.subject = std::move(subject);
    });
  }
  storage::Ticket put_person(const xmpp::BareJid& room, const storage::RoomPerson& person) override {
    return disk_.write([&] {
      const auto found = rooms.find(room);
      if (found == rooms.end()) return;
      if (person.affiliation.empty()) {
        found->second.people.erase(person.jid);
      } else {
        found->second.people.insert_or_assign(person.jid, person);
      }
    });
  }
  storage::Ticket remove(const xmpp::BareJid& room) override {
    return disk_.write([&] {
      rooms.erase(room);
      archive_.forget(room);
    });
  }
  void list(const std::string& domain, const std::string& after, std::size_t most,
            storage::Callback<std::vector<storage::ListedRoom>> then) override {
    std::vector<storage::ListedRoom> found;
    for (const auto& [jid, room] : rooms) {
      if (room.listed && jid.domainpart() == domain && jid.text() > after && found.size() < most)
        found.push_back({.jid = jid, .name = room.name});
    }
    disk_.answer_read(std::move(then), std::move(found));
  }

  void list_all(const std::string& after, std::size_t most,
                storage::Callback<std::vector<storage::ListedRoom>> then) override {
    std::vector<storage::ListedRoom> found;
    for (const auto& [jid, room] : rooms) {
      if (jid.text() > after && found.size() < most) found.push_back({.jid = jid, .name = room.name});
    }
    disk_.answer_read(std::move(then), std::move(found));
  }

  struct Room {
    std::string name;
    bool listed = false;
    std::string config;
    std::string subject;
    std::map<xmpp::BareJid, storage::RoomPerson> people;
  };
  std::map<xmpp::BareJid, Room> rooms;

 private:
  MemoryDisk& disk_;
  MemoryArchive& archive_;
};

class MemoryPushLog final : public storage::PushLogStore {
 public:
  explicit MemoryPushLog(MemoryDisk& disk) : disk_(disk) {}
  storage::Ticket add(const xmpp::BareJid& account, WallTime when, const storage::PushRecord& record) override {
    return disk_.write([&] {
      const WallTime hour = std::chrono::floor<std::chrono::hours>(when);
      auto& kept = hours[{account, hour, record.service, record.node}];
      kept.hour = hour;
      kept.service = record.service;
      kept.node = record.node;
      kept.sent += record.sent;
      kept.refused += record.refused;
    });
  }
  void list(const xmpp::BareJid& account, storage::Callback<std::vector<storage::PushRecord>> then) override {
    std::vector<storage::PushRecord> found;
    for (const auto& [key, record] : hours) {
      if (std::get<0>(key) == account) found.push_back(record);
    }
    std::ranges::sort(found, [](const storage::PushRecord& a, const storage::PushRecord& b) {
      return std::tie(b.hour, a.service, a.node) < std::tie(a.hour, b.service, b.node);
    });
    disk_.answer_read(std::move(then), std::move(found));
  }
  void expire(WallTime when, std::size_t most, storage::Callback<bool> then) override {
    bool any = false;
    const auto ticket = disk_.write([&] {
      for (auto one = hours.begin(); one != hours.end() && most > 0;) {
        const bool old = one->second.hour < when;
        any = any || old;
        most -= old ? 1 : 0;
        one = old ? hours.erase(one) : std::next(one);
      }
    });
    disk_.answer_write(ticket, std::move(then), any);
  }

  std::map<std::tuple<xmpp::BareJid, WallTime, std::string, std::string>, storage::PushRecord> hours;

 private:
  MemoryDisk& disk_;
};

/// No feature knows it.
class NoBlockedServers final : public storage::BlockedServerStore {
 public:
  explicit NoBlockedServers(MemoryDisk& disk) : disk_(disk) {}
  void all(storage::Callback<std::vector<std::string>> then) override {
    disk_.answer_read(std::move(then), std::vector<std::string>());
  }
  void add(const std::string&, WallTime, storage::Callback<bool> then) override {
    disk_.answer_read(std::move(then), false);
  }
  void remove(const std::string&, storage::Callback<bool> then) override { disk_.answer_read(std::move(then), false); }

 private:
  MemoryDisk& disk_;
};

/// No feature knows it: what is written into it is nowhere.
class NoOutbound final : public storage::OutboundStore {
 public:
  explicit NoOutbound(MemoryDisk& disk) : disk_(disk) {}
  Added add(const std::string&, const std::string&, const xmpp::BareJid&, WallTime, std::string) override {
    return {.id = ++last_, .ticket = disk_.write([] {})};
  }
  void page(const std::string&, const std::string&, std::uint64_t, std::size_t, std::size_t,
            storage::Callback<std::vector<storage::OutboundMessage>> then) override {
    disk_.answer_read(std::move(then), std::vector<storage::OutboundMessage>());
  }
  storage::Ticket remove_through(const std::string&, const std::string&, std::uint64_t) override {
    return disk_.write([] {});
  }
  void lines(storage::Callback<std::vector<storage::OutboundLine>> then) override {
    disk_.answer_read(std::move(then), std::vector<storage::OutboundLine>());
  }

 private:
  MemoryDisk& disk_;
  std::uint64_t last_ = 0;
};

/// The stage makes its accounts itself.
class NoLoads final : public storage::LoadStore {
 public:
  explicit NoLoads(MemoryDisk& disk) : disk_(disk) {}
  void load(const xmpp::BareJid&, std::vector<std::string>,
            storage::Callback<std::optional<storage::AccountData>> then) override {
    disk_.answer_read(std::move(then), std::optional<storage::AccountData>());
  }

 private:
  MemoryDisk& disk_;
};

}  // namespace kith::module::testing
