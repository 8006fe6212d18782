#include "modules/pep/pep.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"
#include "xmpp/pubsub.h"

namespace kith::modules {

namespace ns = xmpp::ns;
using module::Account;
using module::Done;
using module::Next;
using module::Node;
using module::Outcome;
using module::Session;
using xmpp::BareJid;
using xmpp::Condition;
using xmpp::FullJid;
using xmpp::StanzaError;
using xmpp::StanzaType;

namespace {

/// Of an account: the clients of its contacts that want events of it.
struct Watchers {
  std::map<BareJid, std::map<FullJid, Wanted>> people;
  std::size_t clients = 0;

  void remove(const FullJid& client) {
    const auto person = people.find(client.bare());
    if (person == people.end()) return;
    clients -= person->second.erase(client);
    if (person->second.empty()) people.erase(person);
  }
};
/// Of a session: what its client wants.
struct OwnWanted {
  Wanted nodes;
};

bool wants(const Wanted& wanted, std::string_view node) { return wanted != nullptr && wanted->contains(node); }

module::Standing standing_in(const Account& account, const xmpp::Jid& jid) {
  module::Standing standing{.jid = BareJid::of(jid)};
  standing.owner = standing.jid == account.jid();
  standing.contact = standing.owner || account.roster().lets_see(standing.jid);
  if (const storage::RosterItem* item = account.roster().find(standing.jid)) standing.groups = item->groups;
  return standing;
}

/// True if whoever asks is a stranger to whom nothing is open that the request could be about.
bool has_nothing_for(Account& account, const module::IqRequest& request) {
  const module::Standing who = standing_in(account, request.from());
  if (who.owner || who.contact) return false;
  const auto names = [&](const Node& node) {
    const auto is_his = [&](const auto& entry) { return entry.first.bare_text() == who.jid.text(); };
    return node.affiliation_of(who.jid) != xmpp::Affiliation::none || std::ranges::any_of(node.subscriptions, is_his);
  };
  const xml::Element* child = request.payload().first_child();
  const auto name = child == nullptr ? std::nullopt : child->attribute("node");
  if (!name) {
    return std::ranges::none_of(account.nodes().nodes(), [&](const auto& entry) { return names(entry.second); });
  }
  const Node* node = account.nodes().find(*name);
  if (node == nullptr) return true;
  if (names(*node) || node->config.access_model == xmpp::AccessModel::open) return false;
  return node->config.access_model != xmpp::AccessModel::authorize || !child->is("subscribe", ns::pubsub);
}

/// True if `jid` hears of the node at all.
bool hears(const Account& account, const Node& node, const xmpp::Jid& jid) {
  return !account.block_list().blocks(jid) && !module::may_read(&node, standing_in(account, jid));
}

}  // namespace

/// An account as the engine sees it.
class Pep::Owner final : public module::PubsubOwner {
 public:
  Owner(Pep& pep, Account& account) : pep_(pep), account_(account) {}
  const BareJid& jid() const override { return account_.jid(); }
  module::NodeList& nodes() override { return account_.nodes(); }
  module::Standing standing_of(const xmpp::Jid& jid) const override { return standing_in(account_, jid); }
  storage::Ticket wrote(storage::Ticket ticket) override { return account_.wrote(ticket); }

