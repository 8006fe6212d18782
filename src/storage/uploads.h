// What people have uploaded (XEP-0363), without the files themselves (storage/files.h): a row for each slot that was
// given out, which becomes that of the file when it is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/storage.h"

namespace kith::storage {

struct UploadRecord {
  std::string id;         ///< nobody can guess it; the file's name in the FileStore
  std::string account{};  ///< a bare JID; empty: it was removed, and the file goes soon
  std::string name{};     ///< what its owner calls the file
  std::string type{};     ///< its content type, or empty
  std::string purpose{};  ///< "message", "profile", "ephemeral"
  std::uint64_t bytes = 0;
  WallTime created{};                        ///< when the slot was given out
  WallTime expires{};                        ///< of the slot, and of the file once it is there
  WallTime expire_before = WallTime::max();  ///< what its owner wants, whatever is usual
  bool stored = false;
};

class UploadStore {
 public:
  virtual ~UploadStore() = default;
  /// A new slot. `then` gets false if the account has had more than `most_bytes` since `since`, this one included; what
  /// was given out, not used and is over by now (`record.created`) does not count.
  virtual void add(const UploadRecord& record, WallTime since, std::uint64_t most_bytes, Callback<bool> then) = 0;
  virtual void find(const std::string& id, Callback<std::optional<UploadRecord>> then) = 0;
  /// Somebody puts the file: the slot stays until `until`. False if it is no more, or was used.
  virtual void begun(const std::string& id, WallTime until, Callback<bool> then) = 0;
  /// The file is there, of this type, until `expires`. False if the slot is no more, or was used.
  virtual void stored(const std::string& id, const std::string& type, WallTime expires, Callback<bool> then) = 0;
  /// False if there was none.
  virtual void remove(const std::string& id, Callback<bool> then) = 0;
  /// At most `most` that have expired before `now`, the oldest first; those whose account is gone expired long ago.
  virtual void expired(WallTime now, std::size_t most, Callback<std::vector<std::string>> then) = 0;
  /// The files of an account (of all, if it is empty) behind the id `after`, in the order of their ids.
  virtual void list(const std::string& account, const std::string& after, std::size_t most,
                    Callback<std::vector<UploadRecord>> then) = 0;
  struct Usage {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
  };
  /// Of an account, or of all if it is empty.
  virtual void usage(const std::string& account, Callback<Usage> then) = 0;
};

}  // namespace kith::storage
