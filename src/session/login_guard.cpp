#include "session/login_guard.h"

#include <algorithm>

#include "base/network.h"

namespace kith::session {

namespace {
std::string name_of(const std::string& address) { return "network " + to_text(network_of(address)); }
}  // namespace

bool LoginGuard::may_try(const std::string& address) { return rates_.debt(name_of(address)) < most_debt; }

Duration LoginGuard::failed(const std::string& address, const std::string& account) {
  Duration wait = rates_.take_in_debt(name_of(address), limits_.failed_logins_per_address_rate);
  if (!account.empty()) {
    wait = std::max(wait, rates_.take_in_debt("account " + account, limits_.failed_logins_per_account_rate));
  }
  if (wait <= Duration::zero()) return Duration::zero();
  return std::clamp<Duration>(wait, std::chrono::seconds(1), std::chrono::seconds(10));
}

}  // namespace kith::session
