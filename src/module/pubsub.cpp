#include "module/pubsub.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/encoding.h"
#include "module/pubsub_requests.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/data_form.h"
#include "xmpp/namespaces.h"
#include "xmpp/rsm.h"

namespace kith::module {

namespace ns = xmpp::ns;
using xmpp::Affiliation;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::NodeConfig;
using xmpp::NodeSubscription;
using xmpp::StanzaError;
using xmpp::StanzaType;

namespace {

/// What an answer holds of payloads, so that it stays below what clients take as one stanza.
constexpr std::size_t most_answer_bytes = 256 * 1024;
constexpr std::size_t most_name_bytes = 1023;
/// What is looked at of the items that new ones take the place of.
constexpr std::size_t most_replaced_bytes = 4 * 1024 * 1024;
constexpr std::string_view ns_avatar_data = "urn:xmpp:avatar:data";  // XEP-0084 §4.1

/// Whose address an item shows as its publisher's (§12.11); empty: nobody's.
std::string shown_publisher(const NodeConfig& config, const xmpp::BareJid& owner, const std::string& publisher) {
  switch (config.itemreply) {
    case xmpp::ItemReply::owner:
      return owner.text();
    case xmpp::ItemReply::publisher:
      return publisher.empty() ? owner.text() : publisher;
    case xmpp::ItemReply::none:
      break;
  }
  return {};
}

xml::Element item_element(std::string_view ns, const std::string& id, const std::string& publisher,
                          const xml::Element* payload) {
  xml::Element item("item", ns);
  item.set("id", id);
  if (!publisher.empty()) item.set("publisher", publisher);
  if (payload != nullptr) item.add(*payload);
  return item;
}

/// The item with what was stored of it; without payload if that is damaged.
xml::Element stored_item(std::string_view ns, const storage::PubsubItem& item, const NodeConfig& config,
                         const xmpp::BareJid& owner, bool payload = true) {
  const std::string publisher = shown_publisher(config, owner, item.publisher);
  if (!payload || item.payload.empty()) return item_element(ns, item.id, publisher, nullptr);
  const auto parsed = xml::parse_stored_element(item.payload, {});
  return item_element(ns, item.id, publisher, parsed ? &*parsed : nullptr);
}

/// SECURITY: who may publish by the publish model only, or only publish, has no say over what others published (§4.1).
bool rules_all_items(const Node* node, const Standing& who) {
  if (who.owner) return true;
  const Affiliation affiliation = node == nullptr ? Affiliation::none : node->affiliation_of(who.jid);
  return affiliation == Affiliation::owner || affiliation == Affiliation::publisher;
}
bool is_by_another(const storage::PubsubItem& item, const xmpp::BareJid& who) { return item.publisher != who.text(); }

/// The form inside `element`, or nothing if it has none.
std::expected<std::optional<xmpp::DataForm>, StanzaError> form_in(const xml::Element* element) {
  const xml::Element* x = element == nullptr ? nullptr : element->child("x", ns::data_forms);
  if (x == nullptr) return std::nullopt;
  auto form = xmpp::DataForm::parse(*x);
  if (!form) return std::unexpected(form.error());
  return *std::move(form);
}

std::vector<std::string> ids_in(const xml::Element& element) {
  std::vector<std::string> ids;
  element.for_each_child([&](const xml::Element& child) {
    if (child.is("item", ns::pubsub)) ids.emplace_back(child.attribute("id").value_or(""));
  });
  return ids;
}

xml::Element node_event(std::string_view name, const std::string& node) {
  xml::Element event("event", ns::pubsub_event);
  event.append_child(xml::Element(name, ns::pubsub_event)).set("node", node);
  return event;
}

}  // namespace

const std::vector<std::string_view>& Pubsub::features() {
  static const std::vector<std::string_view> all{
      ns::pubsub,
      "http://jabber.org/protocol/pubsub#access-authorize",
      "http://jabber.org/protocol/pubsub#access-open",
      "http://jabber.org/protocol/pubsub#access-presence",
      "http://jabber.org/protocol/pubsub#access-roster",
      "http://jabber.org/protocol/pubsub#access-whitelist",
      "http://jabber.org/protocol/pubsub#auto-create",
      "http://jabber.org/protocol/pubsub#config-node",
      "http://jabber.org/protocol/pubsub#config-node-max",
      "http://jabber.org/protocol/pubsub#create-and-configure",
      "http://jabber.org/protocol/pubsub#create-nodes",
      "http://jabber.org/protocol/pubsub#delete-items",
      "http://jabber.org/protocol/pubsub#delete-nodes",
      "http://jabber.org/protocol/pubsub#instant-nodes",
      "http://jabber.org/protocol/pubsub#item-ids",
      "http://jabber.org/protocol/pubsub#last-published",
      "http://jabber.org/protocol/pubsub#manage-subscriptions",
      "http://jabber.org/protocol/pubsub#member-affiliation",
      "http://jabber.org/protocol/pubsub#meta-data",
      "http://jabber.org/protocol/pubsub#modify-affiliations",
      "http://jabber.org/protocol/pubsub#multi-items",
      "http://jabber.org/protocol/pubsub#outcast-affiliation",
      "http://jabber.org/protocol/pubsub#persistent-items",
      "http://jabber.org/protocol/pubsub#publish",
      "http://jabber.org/protocol/pubsub#publish-only-affiliation",
      "http://jabber.org/protocol/pubsub#publish-options",
      "http://jabber.org/protocol/pubsub#publisher-affiliation",
      "http://jabber.org/protocol/pubsub#purge-nodes",
      "http://jabber.org/protocol/pubsub#retract-items",
      "http://jabber.org/protocol/pubsub#retrieve-affiliations",
      "http://jabber.org/protocol/pubsub#retrieve-default",
      "http://jabber.org/protocol/pubsub#retrieve-items",
      "http://jabber.org/protocol/pubsub#retrieve-subscriptions",
      "http://jabber.org/protocol/pubsub#rsm",
      "http://jabber.org/protocol/pubsub#subscribe",
  };
  return all;
}

const std::vector<Pubsub::Entry>& Pubsub::entries() {
  static const std::vector<Entry> all{
      {StanzaType::get, ns::pubsub, "items", &Pubsub::get_items},
      {StanzaType::get, ns::pubsub, "subscriptions", &Pubsub::get_subscriptions},
      {StanzaType::get, ns::pubsub, "affiliations", &Pubsub::get_affiliations},
      {StanzaType::get, ns::pubsub, "options", &Pubsub::no_options},
      {StanzaType::get, ns::pubsub, "default", &Pubsub::no_options},
      {StanzaType::set, ns::pubsub, "create", &Pubsub::create},
      {StanzaType::set, ns::pubsub, "publish", &Pubsub::publish_request},
      {StanzaType::set, ns::pubsub, "retract", &Pubsub::retract_request},
      {StanzaType::set, ns::pubsub, "subscribe", &Pubsub::subscribe},
      {StanzaType::set, ns::pubsub, "unsubscribe", &Pubsub::unsubscribe},
      {StanzaType::set, ns::pubsub, "options", &Pubsub::no_options},
      {StanzaType::get, ns::pubsub_owner, "default", &Pubsub::get_default},
      {StanzaType::get, ns::pubsub_owner, "configure", &Pubsub::get_config},
      {StanzaType::set, ns::pubsub_owner, "configure", &Pubsub::set_config},
      {StanzaType::set, ns::pubsub_owner, "delete", &Pubsub::delete_node},
      {StanzaType::set, ns::pubsub_owner, "purge", &Pubsub::purge},
      {StanzaType::get, ns::pubsub_owner, "affiliations", &Pubsub::get_people},
      {StanzaType::get, ns::pubsub_owner, "subscriptions", &Pubsub::get_people},
      {StanzaType::set, ns::pubsub_owner, "affiliations", &Pubsub::set_affiliations},
      {StanzaType::set, ns::pubsub_owner, "subscriptions", &Pubsub::set_subscriptions},
  };
  return all;
}

void Pubsub::handle(PubsubOwner& owner, IqRequest request) {
  const xml::Element* child = request.payload().first_child();
  if (child == nullptr) return request.fail(StanzaError::of(Condition::bad_request));
  const auto found = std::ranges::find_if(entries(), [&](const Entry& entry) {
    return entry.type == request.stanza().type() && child->is(entry.name, entry.ns) &&
           request.payload().ns() == entry.ns;
  });
  if (found == entries().end()) return request.fail(StanzaError::of(Condition::feature_not_implemented));
  // The element lies in the request, which the operation may hand on and destroy.
  const xml::Element operand = *child;
  (this->*found->operation)(owner, std::move(request), operand);
}

// --- reading
// ---------------------------------------------------------------------------------------------------------------

void Pubsub::get_items(PubsubOwner& owner, IqRequest request, const xml::Element& items) {
  const std::string name = node_of(items);
  if (name.empty()) return request.fail(bad_request("nodeid-required"));
  const Node* node = owner.nodes().find(name);
  if (const auto why = may_read(node, owner.standing_of(request.from()))) return request.fail(*why);
  // §6.5.9.4
  if (!node->config.persist_items) return request.fail(xmpp::pubsub_unsupported("persistent-items"));

  storage::PubsubQuery query{.ids = ids_in(items),
                             .most = deps_.limits.pubsub_items,
                             .most_bytes = most_answer_bytes,
                             .since = kept_since(*node)};
  if (query.ids.size() > query.most) return request.fail(StanzaError::of(Condition::policy_violation));
  bool by_page = false;
  if (const auto wanted = items.attribute("max_items")) {
    const auto number = parse_number<std::uint64_t>(*wanted);
    if (!number || *number == 0) return request.fail(StanzaError::of(Condition::bad_request));
    query.from_newest = true;
    query.most = std::min<std::size_t>(query.most, *number);
  }
  const auto page = xmpp::PageRequest::of(request.payload());
  if (!page) return request.fail(page.error());
  if (page->max || page->after || page->before) {
    by_page = true;
    if (page->max) query.most = std::min<std::size_t>(query.most, *page->max);
    if (page->after) query.after = *page->after;
    if (page->before) {
      query.before = *page->before;
      query.from_newest = true;
    }
  }
  const bool many = query.ids.empty();
  deps_.store.items(owner.jid(), name, std::move(query),
                    [name, by_page, many, config = node->config, jid = owner.jid(),
                     request = std::move(request)](storage::Result<storage::PubsubPage> found) mutable {
                      if (!found) return request.fail(StanzaError::storage_failed());
                      if (!found->known) return request.fail(StanzaError::of(Condition::item_not_found));
                      xml::Element answer("items", ns::pubsub);
                      answer.set("node", name);
                      for (const storage::PubsubItem& item : found->items) {
                        answer.add(stored_item(ns::pubsub, item, config, jid));
                      }
                      xml::Element pubsub = wrapped(ns::pubsub, std::move(answer));
                      if (by_page || (many && !found->complete)) {
                        const bool empty = found->items.empty();
                        pubsub.add(xmpp::page_element(empty ? "" : found->items.front().id,
                                                      empty ? "" : found->items.back().id, found->total));
                      }
                      request.reply(std::move(pubsub));
                    });
}

void Pubsub::get_subscriptions(PubsubOwner& owner, IqRequest request, const xml::Element& subscriptions) {
  const xmpp::BareJid who = xmpp::BareJid::of(request.from());
  const std::string wanted = node_of(subscriptions);
  xml::Element answer("subscriptions", ns::pubsub);
  if (!wanted.empty()) answer.set("node", wanted);
  for (const auto& [name, node] : owner.nodes().nodes()) {
    if (!wanted.empty() && wanted != name) continue;
    for (const auto& [jid, state] : node.subscriptions) {
      if (jid.bare_text() != who.text()) continue;
      answer.append_child(xml::Element("subscription", ns::pubsub))
          .set("node", name)
          .set("jid", jid.text())
          .set("subscription", std::string(wire_word(state)));
    }
  }
  request.reply(wrapped(ns::pubsub, std::move(answer)));
}

void Pubsub::get_affiliations(PubsubOwner& owner, IqRequest request, const xml::Element& affiliations) {
  const Standing who = owner.standing_of(request.from());
  const std::string wanted = node_of(affiliations);
  xml::Element answer("affiliations", ns::pubsub);
  if (!wanted.empty()) answer.set("node", wanted);
  for (const auto& [name, node] : owner.nodes().nodes()) {
    if (!wanted.empty() && wanted != name) continue;
    const Affiliation affiliation = who.owner ? Affiliation::owner : node.affiliation_of(who.jid);
    if (affiliation == Affiliation::none) continue;
    answer.append_child(xml::Element("affiliation", ns::pubsub))
        .set("node", name)
        .set("affiliation", std::string(wire_word(affiliation)));
  }
  request.reply(wrapped(ns::pubsub, std::move(answer)));
}

void Pubsub::no_options(PubsubOwner&, IqRequest request, const xml::Element&) {
  request.fail(xmpp::pubsub_unsupported("subscription-options"));
}

// --- nodes
// -----------------------------------------------------------------------------------------------------------------

std::expected<Node*, StanzaError> Pubsub::make_node(PubsubOwner& owner, const std::string& name, NodeConfig config) {
  if (name.size() > most_name_bytes) {
    return std::unexpected(StanzaError{ErrorType::modify, Condition::not_acceptable, "The node's name is too long."});
  }
  if (owner.nodes().nodes().size() >= deps_.limits.pubsub_nodes) {
    deps_.events.limit_hit("pubsub_nodes");
    StanzaError error = xmpp::pubsub_error(ErrorType::wait, Condition::policy_violation, "max-nodes-exceeded");
    error.text = "There can be " + std::to_string(deps_.limits.pubsub_nodes) + " nodes at most.";
    return std::unexpected(std::move(error));
  }
  wrote(owner, deps_.store.put_node(owner.jid(), name, config.to_text(NodeConfig())));
  return &owner.nodes().add(name, std::move(config));
}

void Pubsub::create(PubsubOwner& owner, IqRequest request, const xml::Element& create) {
  if (!owner.standing_of(request.from()).owner) return request.fail(StanzaError::of(Condition::forbidden));
  std::string name = node_of(create);
  const bool instant = name.empty();
  if (instant) name = deps_.random.token();
  if (owner.nodes().find(name) != nullptr) return request.fail(StanzaError::of(Condition::conflict));
  NodeConfig config;
  const auto form = form_in(request.payload().child("configure", ns::pubsub));
  if (!form) return request.fail(form.error());
  if (*form) {
    const auto applied = config.apply(**form, deps_.limits.pubsub_items);
    if (!applied) return request.fail(applied.error());
  }
  const auto made = make_node(owner, name, std::move(config));
  if (!made) return request.fail(made.error());
  const storage::Ticket ticket = owner.nodes().last_write();
  if (!instant) return request.reply({}, ticket);
  request.reply(wrapped(ns::pubsub, std::move(xml::Element("create", ns::pubsub).set("node", name))), ticket);
}

void Pubsub::get_default(PubsubOwner& owner, IqRequest request, const xml::Element&) {
  if (!owner.standing_of(request.from()).owner) return request.fail(StanzaError::of(Condition::forbidden));
  xml::Element answer("default", ns::pubsub_owner);
  answer.add(NodeConfig().to_form("form", ns::pubsub_node_config).to_element());
  request.reply(wrapped(ns::pubsub_owner, std::move(answer)));
}

void Pubsub::get_config(PubsubOwner& owner, IqRequest request, const xml::Element& configure) {
  const auto node = owned_node(owner, request.from(), configure);
  if (!node) return request.fail(node.error());
  xml::Element answer("configure", ns::pubsub_owner);
  answer.set("node", node_of(configure));
  answer.add((*node)->config.to_form("form", ns::pubsub_node_config).to_element());
  request.reply(wrapped(ns::pubsub_owner, std::move(answer)));
}

void Pubsub::set_config(PubsubOwner& owner, IqRequest request, const xml::Element& configure) {
  const auto node = owned_node(owner, request.from(), configure);
  if (!node) return request.fail(node.error());
  const auto form = form_in(&configure);
  if (!form) return request.fail(form.error());
  if (!*form) return request.fail(StanzaError::of(Condition::bad_request));
  if ((*form)->type == "cancel") return request.reply();
  NodeConfig config = (*node)->config;
  const auto applied = config.apply(**form, deps_.limits.pubsub_items);
  if (!applied) return request.fail(applied.error());
  const std::string name = node_of(configure);
  request.reply({}, this->configure(owner, name, std::move(config)));
}

storage::Ticket Pubsub::configure(PubsubOwner& owner, const std::string& name, NodeConfig config) {
  Node* node = owner.nodes().find(name);
  if (node == nullptr) return {};
  node->config = std::move(config);
  wrote(owner, deps_.store.put_node(owner.jid(), name, node->config.to_text(NodeConfig())));
  const storage::Ticket ticket = wrote(owner, deps_.store.trim(owner.jid(), name, keep_of(*node)));
  if (node->config.notify_config) {
    // §8.2.5.3
    xml::Element event("event", ns::pubsub_event);
    xml::Element& told = event.append_child(xml::Element("configuration", ns::pubsub_event)).set("node", name);
    if (node->config.deliver_payloads) told.add(node->config.to_form("result", ns::pubsub_node_config).to_element());
    owner.notify(name, *node, event, ticket);
  }
  return ticket;
}

void Pubsub::delete_node(PubsubOwner& owner, IqRequest request, const xml::Element& element) {
  const auto node = owned_node(owner, request.from(), element);
  if (!node) return request.fail(node.error());
  const std::string name = node_of(element);
  const storage::Ticket ticket = wrote(owner, deps_.store.remove_node(owner.jid(), name));
  if ((*node)->config.notify_delete) {
    const xml::Element event = node_event("delete", name);
    owner.notify(name, **node, event, ticket);
    // §8.4.2: who still waits for an answer, too.
    for (const auto& [jid, state] : (*node)->subscriptions) {
      if (state == NodeSubscription::pending) owner.notify_one(jid, **node, event, ticket);
    }
  }
  owner.nodes().remove(name);
  request.reply({}, ticket);
  owner.retracted(name, {}, ticket);
}

void Pubsub::purge(PubsubOwner& owner, IqRequest request, const xml::Element& purge) {
  const auto node = owned_node(owner, request.from(), purge);
  if (!node) return request.fail(node.error());
  if (!(*node)->config.persist_items) return request.fail(xmpp::pubsub_unsupported("persistent-items"));
  const std::string name = node_of(purge);
  const storage::Ticket ticket = wrote(owner, deps_.store.trim(owner.jid(), name, {0}));
  if ((*node)->config.notify_retract) owner.notify(name, **node, node_event("purge", name), ticket);
  request.reply({}, ticket);
  owner.retracted(name, {}, ticket);
}

// --- publishing
// ------------------------------------------------------------------------------------------------------------

std::size_t Pubsub::most_bytes(const std::string& node, const NodeConfig& config) const {
  const std::size_t most = node == ns_avatar_data ? deps_.limits.avatar_bytes : deps_.limits.pubsub_item_bytes;
  return static_cast<std::size_t>(std::min<std::uint64_t>(most, config.max_payload_size.value_or(most)));
}

std::optional<WallTime> Pubsub::kept_since(const Node& node) const {
  if (!node.config.item_expire) return std::nullopt;
  // What is kept for longer than there has been time is kept for good.
  const WallTime now = deps_.clock.wall();
  const auto age = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  if (age < 0 || *node.config.item_expire >= static_cast<std::uint64_t>(age)) return std::nullopt;
  return now - std::chrono::seconds(*node.config.item_expire);
}

void Pubsub::expire(PubsubOwner& owner) {
  for (const auto& [name, node] : owner.nodes().nodes()) {
    if (node.config.item_expire) wrote(owner, deps_.store.trim(owner.jid(), name, keep_of(node)));
  }
}

std::size_t Pubsub::kept_items(const Node& node) const {
  if (!node.config.persist_items) return 0;
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(node.config.max_items.value_or(deps_.limits.pubsub_items), deps_.limits.pubsub_items));
}

