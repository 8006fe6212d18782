// Where this server's WebSockets are, for clients in browsers, which cannot ask DNS (XEP-0156 v1.4.0), and for all
// others that ask one place for everything (XEP-0487 v0.1.0): /.well-known/host-meta and host-meta.json of each domain.
// Lives on each shard; no state but the settings.
//
// XEP-0487 is told only where the settings name the server's addresses: its "xmpp" object keeps clients from asking
// DNS.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "module/module.h"

namespace kith::modules {

class HostMeta final : public module::Module {
 public:
  static std::optional<std::string> check_address(const std::string& text);

  static constexpr module::Descriptor descriptor{
      .name = "host_meta",
      .summary = "Tells clients in browsers where WebSockets are",
      .specs = {{.xep = 156, .version = "1.4.0"},
                {.xep = 487, .version = "0.1.0", .note = "for clients; without pins and ECH"}},
      .settings =
          {
              {.key = "addresses",
               .type = module::Setting::Type::text_list,
               .fallback = "[]",
               .help =
                   "The server's public IP addresses, as in [\"192.0.2.7\", \"2001:db8::7\"]. With them, clients can "
                   "learn here all that they need and ask DNS for nothing (XEP-0487).",
               .check = &HostMeta::check_address},
              {.key = "direct_tls_port",
               .type = module::Setting::Type::integer,
               .fallback = "5223",
               .least = 0,
               .most = 65535,
               .help = "The port at which clients connect by TLS, told beside these addresses; 0: there is none."},
          },
  };
  explicit HostMeta(const module::ModuleDeps& deps) : hosts_(deps.hosts) {}
  void attach(module::Hooks& hooks) override;
  void configure(const module::Settings& settings) override;

 private:
  void give_xml(module::HttpExchange exchange);
  void give_json(module::HttpExchange exchange);
  std::string websocket_of(const module::HttpRequest& request) const;

  const module::Hosts& hosts_;
  std::vector<std::string> addresses_;
  std::int64_t direct_tls_port_ = 0;
};

}  // namespace kith::modules
