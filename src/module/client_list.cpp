#include "module/client_list.h"

#include <algorithm>
#include <map>

namespace kith::module {

std::string client_id(const ConnectionFacts& facts, std::string_view resource) {
  return facts.agent.empty() ? "session/" + std::string(resource) : facts.agent;
}

std::vector<ClientInfo> clients_of(const Account* account, const std::vector<storage::TokenRecord>& tokens,
                                   WallTime now) {
  std::map<std::string, ClientInfo> clients;
  for (const storage::TokenRecord& token : tokens) {
    if (token.expires <= now) continue;
    const auto [found, fresh] = clients.try_emplace(token.client);
    ClientInfo& client = found->second;
    client.id = token.client;
    client.by_token = true;
    // Tokens are for who has proven the password; a new password removes those of before.
    client.by_password = true;
    client.first_seen = fresh ? token.issued : std::min(client.first_seen, token.issued);
    client.last_seen = std::max(client.last_seen, token.used);
    client.software = token.software;
    client.device = token.device;
  }
  if (account != nullptr) {
    for (const auto& session : account->sessions()) {
      const ConnectionFacts& facts = session->facts();
      const auto [found, fresh] = clients.try_emplace(client_id(facts, session->jid().resourcepart()));
      ClientInfo& client = found->second;
      client.id = found->first;
      client.connected = true;
      client.by_password = client.by_password || !facts.mechanism.starts_with("HT-");
      client.first_seen = fresh ? facts.since : std::min(client.first_seen, facts.since);
      client.last_seen = now;
      if (!facts.software.empty()) client.software = facts.software;
      if (!facts.device.empty()) client.device = facts.device;
    }
  }
  std::vector<ClientInfo> list;
  for (auto& [id, client] : clients) list.push_back(std::move(client));
  return list;
}

}  // namespace kith::module
