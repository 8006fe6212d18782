// The composition root: a configuration becomes objects that run. The only place that sees everything.
// Threads: one per shard, the database's, a few for slow hashes, and the caller's, which runs the control loop
// (signals, admin socket, metrics) so that nothing an administrator does stands in a message's way.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "module/module.h"
#include "server/config.h"

namespace kith::server {

class Server {
 public:
  /// Opens the storage, loads the certificates and listens. The error is one sentence that says what is wrong and what
  /// to do.
  static std::expected<std::unique_ptr<Server>, std::string> start(Config config,
                                                                   std::span<const module::Registration> features,
                                                                   const Clock& clock, Events& events);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Runs until SIGTERM or SIGINT, then ends every stream, writes what is queued, and returns the exit code.
  int run();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace kith::server
