#include "modules/external_services/external_services.h"

#include <utility>

#include "base/digest.h"
#include "base/encoding.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

using module::Access;
using module::Target;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

std::optional<std::string> ExternalServices::check_address(const std::string& text) {
  const auto made = parse_service_address(text);
  return made ? std::nullopt : std::optional(made.error());
}

void ExternalServices::attach(module::Hooks& hooks) {
  for (const auto& [target, access] :
       {std::pair{Target::server, Access::anyone}, std::pair{Target::account, Access::owner}}) {
    hooks.on_iq(target, access, StanzaType::get, "services", ns_extdisco, this, &ExternalServices::list);
    hooks.on_iq(target, access, StanzaType::get, "credentials", ns_extdisco, this, &ExternalServices::give_credentials);
  }
  hooks.on<module::DiscoInfo>(this, &ExternalServices::announce);
}

void ExternalServices::configure(const module::Settings& settings) {
  secret_ = settings.secret("secret_file");
  // A key of its own: what is made with the relays' is a password.
  name_key_ = Secret(sha256("name " + std::string(secret_.reveal())));
  credential_time_ = std::chrono::seconds(settings.integer("credential_seconds"));
  services_.clear();
  bool useless = false;
  for (const std::string& text : settings.texts("services")) {
    auto service = parse_service_address(text);
    if (!service) continue;  // The configuration has refused it.
    if (service->wants_credentials() && secret_.empty()) {
      useless = true;
    } else {
      services_.push_back(*std::move(service));
    }
  }
  if (useless) events_.record(LogLevel::warning, "turn_without_secret", {{"setting", "secret_file"}});
}

void ExternalServices::announce(module::DiscoInfo& event) {
  if (event.target != Target::server || !event.node.empty() || services_.empty()) return;
  xml::Element feature("feature", xmpp::ns::disco_info);
  feature.set("var", std::string(ns_extdisco));
  event.query.add(std::move(feature));
}

bool ExternalServices::is_ours(const module::IqRequest& request) const {
  return request.from().has_localpart() && hosts_.is_local(request.from().domainpart());
}

// XEP-0215 §3.1 and §3.2.
void ExternalServices::list(module::IqRequest request) {
  if (services_.empty()) return request.fail(StanzaError::of(Condition::service_unavailable));
  if (!is_ours(request)) return request.fail(StanzaError::of(Condition::forbidden));
  xml::Element services("services", ns_extdisco);
  const std::optional<std::string_view> type = request.payload().attribute("type");
  if (type) services.set("type", std::string(*type));
  for (const ServiceAddress& service : services_) {
    if (type && service.type != *type) continue;
    xml::Element element = describe(service, request.from());
    element.set("transport", service.transport);
    if (service.wants_credentials()) element.set("restricted", "true");
    services.add(std::move(element));
  }
  request.reply(std::move(services));
}

// XEP-0215 §3.3.
void ExternalServices::give_credentials(module::IqRequest request) {
  if (services_.empty()) return request.fail(StanzaError::of(Condition::service_unavailable));
  if (!is_ours(request)) return request.fail(StanzaError::of(Condition::forbidden));
  xml::Element credentials("credentials", ns_extdisco);
  std::size_t asked = 0;
  bool understood = true;
  request.payload().for_each_child([&](const xml::Element& wanted) {
    if (!wanted.is("service", ns_extdisco)) return;
    const auto host = wanted.attribute("host");
    const auto type = wanted.attribute("type");
    const auto port = wanted.attribute("port");
    const auto number = port ? parse_number<std::uint16_t>(*port) : std::nullopt;
    if (++asked > most_services || !host || !type || (port && !number)) {
      understood = false;
      return;
    }
    for (const ServiceAddress& service : services_) {
      if (!service.wants_credentials() || service.host != *host || service.type != *type) continue;
      if (number && service.port != *number) continue;
      credentials.add(describe(service, request.from()));
    }
  });
  if (asked == 0 || !understood) return request.fail(StanzaError::of(Condition::bad_request));
  if (credentials.child("service", ns_extdisco) == nullptr) {
    return request.fail(StanzaError::of(Condition::item_not_found));
  }
  request.reply(std::move(credentials));
}

xml::Element ExternalServices::describe(const ServiceAddress& service, const xmpp::Jid& asker) const {
  xml::Element element("service", ns_extdisco);
  element.set("type", service.type).set("host", service.host).set("port", std::to_string(service.port));
  if (service.wants_credentials()) add_credentials(element, asker);
  return element;
}

void ExternalServices::add_credentials(xml::Element& element, const xmpp::Jid& asker) const {
  const auto expires = std::chrono::ceil<std::chrono::seconds>(clock_.wall() + credential_time_);
  const std::string person = hex_encode(hmac_sha1(name_key_.reveal(), asker.bare_text())).substr(0, 16);
  const std::string username = std::to_string(expires.time_since_epoch().count()) + ":" + person;
  element.set("username", username)
      .set("password", base64_encode(hmac_sha1(secret_.reveal(), username)))
      .set("expires", xmpp::format_datetime(expires, false));
}

}  // namespace kith::modules
