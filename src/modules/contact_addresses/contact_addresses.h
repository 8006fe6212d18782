// Contact Addresses for XMPP Services (XEP-0157 v1.1.1): whom to write to about abuse, help and so on, as an extended
// form in the server's disco#info. Lives on each shard; state: the addresses of the configuration.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "module/module.h"

namespace kith::modules {

class ContactAddresses final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "contact_addresses",
      .summary = "Tells whom to write to about abuse, security, help and so on",
      .specs = {{.xep = 157, .version = "1.1.1"}},
      .settings =
          {
              {.key = "abuse",
               .type = module::Setting::Type::text_list,
               .fallback = "[]",
               .help = "URIs for reports of abuse, for example \"mailto:abuse@example.org\"."},
              {.key = "admin",
               .type = module::Setting::Type::text_list,
               .fallback = "[]",
               .help = "URIs of the administrators, for example \"xmpp:admin@example.org\"."},
              {.key = "feedback",
               .type = module::Setting::Type::text_list,
               .fallback = "[]",
               .help = "URIs for praise and complaint."},
              {.key = "sales",
               .type = module::Setting::Type::text_list,
               .fallback = "[]",
               .help = "URIs for questions about buying."},
              {.key = "security",
               .type = module::Setting::Type::text_list,
               .fallback = "[]",
               .help = "URIs for reports of security problems."},
              {.key = "status",
               .type = module::Setting::Type::text_list,
               .fallback = "[]",
               .help = "URIs of pages that tell how the service is doing."},
              {.key = "support", .type = module::Setting::Type::text_list, .fallback = "[]", .help = "URIs for help."},
          },
  };
  explicit ContactAddresses(const module::ModuleDeps&) {}
  void attach(module::Hooks& hooks) override;
  void configure(const module::Settings& settings) override;

 private:
  void add_form(module::DiscoInfo& event);

  std::vector<std::pair<std::string, std::vector<std::string>>> addresses_;
};

}  // namespace kith::modules
