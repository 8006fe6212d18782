// What was uploaded, in SQL: a row for each slot and file.
#pragma once

#include "storage/sqlite/shard_access.h"
#include "storage/uploads.h"

namespace kith::storage::sqlite {

class UploadSql final : public UploadStore {
 public:
  explicit UploadSql(ShardAccess& access) : access_(access) {}
  void add(const UploadRecord& record, WallTime since, std::uint64_t most_bytes, Callback<bool> then) override;
  void find(const std::string& id, Callback<std::optional<UploadRecord>> then) override;
  void begun(const std::string& id, WallTime until, Callback<bool> then) override;
  void stored(const std::string& id, const std::string& type, WallTime expires, Callback<bool> then) override;
  void remove(const std::string& id, Callback<bool> then) override;
  void expired(WallTime now, std::size_t most, Callback<std::vector<std::string>> then) override;
  void list(const std::string& account, const std::string& after, std::size_t most,
            Callback<std::vector<UploadRecord>> then) override;
  void usage(const std::string& account, Callback<Usage> then) override;

 private:
  ShardAccess& access_;
};

}  // namespace kith::storage::sqlite
