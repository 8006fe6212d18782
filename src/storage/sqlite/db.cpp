#include "storage/sqlite/db.h"

#include <cerrno>

namespace kith::storage::sqlite {

std::string_view Row::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Db::Db(const std::string& path, const Options& options) {
  // Each connection stays on one thread at a time, so SQLite needs no mutex of its own around it.
  int flags = SQLITE_OPEN_NOMUTEX;
  switch (options.access) {
    case Access::read:
      flags |= SQLITE_OPEN_READONLY;
      break;
    case Access::write:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case Access::create:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
  }
  const int code = sqlite3_open_v2(path.c_str(), &handle_, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
  if (code != SQLITE_OK) {
    sqlite3_close_v2(handle_);
    throw Unusable("cannot open the database " + path + ": " + sqlite3_errstr(code));
  }
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, static_cast<int>(options.busy_timeout.count()));
  // SECURITY: a database file that somebody else prepared must not make SQLite run functions or overwrite its own
  // pages.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

Db::~Db() {
  for (const auto& [text, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

sqlite3_stmt* Db::prepared(Sql sql) {
  const auto found = statements_.find(sql.text());
  if (found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.text(), -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    note_error();
    sqlite3_finalize(statement);
    return nullptr;
  }
  statements_.emplace(sql.text(), statement);
  return statement;
}

void Db::note_error() {
  code_ = sqlite3_extended_errcode(handle_);
  out_of_room_ = (code_ & 0xff) == SQLITE_IOERR &&
                 (out_of_room(SQLITE_FCNTL_FILE_POINTER) || out_of_room(SQLITE_FCNTL_JOURNAL_POINTER));
}

// SQLite calls only ENOSPC full; a quota and a limit on the size of files are the same to us. The file itself knows
// what the system said (the connection's sqlite3_system_errno is overwritten on the way).
bool Db::out_of_room(int which_file) {
  sqlite3_file* file = nullptr;
  int system_error = 0;
  if (sqlite3_file_control(handle_, "main", which_file, &file) != SQLITE_OK) return false;
  if (file == nullptr || file->pMethods == nullptr) return false;
  if (file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &system_error) != SQLITE_OK) return false;
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

StorageError Db::error() const {
  switch (code_ & 0xff) {
    case SQLITE_FULL:
      return StorageError::full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return StorageError::corrupt;
    case SQLITE_IOERR:
      return out_of_room_ ? StorageError::full : StorageError::unavailable;
    default:
      return StorageError::unavailable;
  }
}

std::string Db::error_words() const { return sqlite3_errstr(code_); }

Result<void> Db::batch(Sql script) {
  if (sqlite3_exec(handle_, script.text(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    note_error();
    return std::unexpected(error());
  }
  return {};
}

Result<std::int64_t> Db::number(Sql sql) {
  std::optional<std::int64_t> first;
  const Result<void> done = query(sql, [&](const Row& row) {
    if (!first) first = row.integer(0);
  });
  if (!done) return std::unexpected(done.error());
  return first.value_or(0);
}

Db::Cursor::Cursor(Db& db, Sql sql) : db_(db), statement_(db.prepared(sql)) {}

Db::Cursor::~Cursor() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  // What was bound lies in the caller's memory, which is about to go.
  sqlite3_clear_bindings(statement_);
}

bool Db::Cursor::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    db_.note_error();
    good_ = false;
  }
  return false;
}

bool Db::Cursor::bind(int index, std::string_view text) {
  // A null pointer would be bound as NULL, and an empty text is not that.
  const char* data = text.data() == nullptr ? "" : text.data();
  if (sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK) return true;
  db_.note_error();
  return false;
}

bool Db::Cursor::bind(int index, Blob blob) {
  const char* data = blob.bytes.data() == nullptr ? "" : blob.bytes.data();
  if (sqlite3_bind_blob64(statement_, index, data, blob.bytes.size(), SQLITE_STATIC) == SQLITE_OK) return true;
  db_.note_error();
  return false;
}

bool Db::Cursor::bind(int index, std::nullptr_t) {
  if (sqlite3_bind_null(statement_, index) == SQLITE_OK) return true;
  db_.note_error();
  return false;
}

bool Db::Cursor::bind_number(int index, std::int64_t number) {
  if (sqlite3_bind_int64(statement_, index, number) == SQLITE_OK) return true;
  db_.note_error();
  return false;
}

}  // namespace kith::storage::sqlite