void Pubsub::publish_request(PubsubOwner& owner, IqRequest request, const xml::Element&) {
  publish_in_turn(owner, std::move(request));
}

void Pubsub::publish_in_turn(PubsubOwner& owner, IqRequest request) {
  if (const auto counting = counting_.find(owner.jid()); counting != counting_.end()) {
    if (counting->second.size() >= deps_.limits.account_queue_stanzas) {
      return request.fail(StanzaError::of(Condition::resource_constraint));
    }
    counting->second.push_back(std::move(request));
    return;
  }
  publish_checked(owner, std::move(request), std::nullopt);
}

std::expected<std::vector<xml::Element>, StanzaError> Pubsub::items_of(const xml::Element& publish,
                                                                       const std::string& name,
                                                                       const NodeConfig& config) {
  std::vector<xml::Element> items;
  std::optional<StanzaError> wrong;
  publish.for_each_child([&](const xml::Element& item) {
    if (wrong || !item.is("item", ns::pubsub)) return;
    const xml::Element* payload = item.first_child();
    if (item.child_element_count() > 1 ||
        (payload != nullptr && !config.type.empty() && payload->ns() != config.type)) {
      wrong = bad_request("invalid-payload");
    } else if (payload == nullptr && config.deliver_payloads) {
      wrong = bad_request("payload-required");
    } else if (item.attribute("id").value_or("").size() > most_name_bytes) {
      wrong = StanzaError{ErrorType::modify, Condition::not_acceptable, "The item's id is too long."};
    } else if (payload != nullptr && xml::to_string(*payload).size() > most_bytes(name, config)) {
      deps_.events.limit_hit(name == ns_avatar_data ? "avatar_bytes" : "pubsub_item_bytes");
      wrong = xmpp::pubsub_error(ErrorType::modify, Condition::not_acceptable, "payload-too-big");
    } else {
      items.push_back(item);
      if (item.attribute("id").value_or("").empty()) items.back().set("id", deps_.random.token());
    }
  });
  if (wrong) return std::unexpected(*wrong);
  // §7.1.3.7: where nothing is kept and nothing is sent along, that something has happened is all there is to say.
  const bool bare = !config.persist_items && !config.deliver_payloads;
  if (bare && !items.empty()) return std::unexpected(bad_request("item-forbidden"));
  if (!bare && items.empty()) return std::unexpected(bad_request("item-required"));
  return items;
}

