#include "module/node_list.h"

#include <algorithm>

namespace kith::module {

using xmpp::AccessModel;
using xmpp::Affiliation;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::NodeSubscription;
using xmpp::PublishModel;
using xmpp::StanzaError;

Affiliation Node::affiliation_of(const xmpp::BareJid& jid) const {
  const auto found = affiliations.find(jid);
  return found == affiliations.end() ? Affiliation::none : found->second;
}

NodeSubscription Node::subscription_of(const xmpp::Jid& jid) const {
  const auto found = subscriptions.find(jid);
  return found == subscriptions.end() ? NodeSubscription::none : found->second;
}

bool Node::is_subscribed(const xmpp::BareJid& jid) const {
  return std::ranges::any_of(subscriptions, [&](const auto& entry) {
    return entry.second == NodeSubscription::subscribed && entry.first.bare_text() == jid.text();
  });
}

NodeList::NodeList(const storage::PubsubData& data) : bytes_(data.bytes) {
  for (const storage::PubsubNode& stored : data.nodes) {
    Node& node = add(stored.name, xmpp::NodeConfig::from_text(stored.config, {}));
    for (const storage::PubsubPerson& person : stored.people) {
      const auto affiliation = xmpp::affiliation_from(person.affiliation);
      if (affiliation && *affiliation != Affiliation::none) {
        node.affiliations.emplace(xmpp::BareJid::of(person.jid), *affiliation);
      }
      const auto subscription = xmpp::node_subscription_from(person.subscription);
      if (subscription && *subscription != NodeSubscription::none) {
        node.subscriptions.emplace(person.jid, *subscription);
      }
    }
  }
}

Node* NodeList::find(std::string_view name) {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}
const Node* NodeList::find(std::string_view name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

Node& NodeList::add(std::string name, xmpp::NodeConfig config) {
  Node& node = nodes_[std::move(name)];
  node = Node{.config = std::move(config)};
  return node;
}

void NodeList::remove(std::string_view name) {
  const auto found = nodes_.find(name);
  if (found != nodes_.end()) nodes_.erase(found);
}

StanzaError presence_subscription_required() {
  return xmpp::pubsub_error(ErrorType::auth, Condition::not_authorized, "presence-subscription-required");
}

namespace {

std::optional<StanzaError> refusal(const Node& node, const Standing& who) {
  switch (node.config.access_model) {
    case AccessModel::open:
      return std::nullopt;
    case AccessModel::presence:
      if (who.contact) return std::nullopt;
      return presence_subscription_required();
    case AccessModel::roster: {
      const auto allowed = [&](const std::string& group) {
        return std::ranges::find(node.config.roster_groups_allowed, group) != node.config.roster_groups_allowed.end();
      };
      if (who.contact && std::ranges::any_of(who.groups, allowed)) return std::nullopt;
      return xmpp::pubsub_error(ErrorType::auth, Condition::not_authorized, "not-in-roster-group");
    }
    case AccessModel::authorize:
      if (node.is_subscribed(who.jid)) return std::nullopt;
      return xmpp::pubsub_error(ErrorType::auth, Condition::not_authorized, "not-subscribed");
    case AccessModel::whitelist:
      break;
  }
  return xmpp::pubsub_error(ErrorType::cancel, Condition::not_allowed, "closed-node");
}

}  // namespace

std::optional<StanzaError> may_read(const Node* node, const Standing& who) {
  if (node == nullptr) {
    if (!who.owner && !who.contact) return presence_subscription_required();
    StanzaError none = StanzaError::of(Condition::item_not_found);
    // COMPAT(profanity 0.13, since the beginning, drop when it reads conditions): without the number it takes the
    // missing list of its account's devices for a failure and never publishes one.
    none.legacy_code = 404;
    return none;
  }
  if (who.owner) return std::nullopt;
  switch (node->affiliation_of(who.jid)) {
    case Affiliation::owner:
    case Affiliation::publisher:
    case Affiliation::member:
      return std::nullopt;
    case Affiliation::outcast:
    case Affiliation::publish_only:
      return StanzaError::of(Condition::forbidden);
    case Affiliation::none:
      break;
  }
  std::optional<StanzaError> why = refusal(*node, who);
  const bool stranger = !who.contact && !node->is_subscribed(who.jid);
  if (why && stranger) return presence_subscription_required();
  return why;
}

std::optional<StanzaError> may_publish(const Node* node, const Standing& who) {
  if (who.owner) return std::nullopt;
  if (node == nullptr) {
    return StanzaError::of(who.contact ? Condition::item_not_found : Condition::forbidden);
  }
  switch (node->affiliation_of(who.jid)) {
    case Affiliation::owner:
    case Affiliation::publisher:
    case Affiliation::publish_only:
      return std::nullopt;
    case Affiliation::outcast:
      return StanzaError::of(Condition::forbidden);
    case Affiliation::member:
    case Affiliation::none:
      break;
  }
  const bool open = node->config.publish_model == PublishModel::open && !may_read(node, who);
  const bool subscribed = node->config.publish_model == PublishModel::subscribers && node->is_subscribed(who.jid);
  if (open || subscribed) return std::nullopt;
  return StanzaError::of(Condition::forbidden);
}

}  // namespace kith::module
