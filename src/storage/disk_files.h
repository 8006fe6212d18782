// Files in a directory: DIRECTORY/ab/abcd… once they are complete, DIRECTORY/tmp/… before. All work that may wait for
// the disk runs on workers.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/executor.h"
#include "base/random.h"
#include "storage/files.h"

namespace kith::storage {

/// Runs a job on some worker; false if too many wait already. Any thread.
using RunFileJob = std::function<bool(Task job)>;

/// Makes the directory (mode 0700) and removes what a former run has left unfinished in it. Throws std::runtime_error,
/// with a sentence for the administrator, if it cannot be used. At the start, before any DiskFiles.
void prepare_file_directory(const std::string& directory);

/// For one shard.
class DiskFiles final : public FileStore {
 public:
  DiskFiles(Executor& shard, Random& random, RunFileJob run, std::string directory)
      : shard_(shard), random_(random), run_(std::move(run)), directory_(std::move(directory)) {}

  void create(Callback<std::unique_ptr<FileWriter>> then) override;
  void open(const std::string& name, Callback<std::unique_ptr<FileReader>> then) override;
  void remove(const std::string& name, Callback<bool> then) override;

 private:
  Executor& shard_;
  Random& random_;
  RunFileJob run_;
  const std::string directory_;
};

}  // namespace kith::storage
