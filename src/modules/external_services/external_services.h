// External Service Discovery (XEP-0215 v1.0.0): where the STUN and TURN servers are that calls need, and credentials
// for the relays that hold for a time (draft-uberti-behave-turn-rest-00 §2.2, which coturn calls use-auth-secret).
// Lives on each shard. State: what the configuration says, and the secret shared with the relays.
//
// SECURITY: a relay is for the accounts of this server, and for nobody else. The name in the credentials is the same
// for an account each time, so that a relay can count what one person uses, but does not say which account it is.
//
// Limits: credential_seconds until they are of no use; `most_services` asked about at once. Does not push changes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "module/module.h"
#include "modules/external_services/service_address.h"

namespace kith::modules {

class ExternalServices final : public module::Module {
 public:
  static constexpr std::string_view ns_extdisco = "urn:xmpp:extdisco:2";
  static constexpr std::size_t most_services = 20;
  static std::optional<std::string> check_address(const std::string& text);

  static constexpr module::Descriptor descriptor{
      .name = "external_services",
      .summary = "Tells clients where the STUN and TURN servers for calls are, and lets their accounts in",
      .specs = {{.xep = 215, .version = "1.0.0", .note = "no pushes"}},
      .settings =
          {
              {.key = "services",
               .type = module::Setting::Type::text_list,
               .fallback = "[]",
               .help =
                   "STUN and TURN servers as URIs, as in [\"stun:turn.example.org\", \"turn:turn.example.org:3478\", "
                   "\"turns:turn.example.org:5349?transport=tcp\"].",
               .check = &ExternalServices::check_address},
              {.key = "secret_file",
               .type = module::Setting::Type::secret_file,
               .fallback = "\"\"",
               .help = "The file whose first line is the secret shared with the TURN servers (coturn's "
                       "`static-auth-secret`). Without it clients learn of no TURN server."},
              {.key = "credential_seconds",
               .type = module::Setting::Type::integer,
               .unit = "seconds",
               .fallback = "43200",
               .least = 60,
               .most = 604'800,
               .help = "How long credentials for TURN servers hold; a call that has begun is not cut then."},
          },
  };
  explicit ExternalServices(const module::ModuleDeps& deps)
      : clock_(deps.clock), events_(deps.events), hosts_(deps.hosts) {}
  void attach(module::Hooks& hooks) override;
  void configure(const module::Settings& settings) override;

 private:
  void list(module::IqRequest request);
  void give_credentials(module::IqRequest request);
  void announce(module::DiscoInfo& event);
  /// Whether the requester has an account here.
  bool is_ours(const module::IqRequest& request) const;
  xml::Element describe(const ServiceAddress& service, const xmpp::Jid& asker) const;
  void add_credentials(xml::Element& element, const xmpp::Jid& asker) const;

  const Clock& clock_;
  Events& events_;
  const module::Hosts& hosts_;
  std::vector<ServiceAddress> services_;
  Secret secret_;
  Secret name_key_;  ///< behind the names that accounts have at the relays
  std::chrono::seconds credential_time_{};
};

}  // namespace kith::modules
