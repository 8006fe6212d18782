#include "modules/contact_addresses/contact_addresses.h"

#include "xmpp/data_form.h"

namespace kith::modules {

void ContactAddresses::attach(module::Hooks& hooks) { hooks.on<module::DiscoInfo>(this, &ContactAddresses::add_form); }

void ContactAddresses::configure(const module::Settings& settings) {
  addresses_.clear();
  for (const module::Setting& setting : descriptor.settings) {
    const std::vector<std::string>& uris = settings.texts(setting.key);
    if (!uris.empty()) addresses_.emplace_back(std::string(setting.key) + "-addresses", uris);
  }
}

void ContactAddresses::add_form(module::DiscoInfo& event) {
  if (event.target != module::Target::server || !event.node.empty() || addresses_.empty()) return;
  xmpp::DataForm form{.type = "result"};
  form.fields.push_back({.var = "FORM_TYPE", .type = "hidden", .values = {"http://jabber.org/network/serverinfo"}});
  for (const auto& [var, uris] : addresses_) {
    form.fields.push_back({.var = var, .type = "list-multi", .values = uris});
  }
  event.query.add(form.to_element());
}

}  // namespace kith::modules
