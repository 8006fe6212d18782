#include "module/account.h"

#include <algorithm>

namespace kith::module {

Session* Account::session(std::string_view resourcepart) const {
  for (const auto& session : sessions_) {
    if (session->jid().resourcepart() == resourcepart) return session.get();
  }
  return nullptr;
}

bool Account::has_available_session() const {
  return std::ranges::any_of(sessions_, [](const auto& session) { return session->available(); });
}

Session& Account::add_session(std::unique_ptr<Session> session) { return *sessions_.emplace_back(std::move(session)); }

std::unique_ptr<Session> Account::take_session(const Session& session) {
  const auto found = std::ranges::find_if(sessions_, [&](const auto& mine) { return mine.get() == &session; });
  if (found == sessions_.end()) return nullptr;
  std::unique_ptr<Session> taken = std::move(*found);
  sessions_.erase(found);
  return taken;
}

}  // namespace kith::module