  // XEP-0163 §4.3.1, §4.3.2
  void notify(const std::string& name, const Node& node, const xml::Element& event, storage::Ticket gate) override {
    xmpp::Stanza message = pep_.message(account_.jid(), node, event);
    message.share();
    std::set<BareJid> told;
    for (const auto& session : account_.sessions()) {
      const OwnWanted* own = session->attachments().find<OwnWanted>();
      if (own == nullptr || !session->available() || !wants(own->nodes, name)) continue;
      // Who has subscribed with this very address is told as a subscriber.
      if (node.subscription_of(session->jid()) == xmpp::NodeSubscription::subscribed) continue;
      told.insert(account_.jid());
      send(message, session->jid(), gate);
    }
    if (const Watchers* watchers = account_.attachments().find<Watchers>()) {
      for (const auto& [person, clients] : watchers->people) {
        // Without sharing presence it takes a subscription.
        if (!account_.roster().lets_see(person) && !node.is_subscribed(person)) continue;
        if (module::may_read(&node, standing_in(account_, person))) continue;
        for (const auto& [client, wanted] : clients) {
          if (!wants(wanted, name) || account_.block_list().blocks(client)) continue;
          if (node.subscription_of(client) == xmpp::NodeSubscription::subscribed) continue;
          told.insert(person);
          send(message, client, gate);
        }
      }
    }
    for (const auto& [subscriber, state] : node.subscriptions) {
      if (state != xmpp::NodeSubscription::subscribed) continue;
      if (subscriber.is_bare() && told.contains(BareJid::of(subscriber))) continue;
      if (hears(account_, node, subscriber)) send(message, subscriber, gate);
    }
  }
  void ask_owner(const xml::Element& form, storage::Ticket gate) override {
    xml::Element message("message", ns::client);
    message.set("id", pep_.deps_.random.token()).set("from", account_.jid().text()).add(form);
    send(xmpp::Stanza::make(std::move(message)), account_.jid(), gate);
  }
  void notify_one(const xmpp::Jid& subscriber, const Node& node, const xml::Element& event,
                  storage::Ticket gate) override {
    if (account_.block_list().blocks(subscriber)) return;
    send(pep_.message(account_.jid(), node, event), subscriber, gate);
  }
  void published(const std::string& name, const Node&, const std::vector<xml::Element>& items,
                 storage::Ticket gate) override {
    module::ItemsPublished event{account_, name, items, gate};
    pep_.hooks_->run(event);
  }
  void retracted(const std::string& name, const std::vector<std::string>& ids, storage::Ticket gate) override {
    module::ItemsRetracted event{account_, name, ids, gate};
    pep_.hooks_->run(event);
  }

 private:
  void send(const xmpp::Stanza& message, const xmpp::Jid& to, storage::Ticket gate) {
    xmpp::Stanza copy = message;
    copy.set_to(to);
    pep_.deps_.delivery.route(std::move(copy), gate);
  }
  Pep& pep_;
  Account& account_;
};

Pep::Pep(const module::ModuleDeps& deps)
    : interests_(deps),
      pubsub_({deps.clock, deps.random, deps.events, deps.limits, deps.delivery, deps.stores.pubsub,
               [this](const BareJid& jid, const std::function<void(module::PubsubOwner&)>& then) {
                 Account* account = deps_.accounts.loaded(jid);
                 if (account == nullptr) return;
                 Owner owner(*this, *account);
                 then(owner);
               }}),
      deps_(deps) {
  interests_.on_learned = [this](const BareJid& account, const FullJid& client, const Wanted& wanted) {
    learned(account, client, wanted);
  };
}

void Pep::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  for (const std::string_view space : {ns::pubsub, ns::pubsub_owner}) {
    for (const StanzaType type : {StanzaType::get, StanzaType::set}) {
      hooks.on_iq(module::Target::account, module::Access::unguarded, type, "pubsub", space, this, &Pep::request);
    }
  }
  hooks.on<module::SessionAvailable>(this, &Pep::own_client);
  hooks.on<module::SessionRestored>(this, &Pep::own_client_back);
  hooks.on<module::SessionUnavailable>(this, &Pep::own_client_gone);
  hooks.on<module::PresenceToAccount>(module::Phase::copy, this, &Pep::contacts_client);
  hooks.on<module::IqAnswerToAccount>(module::Phase::deliver, this, &Pep::answered);
  hooks.on<module::SightChanged>(this, &Pep::sight_changed);
  hooks.on<module::PublishItems>(module::Phase::deliver, this, &Pep::publish);
  hooks.on<module::RetractItems>(module::Phase::deliver, this, &Pep::retract);
  hooks.on<module::ConfigureNode>(module::Phase::deliver, this, &Pep::configure_node);
  hooks.on<module::MessageFromClient>(module::Phase::annotate, this, &Pep::owner_answers);
  hooks.on<module::DiscoInfo>(module::Phase::deliver, this, &Pep::info);
  hooks.on<module::DiscoItems>(module::Phase::deliver, this, &Pep::items);
}

