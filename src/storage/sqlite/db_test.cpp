#include "storage/sqlite/db.h"

#include <type_traits>

#include <gtest/gtest.h>

namespace kith::storage::sqlite {
namespace {

static_assert(!std::is_constructible_v<Sql, std::string>, "SQL is never put together at run time");
static_assert(!std::is_constructible_v<Sql, std::string_view>);

class DbTest : public testing::Test {
 protected:
  DbTest() { EXPECT_TRUE(db_.batch("CREATE TABLE t (a ANY, b ANY)")); }
  Db db_{":memory:", {.access = Db::Access::create}};
};

TEST_F(DbTest, values_come_back_with_their_types) {
  ASSERT_TRUE(db_.exec("INSERT INTO t VALUES (?, ?)", std::string("te\0xt", 5), Blob{std::string_view("\0\xff", 2)}));
  ASSERT_TRUE(db_.exec("INSERT INTO t VALUES (?, ?)", std::string_view(), nullptr));
  ASSERT_TRUE(db_.exec("INSERT INTO t VALUES (?, ?)", INT64_MIN, true));
  int rows = 0;
  ASSERT_TRUE(db_.query("SELECT a, b, typeof(a), typeof(b) FROM t ORDER BY rowid", [&](const Row& row) {
    switch (rows++) {
      case 0:
        EXPECT_EQ(row.text(0), std::string("te\0xt", 5));
        EXPECT_EQ(row.text(1), std::string("\0\xff", 2));
        EXPECT_EQ(row.text(3), "blob");
        break;
      case 1:
        EXPECT_EQ(row.text(2), "text");
        EXPECT_FALSE(row.is_null(0));
        EXPECT_TRUE(row.is_null(1));
        break;
      default:
        EXPECT_EQ(row.integer(0), INT64_MIN);
        EXPECT_EQ(row.integer(1), 1);
    }
  }));
  EXPECT_EQ(rows, 3);
}

TEST_F(DbTest, exec_gives_the_number_of_rows_changed) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(db_.exec("INSERT INTO t VALUES (?, 0)", i), 1U);
  EXPECT_EQ(db_.exec("UPDATE t SET b = 1 WHERE a > ?", 0), 2U);
  EXPECT_EQ(db_.exec("DELETE FROM t WHERE a = ?", 99), 0U);
}

TEST_F(DbTest, a_wrong_statement_is_an_error_and_the_next_one_works) {
  EXPECT_EQ(db_.exec("INSERT INTO nowhere VALUES (1)").error(), StorageError::unavailable);
  EXPECT_NE(db_.error_words(), "");
  // Too few places for the values given.
  EXPECT_FALSE(db_.exec("INSERT INTO t VALUES (?, 0)", 1, 2));
  EXPECT_TRUE(db_.exec("INSERT INTO t VALUES (?, 0)", 1));
}

TEST_F(DbTest, text_is_never_sql) {
  ASSERT_TRUE(db_.exec("INSERT INTO t VALUES (?, 0)", "'); DROP TABLE t; --"));
  EXPECT_EQ(db_.number("SELECT count(*) FROM t"), 1);
}

TEST(Db, a_path_that_cannot_be_opened_says_so) {
  EXPECT_THROW(Db("/nonexistent/kith.db", {.access = Db::Access::read}), Unusable);
}

}  // namespace
}  // namespace kith::storage::sqlite
