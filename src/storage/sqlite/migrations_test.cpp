#include "storage/sqlite/migrations.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "storage/sql_storage.h"
#include "storage/test_support.h"

namespace kith::storage::sqlite {
namespace {

constexpr Migration to_two[] = {
    {.version = 1, .script = "CREATE TABLE old (v TEXT); PRAGMA application_id = 0x4b697468; PRAGMA user_version = 1;"},
    {.version = 2, .script = "ALTER TABLE old RENAME TO new; PRAGMA user_version = 2;"},
};
constexpr Migration to_broken_three[] = {
    to_two[0],
    to_two[1],
    {.version = 3, .script = "CREATE TABLE more (v TEXT); CREATE TABLE new (v TEXT); PRAGMA user_version = 3;"},
};

class Migrations : public testing::Test {
 protected:
  Db open() { return Db(path_, {.access = Db::Access::create}); }
  std::string why_not(const std::function<void()>& act) {
    try {
      act();
    } catch (const Unusable& reason) {
      return reason.what();
    }
    return {};
  }
  std::string why_storage_does_not_open() {
    return why_not([&] { const SqlStorage storage(path_, quiet_.events, quiet_.clock); });
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("kith.db");
  QuietEvents quiet_;
};

TEST_F(Migrations, are_numbered_without_a_gap) {
  std::int64_t version = 0;
  for (const Migration& step : migrations()) EXPECT_EQ(step.version, ++version);
  EXPECT_GT(version, 0);
}

TEST_F(Migrations, a_new_file_gets_the_schema_and_no_backup) {
  Db db = open();
  migrate(db, path_, quiet_.events);
  EXPECT_EQ(db.number("PRAGMA user_version"), migrations().back().version);
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(path_).parent_path()))
    EXPECT_EQ(entry.path().string().find("before"), std::string::npos);
}

TEST_F(Migrations, every_earlier_version_comes_up_to_the_present_one) {
  for (std::size_t from = 1; from <= migrations().size(); ++from) {
    const std::string path = directory_.file("from-" + std::to_string(from));
    Db db(path, {.access = Db::Access::create});
    migrate(db, path, quiet_.events, migrations().first(from));
    migrate(db, path, quiet_.events);
    EXPECT_EQ(db.number("PRAGMA user_version"), migrations().back().version);
  }
}

TEST_F(Migrations, an_old_file_is_copied_first_and_the_copy_is_whole_and_private) {
  Db db = open();
  ASSERT_TRUE(db.batch("PRAGMA journal_mode = WAL"));
  migrate(db, path_, quiet_.events, std::span(to_two).first(1));
  ASSERT_TRUE(db.exec("INSERT INTO old (v) VALUES ('kept')"));
  migrate(db, path_, quiet_.events, to_two);
  EXPECT_EQ(db.number("SELECT count(*) FROM new WHERE v = 'kept'"), 1);

  const std::string copy = path_ + ".before-v2";
  struct stat facts{};
  ASSERT_EQ(::stat(copy.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  Db before(copy, {.access = Db::Access::write});
  EXPECT_EQ(before.number("PRAGMA user_version"), 1);
  EXPECT_EQ(before.number("SELECT count(*) FROM old WHERE v = 'kept'"), 1);
}

TEST_F(Migrations, run_once) {
  Db db = open();
  migrate(db, path_, quiet_.events, to_two);
  migrate(db, path_, quiet_.events, to_two);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".before-v2"));
}

TEST_F(Migrations, a_step_that_fails_changes_nothing) {
  Db db = open();
  migrate(db, path_, quiet_.events, to_two);
  ASSERT_TRUE(db.exec("INSERT INTO new (v) VALUES ('kept')"));
  EXPECT_NE(why_not([&] { migrate(db, path_, quiet_.events, to_broken_three); }).find("unchanged"), std::string::npos);
  EXPECT_EQ(db.number("PRAGMA user_version"), 2);
  EXPECT_EQ(db.number("SELECT count(*) FROM sqlite_schema WHERE name = 'more'"), 0);
  EXPECT_EQ(db.number("SELECT count(*) FROM new"), 1);
  EXPECT_TRUE(std::filesystem::exists(path_ + ".before-v3"));
}

TEST_F(Migrations, a_file_from_a_newer_kith_is_refused_and_left_alone) {
  {
    const SqlStorage storage(path_, quiet_.events, quiet_.clock);
  }
  {
    ASSERT_TRUE(open().batch("PRAGMA user_version = 99"));
  }
  EXPECT_NE(why_storage_does_not_open().find("newer Kith (schema 99"), std::string::npos);
  EXPECT_EQ(open().number("PRAGMA user_version"), 99);
}

TEST_F(Migrations, somebody_elses_database_is_refused_and_left_alone) {
  {
    ASSERT_TRUE(open().batch("CREATE TABLE theirs (v TEXT)"));
  }
  EXPECT_NE(why_storage_does_not_open().find("not Kith's"), std::string::npos);
  EXPECT_EQ(open().number("SELECT count(*) FROM sqlite_schema"), 1);
}

TEST_F(Migrations, a_file_that_is_no_database_is_refused) {
  FILE* file = std::fopen(path_.c_str(), "w");
  ASSERT_NE(file, nullptr);
  for (int i = 0; i < 1000; ++i) std::fputs("This is a letter, not a database.\n", file);
  std::fclose(file);
  EXPECT_NE(why_storage_does_not_open(), "");
}

}  // namespace
}  // namespace kith::storage::sqlite
