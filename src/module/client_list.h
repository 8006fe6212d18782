// The clients that have access to an account (XEP-0494): those that are connected, and those that have a token
// (XEP-0484). Pure functions over what the account's shard knows and what is stored.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "module/account.h"
#include "storage/storage.h"

namespace kith::module {

struct ClientInfo {
  std::string id;  ///< the UUID that the client gave itself, or "session/" and its resource
  bool connected = false;
  bool by_token = false;     ///< has tokens
  bool by_password = false;  ///< is connected, and logged in with the password
  WallTime first_seen{};
  WallTime last_seen{};
  std::string software{};
  std::string device{};
};

/// In the order of their ids. `account` is null if it is not in memory.
std::vector<ClientInfo> clients_of(const Account* account, const std::vector<storage::TokenRecord>& tokens,
                                   WallTime now);
/// Ends the sessions of that client.
void end_sessions_of(const Account& account, std::string_view id, const xmpp::StreamError& error);

}  // namespace kith::module