void Pubsub::publish_checked(PubsubOwner& owner, IqRequest request, std::optional<Replaced> replaced) {
  const xml::Element& publish = *request.payload().first_child();
  const std::string name = node_of(publish);
  if (name.empty()) return request.fail(bad_request("nodeid-required"));
  const Standing who = owner.standing_of(request.from());
  Node* node = owner.nodes().find(name);
  if (const auto why = may_publish(node, who)) return request.fail(*why);

  NodeConfig config;
  const auto options = form_in(request.payload().child("publish-options", ns::pubsub));
  if (!options) return request.fail(options.error());
  if (node != nullptr) {
    config = node->config;
  } else if (*options) {
    const auto applied = config.apply(**options, deps_.limits.pubsub_items);
    if (!applied) return request.fail(applied.error());
  }
  // §7.1.5: also for a node that is made now: a field that is unknown is a precondition that does not hold.
  if (*options && !config.meets(**options)) {
    return request.fail(xmpp::pubsub_error(ErrorType::cancel, Condition::conflict, "precondition-not-met"));
  }

  auto items = items_of(publish, name, config);
  if (!items) return request.fail(items.error());
  // §12.19
  const std::size_t most = config.persist_items ? kept_items(Node{.config = config}) : deps_.limits.pubsub_items;
  if (items->size() > std::max<std::size_t>(most, 1)) {
    return request.fail(xmpp::pubsub_error(ErrorType::cancel, Condition::not_allowed, "max-items-exceeded"));
  }
  std::uint64_t bytes = 0;
  std::vector<std::string> ids;
  for (const xml::Element& item : *items) {
    if (const xml::Element* payload = item.first_child()) bytes += xml::to_string(*payload).size();
    ids.emplace_back(*item.attribute("id"));
  }

  if (!rules_all_items(node, who) && config.persist_items) {
    if (!replaced) return count_first(owner, name, std::move(request), std::move(ids));
    if (replaced->of_others) return request.fail(StanzaError::of(Condition::forbidden));
  }
  const std::uint64_t there = owner.nodes().bytes_at_most();
  const std::uint64_t stays = there - std::min(there, replaced.value_or(Replaced{}).bytes);
  if (config.persist_items && stays + bytes > deps_.limits.pubsub_owner_bytes) {
    if (replaced) {
      deps_.events.limit_hit("pubsub_owner_bytes");
      return request.fail(
          {ErrorType::wait, Condition::policy_violation,
           "All items together can have " + std::to_string(deps_.limits.pubsub_owner_bytes) + " bytes at most."});
    }
    return count_first(owner, name, std::move(request), std::move(ids));
  }

  storage::Ticket gate;
  if (node == nullptr) {
    const auto made = make_node(owner, name, std::move(config));
    if (!made) return request.fail(made.error());
    node = *made;
    gate = owner.nodes().last_write();
  }
  xml::Element answer("publish", ns::pubsub);
  answer.set("node", name);
  for (const std::string& id : ids) answer.add(item_element(ns::pubsub, id, {}, nullptr));
  const storage::Ticket ticket = publish_now(owner, name, *node, *std::move(items), who.jid, gate);
  request.reply(wrapped(ns::pubsub, std::move(answer)), ticket);
}

