// A file layer for tests: SQLite's usual one, with writes and synchronisations that fail when a test says so.
#pragma once

#include <atomic>
#include <string>

#include <sqlite3.h>

namespace kith::storage::sqlite {

class FaultyVfs {
 public:
  /// Registered under `name` as long as it lives; databases are opened with that name as their vfs.
  explicit FaultyVfs(std::string name) : name_(std::move(name)), real_(sqlite3_vfs_find(nullptr)) {
    vfs_ = *real_;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.xOpen = open;
    // The others get the real layer's own structure, since they look into pAppData.
    vfs_.xDelete = [](sqlite3_vfs* v, const char* path, int sync) { return real(v)->xDelete(real(v), path, sync); };
    vfs_.xAccess = [](sqlite3_vfs* v, const char* path, int flags, int* out) {
      return real(v)->xAccess(real(v), path, flags, out);
    };
    vfs_.xFullPathname = [](sqlite3_vfs* v, const char* path, int size, char* out) {
      return real(v)->xFullPathname(real(v), path, size, out);
    };
    sqlite3_vfs_register(&vfs_, 0);
  }
  ~FaultyVfs() { sqlite3_vfs_unregister(&vfs_); }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  /// The `nth` call from now on that changes a file fails with `code`; with `forever`, all that follow, too.
  void fail(int nth, int code, bool forever) {
    calls_ = 0;
    fail_at_ = nth;
    code_ = code;
    forever_ = forever;
  }
  void heal() { fail_at_ = 0; }
  /// Synchronising counts and may fail, but does not wait for the disk: for tests that never cut the power.
  void skip_syncs() { skip_syncs_ = true; }
  /// Changing calls since fail().
  int calls() const { return calls_; }

 private:
  struct File {
    sqlite3_file base;
    FaultyVfs* vfs;
    sqlite3_file* real;
  };
  static sqlite3_vfs* real(sqlite3_vfs* v) { return static_cast<FaultyVfs*>(v->pAppData)->real_; }
  static File* file(sqlite3_file* f) { return reinterpret_cast<File*>(f); }
  static sqlite3_file* under(sqlite3_file* f) { return file(f)->real; }

  bool faulty() {
    const int call = ++calls_;
    const int at = fail_at_;
    return at > 0 && (call == at || (forever_ && call > at));
  }
  static int guarded(sqlite3_file* f) {
    FaultyVfs& vfs = *file(f)->vfs;
    return vfs.faulty() ? vfs.code_.load() : SQLITE_OK;
  }

  static int open(sqlite3_vfs* v, const char* path, sqlite3_file* f, int flags, int* out_flags) {
    File* const mine = file(f);
    mine->base.pMethods = nullptr;
    mine->vfs = static_cast<FaultyVfs*>(v->pAppData);
    mine->real = reinterpret_cast<sqlite3_file*>(mine + 1);
    const int code = real(v)->xOpen(real(v), path, mine->real, flags, out_flags);
    if (mine->real->pMethods != nullptr) mine->base.pMethods = methods();
    return code;
  }

  static const sqlite3_io_methods* methods() {
    using F = sqlite3_file;
    static const sqlite3_io_methods table = {
        .iVersion = 2,
        .xClose = [](F* f) { return under(f)->pMethods->xClose(under(f)); },
        .xRead = [](F* f, void* to, int n, sqlite3_int64 at) { return under(f)->pMethods->xRead(under(f), to, n, at); },
        .xWrite =
            [](F* f, const void* from, int n, sqlite3_int64 at) {
              if (const int code = guarded(f); code != SQLITE_OK) return code;
              return under(f)->pMethods->xWrite(under(f), from, n, at);
            },
        .xTruncate =
            [](F* f, sqlite3_int64 size) {
              if (const int code = guarded(f); code != SQLITE_OK) return code;
              return under(f)->pMethods->xTruncate(under(f), size);
            },
        .xSync =
            [](F* f, int flags) {
              if (const int code = guarded(f); code != SQLITE_OK || file(f)->vfs->skip_syncs_) return code;
              return under(f)->pMethods->xSync(under(f), flags);
            },
        .xFileSize = [](F* f, sqlite3_int64* size) { return under(f)->pMethods->xFileSize(under(f), size); },
        .xLock = [](F* f, int level) { return under(f)->pMethods->xLock(under(f), level); },
        .xUnlock = [](F* f, int level) { return under(f)->pMethods->xUnlock(under(f), level); },
        .xCheckReservedLock = [](F* f, int* out) { return under(f)->pMethods->xCheckReservedLock(under(f), out); },
        .xFileControl = [](F* f, int op, void* arg) { return under(f)->pMethods->xFileControl(under(f), op, arg); },
        .xSectorSize = [](F* f) { return under(f)->pMethods->xSectorSize(under(f)); },
        .xDeviceCharacteristics = [](F* f) { return under(f)->pMethods->xDeviceCharacteristics(under(f)); },
        .xShmMap = [](F* f, int page, int size, int extend,
                      void volatile** out) { return under(f)->pMethods->xShmMap(under(f), page, size, extend, out); },
        .xShmLock = [](F* f, int offset, int n,
                       int flags) { return under(f)->pMethods->xShmLock(under(f), offset, n, flags); },
        .xShmBarrier = [](F* f) { under(f)->pMethods->xShmBarrier(under(f)); },
        .xShmUnmap = [](F* f, int remove) { return under(f)->pMethods->xShmUnmap(under(f), remove); },
        .xFetch = nullptr,
        .xUnfetch = nullptr,
    };
    return &table;
  }

  std::string name_;
  sqlite3_vfs* real_;
  sqlite3_vfs vfs_{};
  std::atomic<int> calls_{0};
  std::atomic<int> fail_at_{0};
  std::atomic<int> code_{SQLITE_IOERR_WRITE};
  std::atomic<bool> forever_{false};
  std::atomic<bool> skip_syncs_{false};
};

}  // namespace kith::storage::sqlite