void Pep::request(module::IqRequest request) {
  // SECURITY: a stranger cannot tell an account that has nothing for him from one that is not there.
  if (request.account() == nullptr || has_nothing_for(*request.account(), request)) {
    const bool reads = request.payload().ns() == ns::pubsub &&
                       (!request.is_set() || request.payload().child("subscribe", ns::pubsub) != nullptr);
    return request.fail(reads ? module::presence_subscription_required() : StanzaError::of(Condition::forbidden));
  }
  if (BareJid::of(request.from()) == request.account()->jid()) {
    module::StoreRequest event{request};
    if (std::holds_alternative<Done>(hooks_->run(event))) return;
  }
  Owner owner(*this, *request.account());
  pubsub_.handle(owner, std::move(request));
}

Outcome Pep::publish(module::PublishItems& event) {
  Owner owner(*this, event.account);
  const auto done = pubsub_.publish(owner, event.node, event.items, event.config, event.as_configured);
  if (done) {
    event.ticket = *done;
  } else {
    event.refused = done.error();
  }
  return Done{};
}

Outcome Pep::retract(module::RetractItems& event) {
  Owner owner(*this, event.account);
  event.ticket = pubsub_.retract(owner, event.node, event.ids);
  return Done{};
}

Outcome Pep::configure_node(module::ConfigureNode& event) {
  Owner owner(*this, event.account);
  event.ticket = pubsub_.configure(owner, event.node, event.config);
  return Done{};
}

xmpp::Stanza Pep::message(const BareJid& from, const Node& about, const xml::Element& event) {
  xml::Element message("message", ns::client);
  if (!about.config.normal_messages) message.set("type", "headline");
  message.set("id", deps_.random.token()).set("from", from.text());
  message.add(event);
  return xmpp::Stanza::make(std::move(message));
}

// --- who wants what
// --------------------------------------------------------------------------------------------------------

void Pep::ask_own_client(Session& session) {
  if (!session.available()) return;
  const auto capabilities = capabilities_of(session.presence()->element());
  if (capabilities) interests_.learn(session.account().jid(), session.jid(), *capabilities);
}

void Pep::own_client(module::SessionAvailable& event) {
  Owner owner(*this, event.session.account());
  pubsub_.expire(owner);
  ask_own_client(event.session);
}

void Pep::own_client_back(module::SessionRestored& event) { ask_own_client(event.session); }

void Pep::own_client_gone(module::SessionUnavailable& event) {
  event.session.attachments().get<OwnWanted>().nodes.reset();
}

Outcome Pep::contacts_client(module::PresenceToAccount& event) {
  if (!event.stanza.from() || !event.stanza.from()->is_full()) return Next{};
  const FullJid client = *FullJid::parse(event.stanza.from()->text());
  Account& account = event.account;
  if (client.bare() == account.jid()) return Next{};
  if (event.stanza.type() == StanzaType::unavailable) {
    if (Watchers* watchers = account.attachments().find<Watchers>()) watchers->remove(client);
    return Next{};
  }
  if (event.stanza.type() != StanzaType::available) return Next{};
  const xmpp::SubscriptionState state = account.roster().state_of(client.bare());
  if (!state.seen_by_contact() && !state.sees_contact()) return Next{};
  const auto capabilities = capabilities_of(event.stanza.content());
  if (capabilities) interests_.learn(account.jid(), client, *capabilities);
  return Next{};
}

Outcome Pep::answered(module::IqAnswerToAccount& event) {
  if (interests_.answered(event.stanza)) return Done{};
  return Next{};
}