void Pubsub::count_first(PubsubOwner& owner, const std::string& name, IqRequest request, std::vector<std::string> ids) {
  const xmpp::BareJid jid = owner.jid();
  counting_[jid].push_back(std::move(request));
  const Node* node = owner.nodes().find(name);
  if (node == nullptr) return count_rest(jid, {});
  storage::PubsubQuery query{.most = ids.size(), .most_bytes = most_replaced_bytes};
  const Standing who = owner.standing_of(counting_[jid].back().from());
  const bool rules = rules_all_items(node, who);
  if (rules && kept_items(*node) == 1) {
    // Whatever is there makes room.
    query.most = 1;
    query.from_newest = true;
  } else {
    query.ids = std::move(ids);
  }
  deps_.store.items(jid, name, std::move(query),
                    [this, jid, who = who.jid](storage::Result<storage::PubsubPage> found) {
                      Replaced replaced{.of_others = !found};
                      if (found) {
                        for (const storage::PubsubItem& item : found->items) {
                          replaced.bytes += item.payload.size();
                          replaced.of_others = replaced.of_others || is_by_another(item, who);
                        }
                      }
                      count_rest(jid, replaced);
                    });
}

void Pubsub::count_rest(const xmpp::BareJid& jid, Replaced replaced) {
  reload(jid, [this, jid, replaced](PubsubOwner& still, bool loaded) {
    std::deque<IqRequest> waiting = std::move(counting_[jid]);
    counting_.erase(jid);
    std::optional<Replaced> of_the_first = replaced;
    for (IqRequest& waited : waiting) {
      if (!loaded) {
        waited.fail(StanzaError::storage_failed());
      } else if (of_the_first) {
        publish_checked(still, std::move(waited), std::exchange(of_the_first, std::nullopt));
      } else {
        publish_in_turn(still, std::move(waited));
      }
    }
  });
}

