// Slow hashes of passwords, off the shards. How the work is run is handed in: a pool of threads in the daemon, at once
// in tests.
#pragma once

#include <functional>

#include "base/executor.h"
#include "base/random.h"
#include "module/delivery.h"
#include "session/c2s.h"

namespace kith::server {

/// Runs `job` on some worker. False if too many wait already.
using RunJob = std::function<bool(Task job)>;

/// Checks passwords for logins by PLAIN. Any shard.
class PasswordCheckWork final : public session::PasswordChecker {
 public:
  explicit PasswordCheckWork(RunJob run) : run_(std::move(run)) {}
  bool check(Executor& shard, const sasl::Credentials& credentials, Secret password,
             std::move_only_function<void(bool right)> then) override;

 private:
  RunJob run_;
};

/// Derives keys for new passwords, for the features of one shard.
class PasswordDeriveWork final : public module::Passwords {
 public:
  PasswordDeriveWork(Executor& shard, Random& random, RunJob run)
      : shard_(shard), random_(random), run_(std::move(run)) {}
  void derive(Secret password, std::move_only_function<void(std::expected<xmpp::Credentials, Trouble>)> then) override;

 private:
  Executor& shard_;
  Random& random_;
  RunJob run_;
};

}  // namespace kith::server
