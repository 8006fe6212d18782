// The local domains and administrators, as one shard sees them: each shard has its own copy, replaced on its own thread
// by a reload, so that asking costs no lock.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "module/module.h"
#include "xmpp/jid.h"

namespace kith::server {

struct HostData {
  std::vector<std::string> domains;  ///< prepared, in the order of the configuration
  std::set<xmpp::BareJid> admins;
  std::uint16_t web_port = 0;  ///< where pages are, by TLS; 0: there are none
};

class HostTable final : public module::Hosts {
 public:
  explicit HostTable(HostData data) : data_(std::move(data)) {}
  void replace(HostData data) { data_ = std::move(data); }

  bool is_local(std::string_view domainpart) const override {
    for (const std::string& domain : data_.domains) {
      if (domain == domainpart) return true;
    }
    return false;
  }
  std::vector<std::string> domains() const override { return data_.domains; }
  bool is_admin(const xmpp::BareJid& jid) const override { return data_.admins.contains(jid); }
  std::vector<xmpp::BareJid> admins() const override { return {data_.admins.begin(), data_.admins.end()}; }
  std::string web_origin(std::string_view host) const override {
    if (data_.web_port == 0) return {};
    const std::string origin = "https://" + xmpp::domain_to_ascii(host);
    return data_.web_port == 443 ? origin : origin + ":" + std::to_string(data_.web_port);
  }

 private:
  HostData data_;
};

}  // namespace kith::server
