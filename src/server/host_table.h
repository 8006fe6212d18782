// The local domains and administrators, as one shard sees them: each shard has its own copy, replaced on its own thread
// by a reload, so that asking costs no lock.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "module/module.h"

namespace kith::server {

struct HostData {
  std::vector<std::string> domains;  ///< prepared, in the order of the configuration
  std::set<xmpp::BareJid> admins;
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

 private:
  HostData data_;
};

}  // namespace kith::server
