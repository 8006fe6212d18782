// The part of the publish-subscribe engine that is about people: who owns a node, who is subscribed (XEP-0060 §6.1,
// §6.2, §8.8, §8.9).
#include <algorithm>
#include <map>
#include <optional>

#include "module/pubsub.h"
#include "module/pubsub_requests.h"
#include "xmpp/data_form.h"
#include "xmpp/namespaces.h"

namespace kith::module {

namespace ns = xmpp::ns;
using xmpp::AccessModel;
using xmpp::Affiliation;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::NodeSubscription;
using xmpp::StanzaError;

namespace {

constexpr std::string_view ns_authorization = "http://jabber.org/protocol/pubsub#subscribe_authorization";

xml::Element authorization_form(const std::string& node, const xmpp::Jid& subscriber) {
  xmpp::DataForm form{.type = "form",
                      .title = "Somebody wants to subscribe",
                      .instructions = subscriber.text() + " wants to be told of what is published at " + node + "."};
  form.fields.push_back({.var = "FORM_TYPE", .type = "hidden", .values = {std::string(ns_authorization)}});
  form.fields.push_back({.var = "pubsub#node", .type = "text-single", .label = "The node", .values = {node}});
  form.fields.push_back({.var = "pubsub#subscriber_jid",
                         .type = "jid-single",
                         .label = "Who wants to subscribe",
                         .values = {subscriber.text()}});
  form.fields.push_back(
      {.var = "pubsub#allow", .type = "boolean", .label = "Whether this is allowed", .values = {"false"}});
  return form.to_element();
}

}  // namespace

std::expected<Node*, StanzaError> owned_node(PubsubOwner& owner, const xmpp::Jid& from, const xml::Element& element) {
  const Standing who = owner.standing_of(from);
  Node* node = owner.nodes().find(node_of(element));
  const bool may = who.owner || (node != nullptr && node->affiliation_of(who.jid) == Affiliation::owner);
  // SECURITY: who may not hears the same whether there is such a node or not.
  if (!may) return std::unexpected(StanzaError::of(Condition::forbidden));
  if (node_of(element).empty()) return std::unexpected(bad_request("nodeid-required"));
  if (node == nullptr) return std::unexpected(StanzaError::of(Condition::item_not_found));
  return node;
}

storage::Ticket Pubsub::put_person(PubsubOwner& owner, const std::string& name, const Node& node,
                                   const xmpp::Jid& jid) {
  storage::PubsubPerson person{.jid = jid};
  if (jid.is_bare()) {
    const Affiliation affiliation = node.affiliation_of(xmpp::BareJid::of(jid));
    if (affiliation != Affiliation::none) person.affiliation = wire_word(affiliation);
  }
  const NodeSubscription subscription = node.subscription_of(jid);
  if (subscription != NodeSubscription::none) person.subscription = wire_word(subscription);
  return wrote(owner, deps_.store.put_person(owner.jid(), name, person));
}

void Pubsub::subscribe(PubsubOwner& owner, IqRequest request, const xml::Element& subscribe) {
  const std::string name = node_of(subscribe);
  if (name.empty()) return request.fail(bad_request("nodeid-required"));
  const std::optional<xmpp::Jid> jid = xmpp::Jid::parse(subscribe.attribute("jid").value_or(""));
  // §6.1.3.1: its account or one of its clients, nobody else.
  if (!jid || jid->bare_text() != request.from().bare_text()) return request.fail(bad_request("invalid-jid"));
  const Standing who = owner.standing_of(request.from());
  Node* node = owner.nodes().find(name);
  const bool asks = node != nullptr && node->config.access_model == AccessModel::authorize && !who.owner &&
                    node->affiliation_of(who.jid) == Affiliation::none;
  if (!asks) {
    if (const auto why = may_read(node, who)) return request.fail(*why);
  }
  NodeSubscription state = node->subscription_of(*jid);
  storage::Ticket ticket = owner.nodes().last_write();
  // §6.1.3.7
  if (asks && state == NodeSubscription::pending) {
    return request.fail(xmpp::pubsub_error(ErrorType::auth, Condition::not_authorized, "pending-subscription"));
  }
  const bool fresh = state != NodeSubscription::subscribed;
  if (fresh) {
    if (state == NodeSubscription::none &&
        node->subscriptions.size() + node->affiliations.size() >= deps_.limits.pubsub_people) {
      deps_.events.limit_hit("pubsub_people");
      return request.fail(xmpp::pubsub_error(ErrorType::wait, Condition::policy_violation, "too-many-subscriptions"));
    }
    state = asks && !node->is_subscribed(who.jid) ? NodeSubscription::pending : NodeSubscription::subscribed;
    node->subscriptions[*jid] = state;
    ticket = put_person(owner, name, *node, *jid);
  }
  xml::Element answer("subscription", ns::pubsub);
  answer.set("node", name).set("jid", jid->text()).set("subscription", std::string(wire_word(state)));
  request.reply(wrapped(ns::pubsub, std::move(answer)), ticket);
  if (fresh && state == NodeSubscription::pending) owner.ask_owner(authorization_form(name, *jid), ticket);
  if (fresh && state == NodeSubscription::subscribed && node->config.send_last_item != xmpp::SendLastItem::never) {
    send_newest(owner.jid(), name, *jid, ticket);
  }
}

void Pubsub::send_newest(const xmpp::BareJid& owner, const std::string& name, const xmpp::Jid& subscriber,
                         storage::Ticket gate) {
  deps_.store.newest(
      owner, {name},
      [this, owner, name, subscriber, gate](storage::Result<std::map<std::string, storage::PubsubItem>> found) {
        if (!found || found->empty()) return;
        deps_.find(owner, [&](PubsubOwner& still) {
          const Node* node = still.nodes().find(name);
          if (node == nullptr || node->subscription_of(subscriber) != NodeSubscription::subscribed) return;
          const auto event = event_of(owner, name, *node, found->begin()->second);
          if (event) still.notify_one(subscriber, *node, *event, gate);
        });
      });
}

void Pubsub::unsubscribe(PubsubOwner& owner, IqRequest request, const xml::Element& unsubscribe) {
  const std::string name = node_of(unsubscribe);
  if (name.empty()) return request.fail(bad_request("nodeid-required"));
  const std::optional<xmpp::Jid> jid = xmpp::Jid::parse(unsubscribe.attribute("jid").value_or(""));
  // §6.2.3.3: also a client's subscription that it has left behind.
  if (!jid || jid->bare_text() != request.from().bare_text()) {
    return request.fail(StanzaError::of(Condition::forbidden));
  }
  Node* node = owner.nodes().find(name);
  if (node == nullptr || node->subscriptions.erase(*jid) == 0) {
    const auto why = may_read(node, owner.standing_of(request.from()));
    return request.fail(why ? *why
                            : xmpp::pubsub_error(ErrorType::cancel, Condition::unexpected_request, "not-subscribed"));
  }
  request.reply({}, put_person(owner, name, *node, *jid));
}

void Pubsub::get_people(PubsubOwner& owner, IqRequest request, const xml::Element& people) {
  const auto node = owned_node(owner, request.from(), people);
  if (!node) return request.fail(node.error());
  xml::Element answer(people.name(), ns::pubsub_owner);
  answer.set("node", node_of(people));
  if (people.name() == "affiliations") {
    answer.append_child(xml::Element("affiliation", ns::pubsub_owner))
        .set("jid", owner.jid().text())
        .set("affiliation", std::string(wire_word(Affiliation::owner)));
    for (const auto& [jid, affiliation] : (*node)->affiliations) {
      answer.append_child(xml::Element("affiliation", ns::pubsub_owner))
          .set("jid", jid.text())
          .set("affiliation", std::string(wire_word(affiliation)));
    }
  } else {
    for (const auto& [jid, state] : (*node)->subscriptions) {
      answer.append_child(xml::Element("subscription", ns::pubsub_owner))
          .set("jid", jid.text())
          .set("subscription", std::string(wire_word(state)));
    }
  }
  request.reply(wrapped(ns::pubsub_owner, std::move(answer)));
}

void Pubsub::set_affiliations(PubsubOwner& owner, IqRequest request, const xml::Element& affiliations) {
  const auto node = owned_node(owner, request.from(), affiliations);
  if (!node) return request.fail(node.error());
  std::map<xmpp::BareJid, Affiliation> changes;
  bool sound = true;
  affiliations.for_each_child([&](const xml::Element& child) {
    const auto jid = xmpp::Jid::parse(child.attribute("jid").value_or(""));
    const auto affiliation = xmpp::affiliation_from(child.attribute("affiliation").value_or(""));
    // §8.9.2.4: nobody twice.
    if (!child.is("affiliation", ns::pubsub_owner) || !jid || !jid->is_bare() || !affiliation ||
        !changes.emplace(xmpp::BareJid::of(*jid), *affiliation).second) {
      sound = false;
    }
  });
  if (!sound || changes.empty()) return request.fail(StanzaError::of(Condition::bad_request));
  // §8.9.2.4: there is always an owner: the one whose nodes they are.
  if (changes.contains(owner.jid()))
    return request.fail({ErrorType::modify, Condition::not_acceptable, "The owner stays the owner."});
  if ((*node)->affiliations.size() + (*node)->subscriptions.size() + changes.size() > deps_.limits.pubsub_people) {
    deps_.events.limit_hit("pubsub_people");
    return request.fail(StanzaError::of(Condition::policy_violation, "Too many addresses."));
  }
  const std::string name = node_of(affiliations);
  storage::Ticket ticket;
  for (const auto& [jid, affiliation] : changes) {
    if (affiliation == Affiliation::none) {
      (*node)->affiliations.erase(jid);
    } else {
      (*node)->affiliations.insert_or_assign(jid, affiliation);
    }
    ticket = put_person(owner, name, **node, jid);
    // §8.7: what somebody is decides what becomes of a subscription.
    const bool out = affiliation == Affiliation::outcast || affiliation == Affiliation::publish_only;
    const bool in = affiliation == Affiliation::owner || affiliation == Affiliation::publisher ||
                    affiliation == Affiliation::member;
    const auto subscriptions = (*node)->subscriptions;
    for (const auto& [subscriber, state] : subscriptions) {
      if (subscriber.bare_text() != jid.text()) continue;
      if (out) ticket = change_subscription(owner, name, **node, subscriber, NodeSubscription::none);
      if (in && state != NodeSubscription::subscribed) {
        ticket = change_subscription(owner, name, **node, subscriber, NodeSubscription::subscribed);
      }
    }
  }
  request.reply({}, ticket);
}

void Pubsub::set_subscriptions(PubsubOwner& owner, IqRequest request, const xml::Element& subscriptions) {
  const auto node = owned_node(owner, request.from(), subscriptions);
  if (!node) return request.fail(node.error());
  const std::string name = node_of(subscriptions);
  std::vector<std::pair<xmpp::Jid, NodeSubscription>> changes;
  bool sound = true;
  subscriptions.for_each_child([&](const xml::Element& child) {
    const auto jid = xmpp::Jid::parse(child.attribute("jid").value_or(""));
    const auto state = xmpp::node_subscription_from(child.attribute("subscription").value_or(""));
    if (!child.is("subscription", ns::pubsub_owner) || !jid || !state) {
      sound = false;
    } else {
      changes.emplace_back(*jid, *state);
    }
  });
  if (!sound || changes.empty()) return request.fail(StanzaError::of(Condition::bad_request));
  if ((*node)->affiliations.size() + (*node)->subscriptions.size() + changes.size() > deps_.limits.pubsub_people) {
    deps_.events.limit_hit("pubsub_people");
    return request.fail(StanzaError::of(Condition::policy_violation, "Too many addresses."));
  }
  storage::Ticket ticket;
  for (const auto& [jid, state] : changes) ticket = change_subscription(owner, name, **node, jid, state);
  request.reply({}, ticket);
}

storage::Ticket Pubsub::change_subscription(PubsubOwner& owner, const std::string& name, Node& node,
                                            const xmpp::Jid& jid, NodeSubscription state) {
  const NodeSubscription before = node.subscription_of(jid);
  if (state == NodeSubscription::none) {
    node.subscriptions.erase(jid);
  } else {
    node.subscriptions.insert_or_assign(jid, state);
  }
  const storage::Ticket ticket = put_person(owner, name, node, jid);
  if (before == state) return ticket;
  // §8.8.2.3: the subscriber is told.
  xml::Element event("event", ns::pubsub_event);
  event.append_child(xml::Element("subscription", ns::pubsub_event))
      .set("node", name)
      .set("jid", jid.text())
      .set("subscription", std::string(wire_word(state)));
  owner.notify_one(jid, node, event, ticket);
  if (state == NodeSubscription::subscribed && node.config.send_last_item != xmpp::SendLastItem::never) {
    send_newest(owner.jid(), name, jid, ticket);
  }
  return ticket;
}

// --- authorization (§8.6)
// ------------------------------------------------------------------------------------------------

bool Pubsub::authorize(PubsubOwner& owner, const xml::Element& element) {
  const auto form = xmpp::DataForm::parse(element);
  if (!form || form->value("FORM_TYPE") != ns_authorization) return false;
  // Who cancels leaves it undecided.
  if (form->type != "submit") return true;
  const std::string name(form->value("pubsub#node").value_or(""));
  Node* node = owner.nodes().find(name);
  const auto subscriber = xmpp::Jid::parse(form->value("pubsub#subscriber_jid").value_or(""));
  // There is nothing to decide about who has not asked.
  if (node == nullptr || !subscriber || node->subscription_of(*subscriber) != NodeSubscription::pending) return true;
  const std::string_view allow = form->value("pubsub#allow").value_or("");
  const bool allowed = allow == "1" || allow == "true";
  change_subscription(owner, name, *node, *subscriber, allowed ? NodeSubscription::subscribed : NodeSubscription::none);
  return true;
}

}  // namespace kith::module