void Pep::learned(const BareJid& jid, const FullJid& client, const Wanted& wanted) {
  Account* account = deps_.accounts.loaded(jid);
  if (account == nullptr) return;
  Wanted* place = nullptr;
  if (client.bare() == jid) {
    Session* session = account->session(client.resourcepart());
    if (session == nullptr || !session->available()) return;
    place = &session->attachments().get<OwnWanted>().nodes;
  } else if (wanted->empty()) {
    if (Watchers* watchers = account->attachments().find<Watchers>()) watchers->remove(client);
    return;
  } else {
    Watchers& watchers = account->attachments().get<Watchers>();
    const auto person = watchers.people.find(client.bare());
    const std::size_t of_his = person == watchers.people.end() ? 0 : person->second.size();
    if (of_his == 0 || !person->second.contains(client)) {
      if (watchers.clients >= deps_.limits.pep_watchers || of_his >= Interests::most_of_one) {
        deps_.events.limit_hit("pep_watchers");
        return;
      }
      ++watchers.clients;
    }
    place = &watchers.people[client.bare()][client];
  }
  const Wanted before = std::exchange(*place, wanted);
  if (before == wanted) return;
  std::vector<std::string> fresh;
  for (const std::string& name : *wanted) {
    if (!wants(before, name)) fresh.push_back(name);
  }
  send_newest(*account, client, std::move(fresh));
}

void Pep::sight_changed(module::SightChanged& event) {
  if (!event.account.roster().lets_see(event.contact)) return;
  const Watchers* watchers = event.account.attachments().find<Watchers>();
  if (watchers == nullptr) return;
  const auto person = watchers->people.find(event.contact);
  if (person == watchers->people.end()) return;
  for (const auto& [client, wanted] : person->second) {
    send_newest(event.account, client, {wanted->begin(), wanted->end()});
  }
}

// XEP-0163 §4.3.4
void Pep::send_newest(Account& account, const FullJid& client, std::vector<std::string> names) {
  std::erase_if(names, [&](const std::string& name) {
    const Node* node = account.nodes().find(name);
    return node == nullptr || node->config.send_last_item != xmpp::SendLastItem::on_sub_and_presence ||
           !node->config.deliver_notifications || !hears(account, *node, client) ||
           (client.bare() != account.jid() && !account.roster().lets_see(client.bare()));
  });
  if (names.empty()) return;
  deps_.stores.pubsub.newest(account.jid(), names,
                             [this, jid = account.jid(), client, asked_at = account.nodes().last_write()](
                                 storage::Result<std::map<std::string, storage::PubsubItem>> newest) {
                               Account* still = deps_.accounts.loaded(jid);
                               if (still == nullptr || !newest) return;
                               // What was published while this was read has been sent already, and what is older must
                               // not come behind it. Which node that was is not known here, so all are read again.
                               if (still->nodes().last_write() != asked_at) {
                                 std::vector<std::string> again;
                                 for (const auto& [name, item] : *newest) again.push_back(name);
                                 return send_newest(*still, client, std::move(again));
                               }
                               for (const auto& [name, item] : *newest) {
                                 const Node* node = still->nodes().find(name);
                                 if (node == nullptr || !hears(*still, *node, client)) continue;
                                 const auto event = pubsub_.event_of(jid, name, *node, item);
                                 if (!event) continue;
                                 xmpp::Stanza stanza = message(jid, *node, *event);
                                 stanza.edit().add(xmpp::delay_element(jid, xmpp::format_datetime(item.when)));
                                 stanza.set_to(client);
                                 deps_.delivery.route(std::move(stanza), still->nodes().last_write());
                               }
                             });
}

// XEP-0060 §8.6
Outcome Pep::owner_answers(module::MessageFromClient& event) {
  Account& account = event.session.account();
  if (!event.stanza.to() || *event.stanza.to() != account.jid()) return Next{};
  const xml::Element* form = event.stanza.content().child("x", ns::data_forms);
  if (form == nullptr) return Next{};
  Owner owner(*this, account);
  if (pubsub_.authorize(owner, *form)) return Done{};
  return Next{};
}

