#include "modules/disco/disco.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xmpp/caps.h"

namespace kith::modules {

namespace {

namespace ns = xmpp::ns;
using module::Access;
using module::Target;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

std::string_view node_of(const module::IqRequest& request) { return request.payload().attribute("node").value_or(""); }

std::string_view domain_of(const module::IqRequest& request) {
  return request.stanza().to() ? request.stanza().to()->domainpart() : request.from().domainpart();
}

Target target_of(const module::IqRequest& request) {
  const bool account = !request.stanza().to() || request.stanza().to()->has_localpart();
  return account ? Target::account : Target::server;
}

// XEP-0030 §10: only who may see the account's presence learns of its resources.
bool entitled(const module::IqRequest& request) {
  if (target_of(request) == Target::server) return true;
  if (request.account() == nullptr) return false;
  const xmpp::BareJid asker = xmpp::BareJid::of(request.from());
  return asker == request.account()->jid() || request.account()->roster().lets_see(asker);
}

}  // namespace

void Disco::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  hooks.on_iq(Target::server, Access::anyone, StanzaType::get, "query", ns::disco_info, this, &Disco::info);
  hooks.on_iq(Target::account, Access::unguarded, StanzaType::get, "query", ns::disco_info, this, &Disco::info);
  hooks.on_iq(Target::server, Access::anyone, StanzaType::get, "query", ns::disco_items, this, &Disco::items);
  hooks.on_iq(Target::account, Access::unguarded, StanzaType::get, "query", ns::disco_items, this, &Disco::items);
  hooks.on<module::StreamFeatures>(this, &Disco::announce);
}

std::expected<xml::Element, StanzaError> Disco::describe(Target target, std::string_view domain,
                                                         module::Account* account) const {
  xml::Element query("query", ns::disco_info);
  xml::Element identity("identity", ns::disco_info);
  if (target == Target::server) {
    identity.set("category", "server").set("type", "im").set("name", std::string(domain));
  } else {
    identity.set("category", "account").set("type", "registered");
  }
  query.add(std::move(identity));

  std::vector<std::string_view> features;
  for (const module::Descriptor* feature : active_) {
    const auto& its = target == Target::server ? feature->server_features : feature->account_features;
    features.insert(features.end(), its.begin(), its.end());
  }
  std::ranges::sort(features);
  const auto repeated = std::ranges::unique(features);
  features.erase(repeated.begin(), repeated.end());
  for (const std::string_view feature : features) {
    query.add(xml::Element("feature", ns::disco_info).set("var", std::string(feature)));
  }

  module::DiscoInfo event{target, domain, account, {}, query};
  const module::Outcome outcome = hooks_->run(event);
  if (const auto* error = std::get_if<StanzaError>(&outcome)) return std::unexpected(*error);
  return query;
}

void Disco::info(module::IqRequest request) {
  const Target target = target_of(request);
  const std::string_view domain = domain_of(request);
  const std::string_view node = node_of(request);
  // SECURITY: XEP-0030 §10: strangers learn nothing of an account, nor whether there is one, but for its nodes that are
  // open to everybody (XEP-0060 §5.3).
  const bool stranger = !entitled(request);
  if (stranger && (node.empty() || request.account() == nullptr)) {
    return request.fail(StanzaError::of(Condition::service_unavailable));
  }
  if (node.empty() || (target == Target::server && node.starts_with(caps_node))) {
    std::expected<xml::Element, StanzaError> query = describe(target, domain, request.account());
    if (!query) return request.fail(query.error());
    if (node.empty()) return request.reply(*std::move(query));
    // XEP-0115 §6.2: the node of the capabilities that are in force now; another one is as unknown as any.
    const std::string current = std::string(caps_node) + "#" + xmpp::caps_hash(*query).value_or("");
    if (node != current) return request.fail(StanzaError::of(Condition::item_not_found));
    query->set("node", current);
    return request.reply(*std::move(query));
  }
  xml::Element query("query", ns::disco_info);
  query.set("node", std::string(node));
  module::DiscoInfo event{target, domain, request.account(), node, query, &request.from()};
  const module::Outcome outcome = hooks_->run(event);
  const bool found = std::holds_alternative<module::Done>(outcome);
  if (stranger && !found) return request.fail(StanzaError::of(Condition::service_unavailable));
  if (const auto* error = std::get_if<StanzaError>(&outcome)) return request.fail(*error);
  if (!found) return request.fail(StanzaError::of(Condition::item_not_found));
  request.reply(std::move(query));
}

void Disco::items(module::IqRequest request) {
  const Target target = target_of(request);
  const std::string_view node = node_of(request);
  const bool may_see = entitled(request);
  xml::Element query("query", ns::disco_items);
  if (!node.empty()) query.set("node", std::string(node));
  if (target == Target::account && may_see && node.empty()) {
    for (const auto& session : request.account()->sessions()) {
      if (session->available()) query.add(xml::Element("item", ns::disco_items).set("jid", session->jid().text()));
    }
  }
  module::DiscoItems event{target,  domain_of(request), request.account(), request.from(), may_see, node, query,
                           &request};
  const module::Outcome outcome = hooks_->run(event);
  if (event.taken) return;
  if (const auto* error = std::get_if<StanzaError>(&outcome)) return request.fail(*error);
  // SECURITY: for a stranger every node of every account, of those that don't exist too, is an empty list (XEP-0030
  // §10).
  const bool known = node.empty() || std::holds_alternative<module::Done>(outcome) || !may_see;
  if (!known) return request.fail(StanzaError::of(Condition::item_not_found));
  request.reply(std::move(query));
}

void Disco::announce(module::StreamFeatures& event) {
  // Before login nobody can ask for what the hash stands for, and the answer is no stranger's business.
  if (!event.authenticated) return;
  const std::expected<xml::Element, StanzaError> query = describe(Target::server, event.domain, nullptr);
  if (!query) return;
  const std::optional<std::string> hash = xmpp::caps_hash(*query);
  if (!hash) return;
  event.features.add(
      xml::Element("c", ns::caps).set("hash", "sha-1").set("node", std::string(caps_node)).set("ver", *hash));
}

}  // namespace kith::modules
