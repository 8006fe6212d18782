// A handler that remembers what it was told, and a test's connection on a shard. For tests only.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "net/testing.h"

namespace kith::net::testing {

/// Owns a connection on a shard and records its calls; a test reads them from its own thread.
class Recorder final : public TransportHandler {
 public:
  using Reaction = std::function<void(Recorder&, std::string_view bytes)>;

  explicit Recorder(ShardThread& shard) : shard_(shard) {}
  ~Recorder() override {
    shard_.run([this] { transport.reset(); });
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Takes the server's end of `pair` on the shard.
  void begin(Socket server, const ConnectionSettings& settings, Connection::Begin how) {
    shard_.run([&] {
      transport = std::make_unique<Connection>(shard_.shard(), std::move(server), "127.0.0.1", settings, how);
      transport->set_handler(this);
    });
  }
  /// Does something with the transport on its shard.
  void with(const std::function<void(Transport&)>& work) {
    shard_.run([&] { work(*transport); });
  }

  void on_bytes(std::string_view piece) override {
    note([&] { bytes_ += piece; });
    if (react) react(*this, piece);
  }
  void on_secure() override {
    note([&] { secure_ = true; });
    if (react_secure) react_secure(*this);
  }
  void on_drained() override {
    note([&] { ++drained_; });
    if (react_drained) react_drained(*this);
  }
  void on_closed(CloseReason reason) override {
    if (transport) failure = transport->failure();
    note([&] {
      closed_ = reason;
      ++closings_;
    });
    if (react_closed) react_closed(*this);
  }

  /// Waits until it holds, for a few seconds at most.
  bool wait_for(const std::function<bool()>& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), holds);
  }
  bool wait_closed() {
    return wait_for([&] { return closed_.has_value(); });
  }
  bool wait_bytes(std::size_t size) {
    return wait_for([&] { return bytes_.size() >= size; });
  }
  bool wait_secure() {
    return wait_for([&] { return secure_; });
  }
  bool wait_drained() {
    return wait_for([&] { return drained_ > 0; });
  }

  std::string bytes() { return read(bytes_); }
  int drained() { return read(drained_); }
  int closings() { return read(closings_); }
  bool secure() { return read(secure_); }
  std::optional<CloseReason> closed() { return read(closed_); }

  std::unique_ptr<Transport> transport;  // on the shard only
  std::string failure;
  Reaction react;
  std::function<void(Recorder&)> react_secure;
  std::function<void(Recorder&)> react_drained;
  std::function<void(Recorder&)> react_closed;

 private:
  void note(const std::function<void()>& change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_all();
  }
  template <class T>
  T read(const T& value) {
    const std::lock_guard lock(mutex_);
    return value;
  }

  ShardThread& shard_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string bytes_;
  bool secure_ = false;
  int drained_ = 0;
  int closings_ = 0;
  std::optional<CloseReason> closed_;
};

inline void echo(Recorder& recorder, std::string_view bytes) { recorder.transport->write(bytes); }

}  // namespace kith::net::testing
