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
  bool by_password = false;  ///< has presented the password: connected by it, or was given tokens for it
  WallTime first_seen{};
  WallTime last_seen{};
  std::string software{};
  std::string device{};
};

/// The ClientInfo::id of a session with these facts.
std::string client_id(const ConnectionFacts& facts, std::string_view resource);
/// In the order of their ids. `account` is null if it is not in memory.
std::vector<ClientInfo> clients_of(const Account* account, const std::vector<storage::TokenRecord>& tokens,
                                   WallTime now);

}  // namespace kith::module