storage::Ticket Pubsub::publish_now(PubsubOwner& owner, const std::string& name, Node& node,
                                    std::vector<xml::Element> items, const xmpp::BareJid& publisher,
                                    storage::Ticket gate) {
  const std::string by = publisher == owner.jid() ? std::string() : publisher.text();
  if (node.config.persist_items) {
    std::vector<storage::PubsubItem> stored;
    std::uint64_t bytes = 0;
    for (const xml::Element& item : items) {
      const xml::Element* payload = item.first_child();
      stored.push_back({.id = std::string(item.attribute("id").value_or("")),
                        .when = deps_.clock.wall(),
                        .payload = payload == nullptr ? std::string() : xml::to_string(*payload),
                        .publisher = by});
      bytes += stored.back().payload.size();
    }
    owner.nodes().add_bytes(bytes);
    gate = wrote(owner, deps_.store.publish(owner.jid(), name, std::move(stored), keep_of(node)));
  }
  if (node.config.deliver_notifications) {
    xml::Element event("event", ns::pubsub_event);
    xml::Element& list = event.append_child(xml::Element("items", ns::pubsub_event));
    list.set("node", name);
    for (const xml::Element& item : items) {
      list.add(item_element(ns::pubsub_event, std::string(item.attribute("id").value_or("")),
                            shown_publisher(node.config, owner.jid(), by),
                            node.config.deliver_payloads ? item.first_child() : nullptr));
    }
    owner.notify(name, node, event, gate);
  }
  owner.published(name, node, items, gate);
  return gate;
}