// --- service discovery
// -----------------------------------------------------------------------------------------------------

Outcome Pep::info(module::DiscoInfo& event) {
  if (event.target == module::Target::account && event.account == nullptr) return Next{};
  const auto add_identity = [&](std::string type, const std::string& name) {
    xml::Element identity("identity", ns::disco_info);
    identity.set("category", "pubsub").set("type", std::move(type));
    if (!name.empty()) identity.set("name", name);
    event.query.add(std::move(identity));
  };
  const auto add_feature = [&](std::string_view var) {
    event.query.add(xml::Element("feature", ns::disco_info).set("var", std::string(var)));
  };
  // XEP-0222 §5, XEP-0223 §5: clients from before accounts answered for themselves ask the server.
  if (event.target == module::Target::server) {
    if (!event.node.empty()) return Next{};
    add_identity("pep", {});
    add_feature("http://jabber.org/protocol/pubsub#publish-options");
    return Next{};
  }
  if (event.node.empty()) {
    add_identity("pep", {});
    for (const std::string_view feature : module::Pubsub::features()) add_feature(feature);
    add_feature("http://jabber.org/protocol/pubsub#auto-subscribe");
    add_feature("http://jabber.org/protocol/pubsub#filtered-notifications");
    add_feature("http://jabber.org/protocol/pubsub#presence-subscribe");
    add_feature("http://jabber.org/protocol/pubsub#pubsub-on-a-jid");
    return Next{};
  }
  const Node* node = event.account->nodes().find(event.node);
  if (node == nullptr || event.requester == nullptr) return Next{};
  if (const auto why = module::may_read(node, standing_in(*event.account, *event.requester))) return *why;
  add_identity("leaf", node->config.title);
  add_feature(ns::pubsub);
  // XEP-0060 §5.4
  xmpp::DataForm about = node->config.to_form("result", ns::pubsub_meta_data);
  about.fields.push_back({.var = "pubsub#owner", .values = {event.account->jid().text()}});
  event.query.add(about.to_element());
  return Done{};
}

// XEP-0060 §5.5
void Pep::list_items(const BareJid& owner, const std::string& node, std::optional<WallTime> since,
                     module::IqRequest request) {
  const storage::PubsubQuery query{.most = deps_.limits.pubsub_items, .payloads = false, .since = since};
  deps_.stores.pubsub.items(
      owner, node, query,
      [owner, node, request = std::move(request)](storage::Result<storage::PubsubPage> found) mutable {
        if (!found) return request.fail(StanzaError::storage_failed());
        xml::Element list("query", ns::disco_items);
        list.set("node", node);
        for (const storage::PubsubItem& item : found->items) {
          list.append_child(xml::Element("item", ns::disco_items)).set("jid", owner.text()).set("name", item.id);
        }
        request.reply(std::move(list));
      });
}

Outcome Pep::items(module::DiscoItems& event) {
  if (event.target != module::Target::account || event.account == nullptr) return Next{};
  const module::Standing who = standing_in(*event.account, event.requester);
  if (!event.node.empty()) {
    const Node* node = event.account->nodes().find(event.node);
    if (node == nullptr || module::may_read(node, who) || event.request == nullptr) return Next{};
    list_items(event.account->jid(), std::string(event.node), pubsub_.kept_since(*node), std::move(*event.request));
    event.taken = true;
    return Done{};
  }
  for (const auto& [name, node] : event.account->nodes().nodes()) {
    if (module::may_read(&node, who)) continue;
    xml::Element item("item", ns::disco_items);
    item.set("jid", event.account->jid().text()).set("node", name);
    if (!node.config.title.empty()) item.set("name", node.config.title);
    event.query.add(std::move(item));
  }
  return Next{};
}

}  // namespace kith::modules
