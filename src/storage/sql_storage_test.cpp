// The SQLite storage in trouble: full and failing disks, locks, damaged rows, wrong files. What it does when all is
// well is in conformance_test.cpp; what survives a crash in crash_test.cpp.

#include "storage/sql_storage.h"

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "storage/sqlite/archive_index.h"
#include "storage/sqlite/test_vfs.h"
#include "storage/test_support.h"

namespace kith::storage {
namespace {

using xmpp::BareJid;

const WallTime noon = std::chrono::sys_days{std::chrono::year{2030} / 5 / 17} + std::chrono::hours(12);
const BareJid alice = bare("alice@example.org");  // gets the messages; where she has an account, too, it is made first

class SqlStorageTest : public testing::Test {
 protected:
  void open(SqlStorage::Options options = {.mode = SqlStorage::Mode::immediate}) {
    close();
    storage_ = std::make_unique<SqlStorage>(path_, quiet_.events, quiet_.clock, options);
    stores_ = storage_->make_stores(shard_);
  }
  void close() {
    stores_.reset();
    storage_.reset();
    shard_.run_posted();
  }
  Ticket add(const std::string& stanza) { return stores_->stores().offline.add(alice, noon, stanza); }
  bool failed(Ticket ticket) { return storage_->commit_log().failed(ticket); }
  bool decided(Ticket ticket) { return storage_->commit_log().decided() >= ticket; }
  Result<bool> add_account(const std::string& jid) {
    return answer<bool>(shard_, [&](auto then) {
      stores_->stores().accounts.add({.jid = bare(jid), .credentials = {}, .created = noon}, std::move(then));
    });
  }
  /// What a test writes begins with its number, and may have a long tail of x.
  static std::string head(const std::string& stanza) { return stanza.substr(0, stanza.find('x')); }
  std::vector<std::string> stored() {
    const auto page = answer<std::vector<OfflineMessage>>(
        shard_, [&](auto then) { stores_->stores().offline.page(alice, 0, 100'000, std::move(then)); });
    std::vector<std::string> stanzas;
    EXPECT_TRUE(page);
    if (!page) return stanzas;
    for (const OfflineMessage& message : *page) stanzas.push_back(head(message.stanza));
    return stanzas;
  }
  /// Another program that has the same file open.
  sqlite::Db stranger() { return sqlite::Db(path_, {.access = sqlite::Db::Access::write}); }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("kith.db");
  QuietEvents quiet_;
  HandShard shard_;
  std::unique_ptr<SqlStorage> storage_;
  std::unique_ptr<ShardStores> stores_;
};

unsigned mode_of(const std::string& path) {
  struct stat facts{};
  EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
  return facts.st_mode & 0777U;
}

TEST_F(SqlStorageTest, files_are_the_owners_alone) {
  path_ = directory_.file("deep/er/kith.db");
  open();
  add("m");
  EXPECT_EQ(mode_of(directory_.file("deep")), 0700U);
  EXPECT_EQ(mode_of(directory_.file("deep/er")), 0700U);
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) EXPECT_EQ(mode_of(path_ + suffix), 0600U) << suffix;
}

TEST_F(SqlStorageTest, a_file_that_others_could_read_is_closed_to_them) {
  open();
  close();
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  open();
  EXPECT_EQ(mode_of(path_), 0600U);
}

TEST_F(SqlStorageTest, a_second_server_on_the_same_file_is_refused) {
  open();
  EXPECT_THROW(SqlStorage(path_, quiet_.events, quiet_.clock), sqlite::Unusable);
  close();
  EXPECT_NO_THROW(SqlStorage(path_, quiet_.events, quiet_.clock));
}

TEST_F(SqlStorageTest, a_database_in_memory_has_no_threads) {
  EXPECT_THROW(SqlStorage(":memory:", quiet_.events, quiet_.clock), sqlite::Unusable);
}

TEST_F(SqlStorageTest, what_was_given_before_the_end_is_there_at_the_next_start) {
  open({});
  for (int i = 0; i < 500; ++i) add(std::to_string(i));
  open({});
  EXPECT_EQ(stored().size(), 500U);
}

TEST_F(SqlStorageTest, ids_grow_over_a_restart) {
  open();
  for (int i = 0; i < 3; ++i) add("m");
  const auto ids = [&] {
    return answer<std::vector<OfflineMessage>>(
               shard_, [&](auto then) { stores_->stores().offline.page(alice, 0, 10, std::move(then)); })
        .value();
  };
  const std::uint64_t last = ids().back().id;
  stores_->stores().offline.remove_through(alice, last);
  open();
  add("m");
  EXPECT_GT(ids().front().id, last);
}

class Archived : public SqlStorageTest {
 protected:
  static constexpr std::size_t together = 4;
  void open_archive(SqlStorage::Mode mode = SqlStorage::Mode::immediate) {
    open({.mode = mode, .indexed_together = together});
  }
  ArchiveStore::Added keep(const std::string& stanza) {
    return stores_->stores().archive.add(alice, noon, *xmpp::Jid::parse("bob@example.org/phone"), stanza, stanza);
  }
  std::vector<std::string> archived(const ArchiveQuery& query = {.most = 100'000, .most_bytes = 1'000'000}) {
    const auto page =
        answer<ArchivePage>(shard_, [&](auto then) { stores_->stores().archive.page(alice, query, std::move(then)); });
    std::vector<std::string> stanzas;
    EXPECT_TRUE(page);
    if (!page) return stanzas;
    for (const ArchivedMessage& message : page->messages) stanzas.push_back(message.stanza);
    return stanzas;
  }
  std::int64_t indexed() { return stranger().number("SELECT count(*) FROM archive_index").value_or(-1); }
};

TEST_F(Archived, messages_are_indexed_together_and_found_before_that) {
  open_archive();
  std::vector<std::string> all;
  for (int i = 0; i < 11; ++i) {
    keep(std::to_string(i));
    all.push_back(std::to_string(i));
    EXPECT_EQ(archived(), all);
    EXPECT_EQ(indexed(), (i + 1) / 4 * 4);
  }
  EXPECT_EQ(archived({.from_newest = true, .most = 5, .most_bytes = 1000}),
            (std::vector<std::string>{"6", "7", "8", "9", "10"}));
}

TEST_F(Archived, messages_that_were_not_indexed_at_the_end_are_known_at_the_next_start) {
  open_archive();
  for (int i = 0; i < 6; ++i) keep(std::to_string(i));
  EXPECT_EQ(indexed(), 4);
  storage_->abandon();
  open_archive();
  EXPECT_EQ(indexed(), 4) << "nothing is written at the start";
  EXPECT_EQ(archived(), (std::vector<std::string>{"0", "1", "2", "3", "4", "5"}));
  keep("6");
  keep("7");
  EXPECT_EQ(indexed(), 8);
  EXPECT_EQ(archived(), (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7"}));
  EXPECT_EQ(stranger().number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

TEST_F(Archived, an_index_that_could_not_be_extended_is_later) {
  sqlite::ArchiveIndex index(2);
  EXPECT_FALSE(index.claim());
  index.note("alice@example.org", {.id = 1});
  index.note("alice@example.org", {.id = 1});  // its transaction is done again
  EXPECT_FALSE(index.claim());
  index.note("bob@example.org", {.id = 2});
  EXPECT_TRUE(index.claim());
  EXPECT_FALSE(index.claim()) << "while that is on its way";
  index.extended(false);
  EXPECT_EQ(index.rest_of("alice@example.org").size(), 1U);
  EXPECT_TRUE(index.claim());
}

TEST_F(Archived, a_message_that_failed_leaves_nothing_in_the_index) {
  open_archive();
  keep("0");
  storage_->fail_next(1, StorageError::full);
  EXPECT_TRUE(failed(keep("1").ticket));
  for (int i = 2; i < 5; ++i) keep(std::to_string(i));
  EXPECT_EQ(archived(), (std::vector<std::string>{"0", "2", "3", "4"}));
  EXPECT_EQ(indexed(), 4);
}

TEST_F(Archived, ids_grow_though_the_newest_messages_were_removed_and_the_clock_is_set_back) {
  open_archive();
  ASSERT_EQ(add_account(alice.text()), true);
  const std::uint64_t last = keep("0").id;
  ASSERT_EQ(answer<bool>(shard_, [&](auto then) { stores_->stores().accounts.remove(alice, std::move(then)); }), true);
  open_archive();
  EXPECT_GT(
      stores_->stores().archive.add(alice, noon - std::chrono::hours(1), *xmpp::Jid::parse("b@example.org"), "1").id,
      last);
}

TEST_F(Archived, whoever_reads_while_the_index_is_extended_misses_nothing_and_sees_nothing_twice) {
  open_archive(SqlStorage::Mode::threads);
  std::vector<std::string> all;
  for (int i = 0; i < 400; ++i) {
    keep(std::to_string(i));
    all.push_back(std::to_string(i));
    if (i % 5 == 0) {
      EXPECT_EQ(archived(), all);
    }
  }
}

TEST_F(SqlStorageTest, held_commits_gather_and_reads_that_must_see_them_wait) {
  open();
  storage_->hold_commits(true);
  const Ticket ticket = add("held");
  bool answered = false;
  std::vector<OfflineMessage> seen;
  stores_->stores().offline.page(alice, 0, 10, [&](auto page) {
    answered = true;
    seen = std::move(*page);
  });
  shard_.run_posted();
  EXPECT_FALSE(answered);
  EXPECT_FALSE(decided(ticket));
  storage_->commit_now();
  EXPECT_TRUE(decided(ticket));
  shard_.run_posted();
  EXPECT_TRUE(answered);
  EXPECT_EQ(seen.size(), 1U);
}

TEST_F(SqlStorageTest, injected_faults_reach_tickets_and_callbacks) {
  open();
  storage_->fail_next(2, StorageError::full);
  EXPECT_TRUE(failed(add("lost")));
  EXPECT_EQ(add_account("alice@example.org"), Result<bool>(std::unexpected(StorageError::full)));
  EXPECT_EQ(add_account("alice@example.org"), true);
  storage_->fail_next_reads(1);
  const auto size = [&] {
    return answer<OfflineStore::Size>(shard_,
                                      [&](auto then) { stores_->stores().offline.size(alice, std::move(then)); });
  };
  EXPECT_EQ(size().error(), StorageError::unavailable);
  EXPECT_TRUE(size());
}

// The disk fails at its N-th change, for each N; once, or from then on until it is mended. Whatever is called committed
// is there, whatever is called failed is not, now and after a restart.
class FailingDisk : public SqlStorageTest, public testing::WithParamInterface<bool> {};

TEST_P(FailingDisk, committed_is_there_and_failed_is_not_wherever_it_breaks) {
  sqlite::FaultyVfs vfs("faulty");
  const bool forever = GetParam();
  const SqlStorage::Options options{
      .mode = SqlStorage::Mode::immediate, .busy_timeout = std::chrono::milliseconds(0), .vfs = "faulty"};
  bool met = true;
  int faults = 0;
  for (int nth = 1; met; ++nth) {
    for (const int code : {SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_FULL}) {
      path_ = directory_.file(std::to_string(nth) + "-" + std::to_string(code));
      open(options);
      add("before");
      vfs.fail(nth, code, forever);
      std::vector<std::pair<std::string, Ticket>> given;
      const auto give = [&](const std::string& stanza) { given.emplace_back(stanza, add(stanza)); };
      for (int i = 0; i < 3; ++i) give("single " + std::to_string(i));
      storage_->hold_commits(true);
      for (int i = 0; i < 4; ++i) give("group " + std::to_string(i) + std::string(3000, 'x'));
      storage_->hold_commits(false);
      const Result<bool> account = add_account("bob@example.org");
      met = vfs.calls() >= nth;
      faults += met ? 1 : 0;
      vfs.heal();
      const Ticket healed = add("healed");
      EXPECT_FALSE(failed(healed));

      std::vector<std::string> expected{"before"};
      for (const auto& [stanza, ticket] : given) {
        EXPECT_TRUE(decided(ticket));
        if (!failed(ticket)) expected.push_back(head(stanza));
      }
      expected.emplace_back("healed");
      if (account) {
        EXPECT_TRUE(*account);
      }
      EXPECT_EQ(stored(), expected) << nth;
      // Adding once more says whether the first time had been committed.
      EXPECT_EQ(add_account("bob@example.org"), !account.has_value()) << nth;
      open();
      EXPECT_EQ(stored(), expected) << nth;
      if (forever && nth == 1) {
        EXPECT_EQ(expected.size(), 2U) << "nothing can be committed on a disk that takes nothing";
      }
    }
  }
  EXPECT_GT(faults, 10);
}

INSTANTIATE_TEST_SUITE_P(Disk, FailingDisk, testing::Bool(), [](const testing::TestParamInfo<bool>& forever) {
  return forever.param ? "until_mended" : "once";
});

// The kernel's own limit on the size of files stands in for a full disk: the same path through SQLite, no mount needed.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limited = before_;
    limited.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    static_cast<void>(std::signal(SIGXFSZ, handler_));
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

TEST_F(SqlStorageTest, a_full_disk_makes_writes_fail_with_full_until_there_is_room_again) {
  open({});
  add("before");
  storage_->drain();
  Ticket last;
  std::vector<std::string> expected{"before"};
  {
    const FileSizeLimit limit(200'000);
    std::vector<std::pair<std::string, Ticket>> given;
    for (int i = 0; i < 100; ++i) {
      const std::string stanza = std::to_string(i) + std::string(10'000, 'x');
      given.emplace_back(stanza, add(stanza));
    }
    last = given.back().second;
    AccountRecord large{.jid = bare("bob@example.org"), .credentials = {}, .created = noon};
    large.credentials.sha1 = xmpp::ScramKeys{.salt = std::string(300'000, 'x'), .stored_key = {}, .server_key = {}};
    const auto too_large =
        answer<bool>(shard_, [&](auto then) { stores_->stores().accounts.add(large, std::move(then)); });
    EXPECT_EQ(too_large, Result<bool>(std::unexpected(StorageError::full)));
    storage_->drain();
    EXPECT_TRUE(decided(last));
    EXPECT_TRUE(failed(last));
    // What can be read can still be read.
    for (const auto& [stanza, ticket] : given) {
      if (!failed(ticket)) expected.push_back(head(stanza));
    }
    EXPECT_EQ(stored(), expected);
    EXPECT_LT(expected.size(), 50U);
  }
  const Ticket healed = add("healed");
  storage_->drain();
  EXPECT_FALSE(failed(healed));
  EXPECT_TRUE(failed(last));
  expected.emplace_back("healed");
  EXPECT_EQ(stored(), expected);
  open({});
  EXPECT_EQ(stored(), expected);
}

TEST_F(SqlStorageTest, a_locked_database_makes_writes_fail_and_reads_go_on) {
  open({.busy_timeout = std::chrono::milliseconds(1)});
  add("before");
  storage_->drain();
  Ticket during;
  {
    sqlite::Db other = stranger();
    ASSERT_TRUE(other.exec("BEGIN IMMEDIATE"));
    during = add("during");
    EXPECT_EQ(add_account("bob@example.org"), Result<bool>(std::unexpected(StorageError::unavailable)));
    EXPECT_TRUE(failed(during));
    EXPECT_EQ(stored(), (std::vector<std::string>{"before"}));
    ASSERT_TRUE(other.exec("ROLLBACK"));
  }
  EXPECT_EQ(add_account("bob@example.org"), true);
  const Ticket after = add("after");
  EXPECT_EQ(stored(), (std::vector<std::string>{"before", "after"}));
  EXPECT_FALSE(failed(after));
  EXPECT_TRUE(failed(during));
}

TEST_F(SqlStorageTest, damaged_roster_rows_are_left_out_and_counted) {
  open();
  stores_->stores().rosters.put(alice, {.contact = bare("good@example.net")}, 1);
  stores_->stores().rosters.remove(alice, bare("gone@example.net"), 2);
  {
    sqlite::Db other = stranger();
    ASSERT_TRUE(other.batch(R"sql(
      INSERT INTO roster_items SELECT account, 'a@b/c', name, group_names, subscription, pending_out, pending_in, approved, in_roster, pending_stanza, version FROM roster_items WHERE contact = 'good@example.net';
      INSERT INTO roster_items SELECT account, 'b@x', name, '9:short', subscription, pending_out, pending_in, approved, in_roster, pending_stanza, version FROM roster_items WHERE contact = 'good@example.net';
      INSERT INTO roster_items SELECT account, 'c@x', name, group_names, 4, pending_out, pending_in, approved, in_roster, pending_stanza, version FROM roster_items WHERE contact = 'good@example.net';
      INSERT INTO roster_items SELECT account, 'd@x', name, group_names, -1, 2, 3, 4, 5, pending_stanza, -7 FROM roster_items WHERE contact = 'good@example.net';
      INSERT INTO roster_removed SELECT account, '', 9 FROM roster_removed;
    )sql"));
  }
  const auto roster =
      answer<RosterData>(shard_, [&](auto then) { stores_->stores().rosters.load(alice, std::move(then)); });
  ASSERT_TRUE(roster);
  ASSERT_EQ(roster->items.size(), 1U);
  EXPECT_EQ(roster->items[0].contact.text(), "good@example.net");
  EXPECT_EQ(roster->removed.size(), 1U);
  EXPECT_NE(quiet_.events.open_metrics().find("storage_bad_row"), std::string::npos);
}

TEST_F(SqlStorageTest, an_account_with_damaged_keys_is_an_error_and_not_an_account_without_a_password) {
  open();
  ASSERT_EQ(add_account("alice@example.org"), true);
  const auto find = [&] {
    return answer<std::optional<AccountRecord>>(
        shard_, [&](auto then) { stores_->stores().accounts.find(alice, std::move(then)); });
  };
  ASSERT_TRUE(find());
  sqlite::Db other = stranger();
  ASSERT_TRUE(other.batch("INSERT INTO scram_keys VALUES ('alice@example.org', 1, x'00', -5, x'00', x'00')"));
  EXPECT_EQ(find().error(), StorageError::corrupt);
  ASSERT_TRUE(other.batch("UPDATE scram_keys SET hash = 5, iterations = 10000"));
  EXPECT_EQ(find().error(), StorageError::corrupt);
  ASSERT_TRUE(other.batch("DELETE FROM scram_keys; UPDATE accounts SET disabled = 7"));
  EXPECT_EQ(find().error(), StorageError::corrupt);
}

TEST_F(SqlStorageTest, a_damaged_address_is_not_listed) {
  open();
  ASSERT_EQ(add_account("alice@example.org"), true);
  ASSERT_TRUE(stranger().batch("INSERT INTO accounts VALUES ('/', 'example.org', '', 0, 0)"));
  const auto list = answer<std::vector<BareJid>>(
      shard_, [&](auto then) { stores_->stores().accounts.list("example.org", std::move(then)); });
  EXPECT_EQ(list, (std::vector<BareJid>{alice}));
}

// Whoever adds a table with an account's data must add it to purge().
TEST_F(SqlStorageTest, every_table_that_names_an_account_is_emptied_of_it) {
  open();
  ASSERT_EQ(add_account("alice@example.org"), true);
  sqlite::Db other = stranger();
  std::vector<std::string> tables;
  ASSERT_TRUE(other.query(
      "SELECT t.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = 'account'",
      [&](const sqlite::Row& row) { tables.push_back(row.text(0)); }));
  EXPECT_GE(tables.size(), 7U);
  // A row in each, with any value in the other columns.
  for (const std::string& table : tables) {
    std::string columns;
    std::string values;
    ASSERT_TRUE(other.query(
        "SELECT name, type FROM pragma_table_info(?)",
        [&](const sqlite::Row& row) {
          columns += (columns.empty() ? "" : ", ") + row.text(0);
          values += values.empty() ? "" : ", ";
          values += row.text(0) == "account" ? "'alice@example.org'" : row.text(1) == "BLOB" ? "x'00'" : "1";
        },
        table));
    const std::string insert = "INSERT INTO " + table + " (" + columns + ") VALUES (" + values + ")";
    ASSERT_EQ(sqlite3_exec(other.handle(), insert.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << insert;
  }
  EXPECT_EQ(answer<bool>(shard_, [&](auto then) { stores_->stores().accounts.remove(alice, std::move(then)); }), true);
  for (const std::string& table : tables) {
    // Uploads stay without a name until their files are deleted.
    const std::string count =
        "SELECT 1 FROM " + table + (table == "uploads" ? " WHERE account <> '' OR name <> ''" : "");
    bool any = false;
    sqlite3_exec(
        other.handle(), count.c_str(),
        [](void* flag, int, char**, char**) {
          *static_cast<bool*>(flag) = true;
          return 0;
        },
        &any, nullptr);
    EXPECT_FALSE(any) << table << " still knows the account";
  }
}

TEST_F(SqlStorageTest, a_read_of_a_damaged_file_is_an_error_and_no_crash) {
  open();
  for (int i = 0; i < 200; ++i) add(std::string(1000, 'x'));
  close();
  // The half with the messages becomes noise; the tables' roots are in the other.
  const auto size = std::filesystem::file_size(path_);
  FILE* file = std::fopen(path_.c_str(), "r+");
  ASSERT_NE(file, nullptr);
  std::fseek(file, static_cast<long>(size / 2), SEEK_SET);
  for (auto at = size / 2; at < size; ++at) std::fputc(0x5a, file);
  std::fclose(file);
  open();
  const auto page = answer<std::vector<OfflineMessage>>(
      shard_, [&](auto then) { stores_->stores().offline.page(alice, 0, 1000, std::move(then)); });
  EXPECT_EQ(page.error(), StorageError::corrupt);
}

}  // namespace
}  // namespace kith::storage