std::expected<storage::Ticket, StanzaError> Pubsub::publish(PubsubOwner& owner, const std::string& name,
                                                            std::vector<xml::Element> items, const NodeConfig& options,
                                                            bool as_configured) {
  std::uint64_t bytes = 0;
  for (const xml::Element& item : items) {
    const std::size_t its = item.first_child() == nullptr ? 0 : xml::to_string(*item.first_child()).size();
    bytes += its;
    if (its <= most_bytes(name, options) && item.attribute("id").value_or("").size() <= most_name_bytes) continue;
    deps_.events.limit_hit("pubsub_item_bytes");
    return std::unexpected(StanzaError::of(Condition::policy_violation));
  }
  if (owner.nodes().bytes_at_most() + bytes > deps_.limits.pubsub_owner_bytes) {
    deps_.events.limit_hit("pubsub_owner_bytes");
    // It may be less than it seems; the next time that is known.
    reload(owner.jid(), [](PubsubOwner&, bool) {});
    return std::unexpected(StanzaError::of(Condition::policy_violation));
  }
  Node* node = owner.nodes().find(name);
  storage::Ticket gate;
  if (node == nullptr) {
    const auto made = make_node(owner, name, options);
    if (!made) return std::unexpected(made.error());
    node = *made;
    gate = owner.nodes().last_write();
  } else if (as_configured) {
    NodeConfig config = node->config;
    config.access_model = options.access_model;
    config.persist_items = options.persist_items;
    config.max_items = options.max_items;
    if (config != node->config) {
      node->config = std::move(config);
      wrote(owner, deps_.store.put_node(owner.jid(), name, node->config.to_text(NodeConfig())));
    }
  }
  if (items.empty()) return gate;
  return publish_now(owner, name, *node, std::move(items), owner.jid(), gate);
}

