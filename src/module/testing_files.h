// Uploads and their files in memory, for tests of features (module/testing.h). Not part of the program. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "module/testing_stores.h"
#include "storage/files.h"
#include "storage/uploads.h"

namespace kith::module::testing {

class MemoryUploads final : public storage::UploadStore {
 public:
  explicit MemoryUploads(MemoryDisk& disk) : disk_(disk) {}
  void add(const storage::UploadRecord& record, WallTime since, std::uint64_t most_bytes,
           storage::Callback<bool> then) override {
    std::uint64_t used = record.bytes;
    for (const auto& [id, other] : rows) {
      const bool counts =
          other.account == record.account && other.created > since && (other.stored || other.expires > record.created);
      if (counts) used += other.bytes;
    }
    const bool fits = used <= most_bytes;
    change(fits, [&] { rows.emplace(record.id, record); }, std::move(then));
  }
  void find(const std::string& id, storage::Callback<std::optional<storage::UploadRecord>> then) override {
    const auto found = rows.find(id);
    disk_.answer_read(std::move(then), found == rows.end() ? std::nullopt : std::optional(found->second));
  }
  void begun(const std::string& id, WallTime until, storage::Callback<bool> then) override {
    change(is_slot(id), [&] { rows.at(id).expires = until; }, std::move(then));
  }
  void stored(const std::string& id, const std::string& type, WallTime expires, storage::Callback<bool> then) override {
    change(
        is_slot(id),
        [&] {
          rows.at(id).stored = true;
          rows.at(id).type = type;
          rows.at(id).expires = expires;
        },
        std::move(then));
  }
  void remove(const std::string& id, storage::Callback<bool> then) override {
    change(rows.contains(id), [&] { rows.erase(id); }, std::move(then));
  }
  void expired(WallTime now, std::size_t most, storage::Callback<std::vector<std::string>> then) override {
    std::vector<std::string> ids;
    for (const auto& [id, row] : rows) {
      if (row.expires < now && ids.size() < most) ids.push_back(id);
    }
    disk_.answer_read(std::move(then), std::move(ids));
  }
  void list(const std::string& account, const std::string& after, std::size_t most,
            storage::Callback<std::vector<storage::UploadRecord>> then) override {
    std::vector<storage::UploadRecord> found;
    for (const auto& [id, row] : rows) {
      const bool wanted = row.stored && (account.empty() || row.account == account) && id > after;
      if (wanted && found.size() < most) found.push_back(row);
    }
    disk_.answer_read(std::move(then), std::move(found));
  }
  void usage(const std::string& account, storage::Callback<Usage> then) override {
    Usage usage;
    for (const auto& [id, row] : rows) {
      if (!row.stored || (!account.empty() && row.account != account)) continue;
      ++usage.files;
      usage.bytes += row.bytes;
    }
    disk_.answer_read(std::move(then), usage);
  }

  std::map<std::string, storage::UploadRecord> rows;

 private:
  bool is_slot(const std::string& id) const {
    const auto found = rows.find(id);
    return found != rows.end() && !found->second.stored && !found->second.account.empty();
  }
  template <class Apply>
  void change(bool happens, Apply apply, storage::Callback<bool> then) {
    const auto ticket = disk_.write([&] {
      if (happens) apply();
    });
    disk_.answer_write(ticket, std::move(then), happens);
  }

  MemoryDisk& disk_;
};

class MemoryFiles final : public storage::FileStore {
 public:
  explicit MemoryFiles(MemoryDisk& disk) : disk_(disk) {}
  void create(storage::Callback<std::unique_ptr<storage::FileWriter>> then) override {
    ++drafts;
    disk_.answer_read<std::unique_ptr<storage::FileWriter>>(std::move(then), std::make_unique<Writer>(*this));
  }
  void open(const std::string& name, storage::Callback<std::unique_ptr<storage::FileReader>> then) override {
    const auto found = files.find(name);
    std::unique_ptr<storage::FileReader> reader;
    if (found != files.end()) reader = std::make_unique<Reader>(disk_, found->second);
    disk_.answer_read(std::move(then), std::move(reader));
  }
  void remove(const std::string& name, storage::Callback<bool> then) override {
    const bool was = files.contains(name);
    const auto ticket = disk_.write([&] { files.erase(name); });
    disk_.answer_write(ticket, std::move(then), was);
  }

  std::map<std::string, std::string> files;
  int drafts = 0;  ///< files that are being written

 private:
  class Writer final : public storage::FileWriter {
   public:
    explicit Writer(MemoryFiles& store) : store_(store) {}
    ~Writer() override { --store_.drafts; }
    void write(std::string bytes, storage::Callback<bool> then) override {
      const auto ticket = store_.disk_.write([&] { text_ += bytes; });
      store_.disk_.answer_write(ticket, std::move(then), true);
    }
    void keep(const std::string& name, storage::Callback<bool> then) override {
      bool fresh = false;
      const auto ticket = store_.disk_.write([&] { fresh = store_.files.emplace(name, text_).second; });
      store_.disk_.answer_write(ticket, std::move(then), fresh);
    }

   private:
    MemoryFiles& store_;
    std::string text_;
  };
  class Reader final : public storage::FileReader {
   public:
    Reader(MemoryDisk& disk, std::string text) : disk_(disk), text_(std::move(text)) {}
    std::uint64_t size() const override { return text_.size(); }
    void read(std::uint64_t offset, std::size_t most, storage::Callback<std::string> then) override {
      disk_.answer_read(std::move(then), text_.substr(std::min<std::uint64_t>(offset, text_.size()), most));
    }

   private:
    MemoryDisk& disk_;
    const std::string text_;
  };

  MemoryDisk& disk_;
};

}  // namespace kith::module::testing
