// The readers: threads with a read-only connection each, so that no read waits for a commit that it need not see. A
// read that must see a write is put aside until that write is decided. In immediate mode (tests, simulation) reads are
// done at once on the caller's thread, with the writer's connection. Limit: `most_waiting` reads; beyond that a read is
// refused.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/sqlite/db.h"

namespace kith::storage::sqlite {

class ReadPool {
 public:
  static constexpr std::size_t most_waiting = 65'536;
  /// Gets nullptr if it cannot be done. Called on a reader's thread: what it finds, it posts.
  using Read = std::move_only_function<void(Db*)>;

  /// Immediate mode: reads go to `db`.
  explicit ReadPool(Db& db) : shared_(&db) {}
  /// One thread for each connection.
  explicit ReadPool(std::vector<std::unique_ptr<Db>> connections);
  /// Does what waits and may be done; refuses the rest.
  ~ReadPool();
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;

  /// Does `read` once `after` is decided, in order for reads with the same `after`. Any thread.
  void submit(Ticket after, Read read);
  /// Every ticket up to and with this one is decided. Any thread.
  void release(Ticket decided);
  /// Returns when no read is under way or could be.
  void drain();
  /// The next `count` reads are refused (for tests).
  void fail_next(std::size_t count);

  // For the simulation, in immediate mode.
  /// From now on reads that may be done wait for read_one().
  void hold() { held_ = true; }
  /// How many reads may be done now.
  std::size_t ready() const { return ready_.size(); }
  /// Does the first read that may be done.
  void read_one();
  /// Drops what waits, as a crash does: nobody is answered.
  void abandon();

 private:
  void run(Db& db);
  void release_waiting();
  void work_off(Db& db);

  Db* shared_ = nullptr;
  std::vector<std::unique_ptr<Db>> connections_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  Ticket decided_;
  std::deque<Read> ready_;
  std::multimap<Ticket, Read> waiting_;
  std::size_t busy_ = 0;
  std::size_t refuse_count_ = 0;
  bool stopping_ = false;
  bool working_off_ = false;
  bool held_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kith::storage::sqlite
