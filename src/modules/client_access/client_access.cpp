#include "modules/client_access/client_access.h"

#include "module/client_list.h"
#include "xmpp/datetime.h"

namespace kith::modules {

using module::Access;
using module::Target;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

namespace {

xml::Element element_of(const module::ClientInfo& info) {
  constexpr std::string_view ns = ClientAccess::ns_access;
  xml::Element client("client", ns);
  client.set("connected", info.connected ? "true" : "false").set("id", info.id).set("type", "session");
  client.add_text_child("first-seen", xmpp::format_datetime(info.first_seen, false));
  client.add_text_child("last-seen", xmpp::format_datetime(info.last_seen, false));
  xml::Element auth("auth", ns);
  if (info.by_password) auth.add(xml::Element("password", ns));
  if (info.by_token) auth.add(xml::Element("fast", ns));
  client.add(std::move(auth));
  client.add(xml::Element("permission", ns).set("status", "unrestricted"));
  if (!info.software.empty() || !info.device.empty()) {
    xml::Element agent("user-agent", ns);
    if (!info.software.empty()) agent.add_text_child("software", info.software);
    if (!info.device.empty()) agent.add_text_child("device", info.device);
    client.add(std::move(agent));
  }
  return client;
}

}  // namespace

void ClientAccess::attach(module::Hooks& hooks) {
  hooks.on_iq(Target::account, Access::owner, StanzaType::get, "list", ns_access, this, &ClientAccess::list);
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "revoke", ns_access, this, &ClientAccess::revoke);
}

// §4.1
void ClientAccess::list(module::IqRequest request) {
  const xmpp::BareJid owner = request.account()->jid();
  store_.list(owner, [this, owner, request = std::move(request)](const auto& tokens) mutable {
    if (!tokens) return request.fail(StanzaError::storage_failed());
    xml::Element clients("clients", ns_access);
    for (const module::ClientInfo& info : module::clients_of(accounts_.loaded(owner), *tokens, clock_.wall()))
      clients.add(element_of(info));
    request.reply(std::move(clients));
  });
}

// §4.2
void ClientAccess::revoke(module::IqRequest request) {
  const std::string id(request.payload().attribute("id").value_or(""));
  if (id.empty()) return request.fail(StanzaError::of(Condition::bad_request));
  const xmpp::BareJid owner = request.account()->jid();
  store_.list(owner, [this, owner, id, request = std::move(request)](const auto& tokens) mutable {
    if (!tokens) return request.fail(StanzaError::storage_failed());
    const module::Account* const account = accounts_.loaded(owner);
    const auto clients = module::clients_of(account, *tokens, clock_.wall());
    const auto found = std::ranges::find(clients, id, &module::ClientInfo::id);
    if (found == clients.end()) return request.fail(StanzaError::of(Condition::item_not_found));
    const bool by_password = found->by_password;
    auto then = [this, owner, id, by_password, request = std::move(request)](const auto& removed) mutable {
      if (!removed) return request.fail(StanzaError::storage_failed());
      // The answer goes first: the client may have meant itself.
      if (by_password) {
        StanzaError error =
            StanzaError::of(Condition::service_unavailable,
                            "It is logged out, but it knows the password; only a new one keeps it out.");
        error.detail = xml::Element("password-reset-required", ns_access);
        request.fail(error);
      } else {
        request.reply();
      }
      accounts_.close_client(owner, id,
                             {xmpp::StreamCondition::not_authorized, "The access of this client was taken away."});
    };
    store_.remove_client(owner, id, std::move(then));
  });
}

}  // namespace kith::modules
