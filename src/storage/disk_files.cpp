#include "storage/disk_files.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kith::storage {

namespace {

StorageError error_now() {
  return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? StorageError::full : StorageError::unavailable;
}

/// A descriptor that closes itself when the last that uses it has gone.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

std::string place_of(const std::string& directory, const std::string& name) {
  return directory + "/" + name.substr(0, 2) + "/" + name;
}

/// What was renamed must be found after a power cut.
bool sync_directory(const std::string& directory) {
  const File handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return handle.get() >= 0 && ::fsync(handle.get()) == 0;
}

/// Runs `job` on a worker and `then` with what it returns on the shard.
template <class T, class Job>
void run_on_worker(const RunFileJob& run, Executor& shard, Job job, Callback<T> then) {
  const auto answer = std::make_shared<Callback<T>>(std::move(then));
  const bool taken = run([&shard, job = std::move(job), answer]() mutable {
    auto result = std::make_shared<Result<T>>(job());
    shard.post([answer, result]() { (*answer)(std::move(*result)); });
  });
  if (!taken) shard.post([answer] { (*answer)(std::unexpected(StorageError::unavailable)); });
}

/// A file without its name yet; its temporary one goes with it.
struct Draft {
  Draft(std::string place, int descriptor) : path(std::move(place)), file(descriptor) {}
  ~Draft() { ::unlink(path.c_str()); }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  const std::string path;
  const File file;
};

Result<bool> write_all(const Draft& draft, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(draft.file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return std::unexpected(error_now());
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Result<bool> keep(const Draft& draft, const std::string& directory, const std::string& name) {
  if (::fsync(draft.file.get()) != 0) return std::unexpected(error_now());
  const std::string place = place_of(directory, name);
  const std::string folder = directory + "/" + name.substr(0, 2);
  if (::mkdir(folder.c_str(), S_IRWXU) == 0) {
    if (!sync_directory(directory)) return std::unexpected(error_now());
  } else if (errno != EEXIST) {
    return std::unexpected(error_now());
  }
  // link() and not rename(): of two that want the same name, one gets it.
  if (::link(draft.path.c_str(), place.c_str()) != 0) {
    if (errno == EEXIST) return false;
    return std::unexpected(error_now());
  }
  if (!sync_directory(folder)) return std::unexpected(error_now());
  return true;
}

class DiskWriter final : public FileWriter {
 public:
  DiskWriter(Executor& shard, RunFileJob run, std::string directory, std::shared_ptr<Draft> draft)
      : shard_(shard), run_(std::move(run)), directory_(std::move(directory)), draft_(std::move(draft)) {}
  ~DiskWriter() override {
    // Closing and removing a large file takes its time.
    static_cast<void>(run_([draft = std::move(draft_)] {}));
  }
  void write(std::string bytes, Callback<bool> then) override {
    run_on_worker<bool>(
        run_, shard_, [draft = draft_, bytes = std::move(bytes)] { return write_all(*draft, bytes); }, std::move(then));
  }
  void keep(const std::string& name, Callback<bool> then) override {
    if (!is_file_name(name)) return shard_.post([then = std::move(then)]() mutable { then(false); });
    run_on_worker<bool>(
        run_, shard_, [draft = draft_, directory = directory_, name] { return storage::keep(*draft, directory, name); },
        std::move(then));
  }

 private:
  Executor& shard_;
  RunFileJob run_;
  const std::string directory_;
  std::shared_ptr<Draft> draft_;
};

class DiskReader final : public FileReader {
 public:
  DiskReader(Executor& shard, RunFileJob run, std::shared_ptr<File> file, std::uint64_t size)
      : shard_(shard), run_(std::move(run)), file_(std::move(file)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  void read(std::uint64_t offset, std::size_t most, Callback<std::string> then) override {
    run_on_worker<std::string>(
        run_, shard_,
        [file = file_, offset, most]() -> Result<std::string> {
          std::string bytes(most, '\0');
          std::size_t got = 0;
          while (got < most) {
            const ssize_t read = ::pread(file->get(), bytes.data() + got, most - got, static_cast<off_t>(offset + got));
            if (read < 0 && errno == EINTR) continue;
            if (read < 0) return std::unexpected(error_now());
            if (read == 0) break;
            got += static_cast<std::size_t>(read);
          }
          bytes.resize(got);
          return bytes;
        },
        std::move(then));
  }

 private:
  Executor& shard_;
  RunFileJob run_;
  std::shared_ptr<File> file_;
  const std::uint64_t size_;
};

}  // namespace

bool is_file_name(const std::string& name) {
  return name.size() >= 4 && name.size() <= 200 && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

void prepare_file_directory(const std::string& directory) {
  const std::string drafts = directory + "/tmp";
  std::error_code error;
  for (const std::string& place : {directory, drafts}) {
    if (::mkdir(place.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
      throw std::runtime_error("Cannot make the directory " + place + " for uploaded files (" +
                               std::generic_category().message(errno) + ").");
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(drafts, error)) {
    std::filesystem::remove(entry.path(), error);
  }
  if (error) throw std::runtime_error("Cannot clear " + drafts + " (" + error.message() + ").");
}

void DiskFiles::create(Callback<std::unique_ptr<FileWriter>> then) {
  run_on_worker<std::unique_ptr<FileWriter>>(
      run_, shard_,
      [this, path = directory_ + "/tmp/" + random_.token(16)]() -> Result<std::unique_ptr<FileWriter>> {
        const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (descriptor < 0) return std::unexpected(error_now());
        return std::make_unique<DiskWriter>(shard_, run_, directory_, std::make_shared<Draft>(path, descriptor));
      },
      std::move(then));
}

void DiskFiles::open(const std::string& name, Callback<std::unique_ptr<FileReader>> then) {
  if (!is_file_name(name)) return shard_.post([then = std::move(then)]() mutable { then(nullptr); });
  run_on_worker<std::unique_ptr<FileReader>>(
      run_, shard_,
      [this, path = place_of(directory_, name)]() -> Result<std::unique_ptr<FileReader>> {
        auto file = std::make_shared<File>(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        struct stat status{};
        if (file->get() < 0 && errno == ENOENT) return nullptr;
        if (file->get() < 0 || ::fstat(file->get(), &status) != 0) return std::unexpected(error_now());
        if (!S_ISREG(status.st_mode)) return nullptr;
        return std::make_unique<DiskReader>(shard_, run_, std::move(file), static_cast<std::uint64_t>(status.st_size));
      },
      std::move(then));
}

void DiskFiles::remove(const std::string& name, Callback<bool> then) {
  if (!is_file_name(name)) return shard_.post([then = std::move(then)]() mutable { then(false); });
  run_on_worker<bool>(
      run_, shard_,
      [path = place_of(directory_, name)]() -> Result<bool> {
        if (::unlink(path.c_str()) == 0) return true;
        if (errno == ENOENT) return false;
        return std::unexpected(error_now());
      },
      std::move(then));
}

}  // namespace kith::storage