void Pubsub::retract_request(PubsubOwner& owner, IqRequest request, const xml::Element& retract) {
  const std::string name = node_of(retract);
  if (name.empty()) return request.fail(bad_request("nodeid-required"));
  const Node* node = owner.nodes().find(name);
  const Standing who = owner.standing_of(request.from());
  if (const auto why = may_publish(node, who)) return request.fail(*why);
  if (node == nullptr) return request.fail(StanzaError::of(Condition::item_not_found));
  if (!node->config.persist_items) return request.fail(xmpp::pubsub_unsupported("persistent-items"));
  std::vector<std::string> ids = ids_in(retract);
  const bool unnamed = std::ranges::any_of(ids, [](const std::string& id) { return id.empty(); });
  if (ids.empty() || unnamed) return request.fail(bad_request("item-required"));
  if (ids.size() > deps_.limits.pubsub_items) return request.fail(StanzaError::of(Condition::policy_violation));
  const std::string_view wants = retract.attribute("notify").value_or("");
  const bool notify = wants == "1" || wants == "true" || (wants.empty() && node->config.notify_retract);
  const storage::PubsubQuery query{.ids = ids, .most = ids.size(), .payloads = false, .since = kept_since(*node)};
  deps_.store.items(
      owner.jid(), name, query,
      [this, jid = owner.jid(), name, ids = std::move(ids), notify, who = who.jid, rules = rules_all_items(node, who),
       request = std::move(request)](storage::Result<storage::PubsubPage> found) mutable {
        if (!found) return request.fail(StanzaError::storage_failed());
        if (found->items.empty()) return request.fail(StanzaError::of(Condition::item_not_found));
        const auto foreign = [&](const storage::PubsubItem& item) { return is_by_another(item, who); };
        if (!rules && std::ranges::any_of(found->items, foreign)) {
          return request.fail(StanzaError::of(Condition::forbidden));
        }
        deps_.find(jid, [&](PubsubOwner& still) {
          const Node* there = still.nodes().find(name);
          if (there == nullptr) return request.fail(StanzaError::of(Condition::item_not_found));
          const storage::Ticket ticket = wrote(still, deps_.store.retract(jid, name, ids));
          retract_now(still, name, *there, ids, notify, ticket);
          request.reply({}, ticket);
        });
      });
}

