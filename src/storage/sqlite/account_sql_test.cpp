#include "storage/sqlite/account_sql.h"

#include <set>

#include <gtest/gtest.h>

#include "storage/sqlite/migrations.h"
#include "storage/test_support.h"

namespace kith::storage::sqlite {
namespace {

class FindAccountTest : public ::testing::Test {
 protected:
  FindAccountTest() { migrate(db_, ":memory:", quiet_.events, migrations()); }

  void add(const std::string& jid) {
    ASSERT_TRUE(
        db_.exec("INSERT INTO accounts (jid, domain, localpart, created, disabled) VALUES (?, '', '', 7, 0)", jid));
    for (const int hash : {1, 256, 512}) {
      ASSERT_TRUE(
          db_.exec("INSERT INTO scram_keys (account, hash, salt, iterations, stored_key, server_key) VALUES (?, ?, ?, "
                   "10000, ?, ?)",
                   jid, hash, Blob{"salt of " + jid}, Blob{"stored"}, Blob{"server"}));
    }
  }
  /// What SQLite does for one look-up, in steps of its virtual machine: no clock says it so exactly.
  long steps_for(const std::string& jid) {
    static_cast<void>(find_account(db_, bare(jid)));  // all statements are prepared
    steps();
    static_cast<void>(find_account(db_, bare(jid)));
    return steps();
  }
  long steps() {
    long sum = 0;
    for (sqlite3_stmt* statement = sqlite3_next_stmt(db_.handle(), nullptr); statement != nullptr;
         statement = sqlite3_next_stmt(db_.handle(), statement)) {
      sum += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
    }
    return sum;
  }

  QuietEvents quiet_;
  Db db_{":memory:", {.access = Db::Access::create}};
};

TEST_F(FindAccountTest, a_name_that_nobody_has_costs_what_one_costs_that_somebody_has) {
  const long without_a_row = steps_for("a@example.org");
  for (const char* jid : {"b@example.org", "d@example.org", "f@example.org"}) add(jid);
  // Before, between and behind those that exist; the first and the last of those.
  std::set<long> all;
  for (const char* jid :
       {"a@example.org", "b@example.org", "c@example.org", "d@example.org", "f@example.org", "g@example.org"})
    all.insert(steps_for(jid));
  // A search that ends behind the last row is some steps shorter than one that finds a row; what tells is the reading
  // of a row and its keys.
  EXPECT_LE(*all.rbegin() - *all.begin(), 8);
  EXPECT_GT(*all.begin(), without_a_row + 30);
}

TEST_F(FindAccountTest, nobody_gets_the_neighbours_keys) {
  add("b@example.org");
  for (const char* jid : {"a@example.org", "c@example.org", "b@example.com", "B@example.orgx"}) {
    const auto found = find_account(db_, bare(jid));
    ASSERT_TRUE(found.has_value());
    EXPECT_FALSE(found->has_value()) << jid;
  }
  const auto found = find_account(db_, bare("b@example.org"));
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->credentials.sha256->salt, "salt of b@example.org");
}

TEST_F(FindAccountTest, a_damaged_neighbour_is_no_trouble_of_ours) {
  add("b@example.org");
  ASSERT_TRUE(db_.exec("UPDATE scram_keys SET hash = 99 WHERE hash = 1"));
  ASSERT_TRUE(find_account(db_, bare("a@example.org")).has_value());
  EXPECT_EQ(find_account(db_, bare("b@example.org")).error(), StorageError::corrupt);
}

TEST_F(FindAccountTest, an_empty_table_has_nobody) {
  const auto found = find_account(db_, bare("a@example.org"));
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(found->has_value());
}

}  // namespace
}  // namespace kith::storage::sqlite
