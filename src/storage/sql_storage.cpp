#include "storage/sql_storage.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/sqlite/account_sql.h"
#include "storage/sqlite/archive_index.h"
#include "storage/sqlite/archive_sql.h"
#include "storage/sqlite/blocked_server_sql.h"
#include "storage/sqlite/document_sql.h"
#include "storage/sqlite/load_sql.h"
#include "storage/sqlite/migrations.h"
#include "storage/sqlite/offline_sql.h"
#include "storage/sqlite/outbound_sql.h"
#include "storage/sqlite/pubsub_sql.h"
#include "storage/sqlite/push_log_sql.h"
#include "storage/sqlite/read_pool.h"
#include "storage/sqlite/room_sql.h"
#include "storage/sqlite/roster_sql.h"
#include "storage/sqlite/session_sql.h"
#include "storage/sqlite/shard_access.h"
#include "storage/sqlite/token_sql.h"
#include "storage/sqlite/upload_sql.h"

namespace kith::storage {

namespace {

using sqlite::Db;
using sqlite::Unusable;

constexpr std::string_view memory_path = ":memory:";

std::string reason() { return std::strerror(errno); }  // NOLINT(concurrency-mt-unsafe): start-up, one thread

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Holds PATH.lock for as long as it lives: two servers on one database would give out the same tickets and presences.
class FileLock {
 public:
  explicit FileLock(const std::string& path)
      : fd_(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR)) {
    if (fd_.get() < 0) throw Unusable("cannot make " + path + ".lock: " + reason());
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0)
      throw Unusable("the database " + path + " is in use by another Kith");
  }

 private:
  FileDescriptor fd_;
};

void make_directory(const std::filesystem::path& directory) {
  if (directory.empty() || std::filesystem::exists(directory)) return;
  // From the top down, so that each one made here is the owner's alone from the start.
  std::filesystem::path so_far;
  for (const std::filesystem::path& part : directory) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), S_IRWXU) != 0 && errno != EEXIST)
      throw Unusable("cannot make the directory " + so_far.string() + ": " + reason());
  }
}

// SECURITY: SQLite gives the WAL and the other files beside the database its mode, so it is set before SQLite sees it.
void make_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file.get() < 0) throw Unusable("cannot open the database " + path + ": " + reason());
  if (::fchmod(file.get(), S_IRUSR | S_IWUSR) != 0) throw Unusable("cannot set the mode of " + path + ": " + reason());
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const FileDescriptor directory(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // The name must outlast a power cut as the commits do.
  if (directory.get() >= 0) static_cast<void>(::fsync(directory.get()));
}

void must(const Result<void>& done, const Db& db, const std::string& path) {
  if (!done) throw Unusable("cannot set up the database " + path + ": " + db.error_words());
}

void set_up_writer(Db& db, const std::string& path) {
  // FULL: each commit is synchronised with the disk before it counts. Memory-mapping stays off: a read error would be
  // a signal. A WAL that a long read let grow is cut back to 64 MiB.
  // OPTIMIZATION: pages that are written again and again are copied from the WAL once for many commits (32 MiB), and
  // the cache (16 MiB, taken as it is needed) has room for them.
  must(db.batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;"
                "PRAGMA wal_autocheckpoint = 8192; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA "
                "cell_size_check = ON;"),
       db, path);
  std::string mode;
  must(db.query("PRAGMA journal_mode", [&](const sqlite::Row& row) { mode = row.text(0); }), db, path);
  if (path != memory_path && mode != "wal")
    throw Unusable("the database " + path + " cannot be put into WAL mode; is it on a network file system?");
}

}  // namespace