void Pubsub::retract_now(PubsubOwner& owner, const std::string& name, const Node& node,
                         const std::vector<std::string>& ids, bool notify, storage::Ticket gate) {
  if (notify) {
    xml::Element event("event", ns::pubsub_event);
    xml::Element& list = event.append_child(xml::Element("items", ns::pubsub_event));
    list.set("node", name);
    for (const std::string& id : ids) list.append_child(xml::Element("retract", ns::pubsub_event)).set("id", id);
    owner.notify(name, node, event, gate);
  }
  owner.retracted(name, ids, gate);
}

storage::Ticket Pubsub::retract(PubsubOwner& owner, const std::string& name, std::vector<std::string> ids) {
  const Node* node = owner.nodes().find(name);
  if (node == nullptr) return {};
  const storage::Ticket ticket = wrote(owner, deps_.store.retract(owner.jid(), name, ids));
  retract_now(owner, name, *node, ids, node->config.notify_retract, ticket);
  return ticket;
}

std::optional<xml::Element> Pubsub::event_of(const xmpp::BareJid& owner, const std::string& name, const Node& node,
                                             const storage::PubsubItem& item) const {
  const std::optional<WallTime> since = kept_since(node);
  if (since && item.when < *since) return std::nullopt;
  xml::Element event("event", ns::pubsub_event);
  event.append_child(xml::Element("items", ns::pubsub_event))
      .set("node", name)
      .add(stored_item(ns::pubsub_event, item, node.config, owner, node.config.deliver_payloads));
  return event;
}

// --- writes
// ----------------------------------------------------------------------------------------------------------------

storage::Ticket Pubsub::wrote(PubsubOwner& owner, storage::Ticket ticket) {
  owner.nodes().set_last_write(ticket);
  deps_.delivery.when_decided(ticket, [this, jid = owner.jid()](bool committed) {
    // Memory is ahead of the disk; if the disk refuses, memory goes back to what the disk has.
    if (!committed) reload(jid, [](PubsubOwner&, bool) {});
  });
  return owner.wrote(ticket);
}

void Pubsub::reload(const xmpp::BareJid& jid, std::move_only_function<void(PubsubOwner&, bool)> then) {
  storage::Ticket asked_at;
  deps_.find(jid, [&](PubsubOwner& owner) { asked_at = owner.nodes().last_write(); });
  deps_.store.load(jid,
                   [this, jid, asked_at, then = std::move(then)](storage::Result<storage::PubsubData> data) mutable {
                     bool found = false;
                     deps_.find(jid, [&](PubsubOwner& owner) {
                       found = true;
                       if (!data) return then(owner, false);
                       // It was written to while it was being read: what was read is too old.
                       if (owner.nodes().last_write() != asked_at) return reload(jid, std::move(then));
                       owner.nodes() = NodeList(*data);
                       owner.nodes().set_last_write(asked_at);
                       then(owner, true);
                     });
                     // What waits for an owner that is gone is answered when it is dropped.
                     if (!found) counting_.erase(jid);
                   });
}

}  // namespace kith::module
