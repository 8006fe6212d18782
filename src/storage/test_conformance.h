// What the tests of what every storage backend must do share: they are written against the interfaces alone, and run
// with each of `backends`. A backend joins by one more entry there.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/sql_storage.h"
#include "storage/test_support.h"

namespace kith::storage {

using namespace std::string_literals;
using xmpp::BareJid;
using xmpp::Credentials;
using xmpp::Jid;
using xmpp::ScramKeys;
using xmpp::Subscription;

/// An empty backend, with the stores of two shards and its commit log.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Stores stores(unsigned shard) = 0;
  virtual HandShard& shard(unsigned index) = 0;
  virtual const CommitLog& log() = 0;
  virtual void on_decided(unsigned shard, std::function<void()> tell) = 0;
  virtual void drain() = 0;
};

struct Named {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
};

inline const WallTime noon = std::chrono::sys_days{std::chrono::year{2030} / 5 / 17} + std::chrono::hours(12);

inline ScramKeys keys(const std::string& seed) {
  return {.salt = seed + "\0salt"s,
          .iterations = 10'000,
          .stored_key = Secret(seed + "stored\xff"),
          .server_key = Secret("\0\x80"s + seed)};
}

inline AccountRecord record(std::string_view jid, const std::string& seed = "a") {
  return {.jid = bare(jid),
          .credentials = {.sha1 = keys(seed + "1"), .sha256 = keys(seed + "2"), .sha512 = keys(seed + "3")},
          .created = noon};
}

inline RosterItem item(std::string_view contact, Subscription subscription = Subscription::none) {
  RosterItem made{.contact = bare(contact)};
  made.state.subscription = subscription;
  return made;
}

class Conformance : public testing::TestWithParam<Named> {
 protected:
  Stores stores(unsigned shard = 0) { return backend_->stores(shard); }
  HandShard& shard(unsigned index = 0) { return backend_->shard(index); }

  template <class T>
  Result<T> ask(const std::function<void(Callback<T>)>& question, unsigned index = 0) {
    return answer<T>(shard(index), question);
  }
  Result<bool> add(const AccountRecord& account, unsigned index = 0) {
    return ask<bool>([&](auto then) { stores(index).accounts.add(account, std::move(then)); }, index);
  }
  Result<bool> remove(const BareJid& jid) {
    return ask<bool>([&](auto then) { stores().accounts.remove(jid, std::move(then)); });
  }
  Result<std::optional<AccountRecord>> find(const BareJid& jid, unsigned index = 0) {
    return ask<std::optional<AccountRecord>>([&](auto then) { stores(index).accounts.find(jid, std::move(then)); },
                                             index);
  }
  std::vector<std::string> list(const std::string& domain) {
    const auto jids = ask<std::vector<BareJid>>([&](auto then) { stores().accounts.list(domain, std::move(then)); });
    std::vector<std::string> texts;
    for (const BareJid& jid : jids.value()) texts.push_back(jid.text());
    return texts;
  }
  RosterData roster(const BareJid& account) {
    return ask<RosterData>([&](auto then) { stores().rosters.load(account, std::move(then)); }).value();
  }
  std::vector<OfflineMessage> page(const BareJid& account, std::uint64_t after = 0, std::size_t most = 100,
                                   unsigned index = 0) {
    return ask<std::vector<OfflineMessage>>(
               [&](auto then) { stores(index).offline.page(account, after, most, std::move(then)); }, index)
        .value();
  }
  OfflineStore::Size size(const BareJid& account) {
    return ask<OfflineStore::Size>([&](auto then) { stores().offline.size(account, std::move(then)); }).value();
  }
  std::optional<std::string> document(const BareJid& account, const std::string& kind, const std::string& key) {
    return ask<std::optional<std::string>>(
               [&](auto then) { stores().documents.get(account, kind, key, std::move(then)); })
        .value();
  }
  Result<ArchivePage> archive_page(const BareJid& account, ArchiveQuery query) {
    if (query.most == 0) query.most = 1000;
    if (query.most_bytes == 0) query.most_bytes = 1'000'000;
    return ask<ArchivePage>([&](auto then) { stores().archive.page(account, std::move(query), std::move(then)); });
  }
  std::vector<std::string> archive(const BareJid& account, ArchiveQuery query) {
    std::vector<std::string> stanzas;
    for (const ArchivedMessage& message : archive_page(account, std::move(query)).value().messages)
      stanzas.push_back(message.stanza);
    return stanzas;
  }
  std::vector<SavedSession> sessions(std::uint64_t after = 0, std::size_t most = 100) {
    return ask<std::vector<SavedSession>>([&](auto then) { stores().sessions.page(after, most, std::move(then)); })
        .value();
  }
  std::uint64_t documents(const BareJid& account, const std::string& kind) {
    return ask<std::uint64_t>([&](auto then) { stores().documents.count(account, kind, std::move(then)); }).value();
  }

  std::unique_ptr<Backend> backend_ = GetParam().make();
  const BareJid alice_ = bare("alice@example.org");
  const BareJid bob_ = bare("bob@example.org");
};

inline std::vector<std::string> stanzas(const std::vector<OfflineMessage>& messages) {
  std::vector<std::string> texts;
  for (const OfflineMessage& message : messages) texts.push_back(message.stanza);
  return texts;
}

/// The SQLite backend in one of its modes, in a directory of its own.
class SqliteBackend final : public Backend {
 public:
  explicit SqliteBackend(const SqlStorage::Options& options)
      : storage_(options.mode == SqlStorage::Mode::immediate ? ":memory:" : directory_.file("kith.db"), quiet_.events,
                 quiet_.clock, options) {
    for (auto& stores : stores_) stores = storage_.make_stores(shards_[&stores - stores_]);
  }
  Stores stores(unsigned shard) override { return stores_[shard]->stores(); }
  HandShard& shard(unsigned index) override { return shards_[index]; }
  const CommitLog& log() override { return storage_.commit_log(); }
  void on_decided(unsigned shard, std::function<void()> tell) override {
    storage_.on_decided(shards_[shard], std::move(tell));
  }
  void drain() override { storage_.drain(); }

 private:
  TemporaryDirectory directory_;
  QuietEvents quiet_;
  HandShard shards_[2];
  SqlStorage storage_;
  std::unique_ptr<ShardStores> stores_[2];
};

inline const Named backends[] = {
    {"immediate",
     [] { return std::make_unique<SqliteBackend>(SqlStorage::Options{.mode = SqlStorage::Mode::immediate}); }},
    {"threads", [] { return std::make_unique<SqliteBackend>(SqlStorage::Options{}); }},
    // The archive's index is extended between the messages of a test, and never for the last of them.
    {"indexed_by_three",
     [] {
       return std::make_unique<SqliteBackend>(
           SqlStorage::Options{.mode = SqlStorage::Mode::immediate, .indexed_together = 3});
     }},
};

inline constexpr auto name_of = [](const testing::TestParamInfo<Named>& backend) { return backend.param.name; };

}  // namespace kith::storage
