// One SQLite connection: exec, query, batch. Statements are prepared once and kept; their text is a constant of the
// program (Sql cannot be made at run time), so that nothing from outside ever becomes SQL.
// One thread at a time. SQLite's error codes become StorageError here and nowhere else.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <sqlite3.h>

#include "storage/storage.h"

namespace kith::storage::sqlite {

/// The database cannot be opened or brought up to date. Thrown at start-up only; the text is for the administrator.
class Unusable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// SQL text that is known at compile time. SECURITY: text put together at run time does not compile.
class Sql {
 public:
  consteval Sql(const char* text) : text_(text) {}  // NOLINT(google-explicit-constructor): written in place
  const char* text() const { return text_; }

 private:
  const char* text_;
};

/// Bytes that are no text: keys and salts.
struct Blob {
  std::string_view bytes;
};

/// The row under the cursor. What it gives is valid inside the callback only.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  /// Text or blob; empty for null.
  std::string_view bytes(int column) const;
  std::string text(int column) const { return std::string(bytes(column)); }
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

 private:
  sqlite3_stmt* statement_;
};

class Db {
 public:
  enum class Access { read, write, create };
  struct Options {
    Access access = Access::read;
    std::chrono::milliseconds busy_timeout{2000};  ///< how long a locked database is waited for
    std::string vfs{};                             ///< another of SQLite's file layers, for tests; empty: the usual one
  };

  /// `path` may be ":memory:". Throws Unusable.
  Db(const std::string& path, const Options& options);
  ~Db();
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  /// Runs one statement that gives no rows (or whose rows do not matter); gives the number of rows it changed.
  template <class... Args>
  Result<std::uint64_t> exec(Sql sql, const Args&... args) {
    Cursor cursor(*this, sql);
    if (!cursor.bind_all(args...)) return std::unexpected(error());
    while (cursor.step()) {
    }
    if (!cursor.good()) return std::unexpected(error());
    return static_cast<std::uint64_t>(sqlite3_changes64(handle_));
  }
  /// Runs one statement and calls `each` with each of its rows.
  template <class Each, class... Args>
    requires std::invocable<Each&, const Row&>
  Result<void> query(Sql sql, Each&& each, const Args&... args) {
    Cursor cursor(*this, sql);
    if (!cursor.bind_all(args...)) return std::unexpected(error());
    while (cursor.step()) each(Row(cursor.statement()));
    if (!cursor.good()) return std::unexpected(error());
    return {};
  }
  /// Runs several statements without parameters: a schema.
  Result<void> batch(Sql script);
  /// The first column of the first row of a query without parameters.
  Result<std::int64_t> number(Sql sql);

  /// False also when SQLite has rolled a transaction back by itself, as it does on some errors.
  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  /// What went wrong last.
  StorageError error() const;
  /// The same in SQLite's words (a constant of the library: no path, no data).
  std::string error_words() const;
  sqlite3* handle() { return handle_; }

 private:
  /// One run of a kept statement: bound, stepped, and reset when it goes.
  class Cursor {
   public:
    Cursor(Db& db, Sql sql);
    ~Cursor();
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;
    template <class... Args>
    bool bind_all(const Args&... args) {
      if (statement_ == nullptr) return false;
      int index = 0;
      return (bind(++index, args) && ...);
    }
    bool step();
    bool good() const { return good_; }
    sqlite3_stmt* statement() { return statement_; }

   private:
    bool bind(int index, std::string_view text);
    bool bind(int index, Blob blob);
    bool bind(int index, std::nullptr_t);
    template <std::integral T>
    bool bind(int index, T number) {
      return bind_number(index, static_cast<std::int64_t>(number));
    }
    bool bind_number(int index, std::int64_t number);
    Db& db_;
    sqlite3_stmt* statement_;
    bool good_ = true;
  };
  sqlite3_stmt* prepared(Sql sql);
  void note_error();
  bool out_of_room(int which_file);

  sqlite3* handle_ = nullptr;
  int code_ = SQLITE_OK;
  bool out_of_room_ = false;  // the system's reason for an I/O error was a lack of room
  // The key is the address of the constant: as many entries as the program has statements.
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

/// Several reads that see one state of the database.
class ReadTransaction {
 public:
  explicit ReadTransaction(Db& db) : db_(db) { open_ = !db_.in_transaction() && db_.exec("BEGIN").has_value(); }
  ~ReadTransaction() {
    if (open_) static_cast<void>(db_.exec("COMMIT"));
  }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Db& db_;
  bool open_;
};

}  // namespace kith::storage::sqlite