struct SqlStorage::Parts {
  Parts(const std::string& path, Events& the_events, const Clock& clock, const Options& options)
      : events(the_events), archive_index(std::make_shared<sqlite::ArchiveIndex>(options.indexed_together)) {
    const bool in_memory = path == memory_path;
    if (in_memory && options.mode == Mode::threads) throw Unusable("a database in memory has no readers");
    if (!in_memory) {
      make_directory(std::filesystem::path(path).parent_path());
      lock.emplace(path);
      make_file(path);
    }
    writer.emplace(path,
                   Db::Options{.access = Db::Access::create, .busy_timeout = options.busy_timeout, .vfs = options.vfs});
    set_up_writer(*writer, path);
    sqlite::migrate(*writer, path, events);
    const Result<void> indexed = archive_index->catch_up(*writer);
    const Result<std::int64_t> last =
        writer->number("SELECT max(indexed, removed, coalesce((SELECT max(id) FROM archive), 0)) FROM archive_marks");
    if (!indexed || !last) throw Unusable("cannot read the database " + path + ": " + writer->error_words());
    archive_ids.start_above(static_cast<std::uint64_t>(*last));
    const Result<std::int64_t> outbound = writer->number("SELECT coalesce(max(id), 0) FROM outbound");
    if (!outbound) throw Unusable("cannot read the database " + path + ": " + writer->error_words());
    outbound_ids.start_above(static_cast<std::uint64_t>(*outbound));
    if (options.mode == Mode::immediate) {
      reads.emplace(*writer);
    } else {
      std::vector<std::unique_ptr<Db>> readers;
      for (unsigned i = 0; i < std::max(options.readers, 1U); ++i) {
        readers.push_back(std::make_unique<Db>(
            path, Db::Options{.access = Db::Access::read, .busy_timeout = options.busy_timeout, .vfs = options.vfs}));
      }
      reads.emplace(std::move(readers));
    }
    writes.emplace(
        *writer,
        options.mode == Mode::immediate ? sqlite::CommitQueue::Mode::immediate : sqlite::CommitQueue::Mode::thread,
        options.queue, events, clock, [this](Ticket decided) { reads->release(decided); });
  }
  // The writer first: its last commits let the last reads go.
  ~Parts() {
    writes->stop();
    reads.reset();
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  Events& events;
  std::optional<FileLock> lock;
  std::optional<Db> writer;
  sqlite::ArchiveIds archive_ids;
  std::shared_ptr<sqlite::ArchiveIndex> archive_index;
  sqlite::OutboundIds outbound_ids;
  std::optional<sqlite::ReadPool> reads;
  std::optional<sqlite::CommitQueue> writes;
};

namespace {

class SqlShardStores final : public ShardStores {
 public:
  SqlShardStores(Executor& shard, sqlite::CommitQueue& writes, sqlite::ReadPool& reads, sqlite::ArchiveIds& archive_ids,
                 const std::shared_ptr<sqlite::ArchiveIndex>& archive_index, sqlite::OutboundIds& outbound_ids,
                 Events& events)
      : access_(shard, writes, reads, events),
        accounts_(access_, *archive_index),
        archive_(access_, archive_ids, archive_index),
        rooms_(access_, *archive_index),
        outbound_(access_, outbound_ids) {}
  Stores stores() override {
    return {.accounts = accounts_,
            .rosters = rosters_,
            .offline = offline_,
            .documents = documents_,
            .archive = archive_,
            .sessions = sessions_,
            .tokens = tokens_,
            .pubsub = pubsub_,
            .rooms = rooms_,
            .push_log = push_log_,
            .outbound = outbound_,
            .blocked_servers = blocked_servers_,
            .loads = loads_,
            .uploads = uploads_};
  }

 private:
  sqlite::ShardAccess access_;
  sqlite::AccountSql accounts_;
  sqlite::RosterSql rosters_{access_};
  sqlite::OfflineSql offline_{access_};
  sqlite::DocumentSql documents_{access_};
  sqlite::ArchiveSql archive_;
  sqlite::SessionSql sessions_{access_};
  sqlite::TokenSql tokens_{access_};
  sqlite::PubsubSql pubsub_{access_};
  sqlite::RoomSql rooms_;
  sqlite::PushLogSql push_log_{access_};
  sqlite::OutboundSql outbound_;
  sqlite::BlockedServerSql blocked_servers_{access_};
  sqlite::LoadSql loads_{access_};
  sqlite::UploadSql uploads_{access_};
};

}  // namespace

SqlStorage::SqlStorage(const std::string& path, Events& events, const Clock& clock, Options options)
    : parts_(std::make_unique<Parts>(path, events, clock, options)) {}
SqlStorage::~SqlStorage() = default;

std::unique_ptr<ShardStores> SqlStorage::make_stores(Executor& shard) {
  return std::make_unique<SqlShardStores>(shard, *parts_->writes, *parts_->reads, parts_->archive_ids,
                                          parts_->archive_index, parts_->outbound_ids, parts_->events);
}
const CommitLog& SqlStorage::commit_log() const { return parts_->writes->log(); }
void SqlStorage::on_decided(Executor& shard, std::function<void()> tell) {
  parts_->writes->listen(shard, std::move(tell));
}
void SqlStorage::forget(const Executor& shard) { parts_->writes->forget(shard); }
void SqlStorage::drain() {
  parts_->writes->drain();
  parts_->reads->drain();
}
void SqlStorage::hold_commits(bool held) { parts_->writes->hold(held); }
void SqlStorage::commit_now() { parts_->writes->commit_now(); }
void SqlStorage::fail_next(std::size_t count, StorageError error) { parts_->writes->fail_next(count, error); }
void SqlStorage::fail_next_reads(std::size_t count) { parts_->reads->fail_next(count); }
void SqlStorage::defer() {
  parts_->writes->hold(true);
  parts_->reads->hold();
}
std::size_t SqlStorage::writes_gathered() const { return parts_->writes->gathered(); }
std::size_t SqlStorage::reads_ready() const { return parts_->reads->ready(); }
void SqlStorage::commit_group(std::size_t most) { parts_->writes->commit_group(most); }
void SqlStorage::read_one() { parts_->reads->read_one(); }
void SqlStorage::abandon() {
  parts_->writes->abandon();
  parts_->reads->abandon();
}

}  // namespace kith::storage
