#include "server/password_work.h"

#include <memory>
#include <utility>

#include "sasl/credentials.h"

namespace kith::server {

bool PasswordCheckWork::check(Executor& shard, const sasl::Credentials& credentials, Secret password,
                              std::move_only_function<void(bool right)> then) {
  return run_([&shard, credentials, password = std::move(password), then = std::move(then)]() mutable {
    const bool right = sasl::verify(credentials, password);
    shard.post([then = std::move(then), right]() mutable { then(right); });
  });
}

void PasswordDeriveWork::derive(Secret password,
                                std::move_only_function<void(std::expected<xmpp::Credentials, Trouble>)> then) {
  // Shared, because a job that the queue refuses is dropped with all that it holds, and the answer must still be given.
  using Answer = std::move_only_function<void(std::expected<xmpp::Credentials, Trouble>)>;
  const auto answer = std::make_shared<Answer>(std::move(then));
  const bool taken = run_([this, answer, password = std::move(password)]() {
    std::expected<xmpp::Credentials, Trouble> result = std::unexpected(Trouble::unacceptable);
    if (const std::optional<Secret> prepared = sasl::prepare_password(password.reveal())) {
      result = sasl::derive_all(*prepared, random_);
    }
    shard_.post([answer, result = std::move(result)]() mutable { (*answer)(std::move(result)); });
  });
  if (!taken) shard_.post([answer] { (*answer)(std::unexpected(Trouble::busy)); });
}

}  // namespace kith::server
