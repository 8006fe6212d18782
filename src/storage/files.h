// Files that are too large for memory, as people upload them: written and read in pieces, on other threads than the
// shards'. A file appears under its name when it is complete and on the disk, or never; what was begun and not kept
// leaves nothing, also after a crash. Each shard has its own FileStore; answers come on it, never from inside the call.
//
// Names are the caller's own ("a1b2…"): letters, digits, - and _, at least four of them, nothing else is a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/executor.h"
#include "storage/storage.h"

namespace kith::storage {

/// A file that is being written. Destroyed without keep(): nothing stays of it.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  /// Appends. One call at a time; `then` may be answered after the writer has gone.
  virtual void write(std::string bytes, Callback<bool> then) = 0;
  /// Puts it on the disk under its name; false if there is one of that name already. The last call.
  virtual void keep(const std::string& name, Callback<bool> then) = 0;
};

/// A file as it is. Holds it, also when its name is removed.
class FileReader {
 public:
  virtual ~FileReader() = default;
  virtual std::uint64_t size() const = 0;
  /// At most `most` bytes from `offset` on; fewer only at the end.
  virtual void read(std::uint64_t offset, std::size_t most, Callback<std::string> then) = 0;
};

class FileStore {
 public:
  virtual ~FileStore() = default;
  virtual void create(Callback<std::unique_ptr<FileWriter>> then) = 0;
  /// Null if there is none.
  virtual void open(const std::string& name, Callback<std::unique_ptr<FileReader>> then) = 0;
  /// True if there was one.
  virtual void remove(const std::string& name, Callback<bool> then) = 0;
};

bool is_file_name(const std::string& name);

/// Where there is no place for files.
class NoFiles final : public FileStore {
 public:
  explicit NoFiles(Executor& shard) : shard_(shard) {}
  void create(Callback<std::unique_ptr<FileWriter>> then) override { refuse(std::move(then)); }
  void open(const std::string& name, Callback<std::unique_ptr<FileReader>> then) override {
    static_cast<void>(name);
    refuse(std::move(then));
  }
  void remove(const std::string& name, Callback<bool> then) override {
    static_cast<void>(name);
    refuse(std::move(then));
  }

 private:
  template <class T>
  void refuse(Callback<T> then) {
    shard_.post([then = std::move(then)]() mutable { then(std::unexpected(StorageError::unavailable)); });
  }
  Executor& shard_;
};

}  // namespace kith::storage
