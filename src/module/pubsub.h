// The publish-subscribe engine (XEP-0060 v1.30.0): answers what is asked of an owner's nodes, by the rules that
// module/node_list.h decides, writes what changes, and makes the notifications. Who the owner is, and to whom
// notifications go, is the feature's that uses it (modules/pep for accounts). On the owner's shard. Storage:
// PubsubStore.
//
// Limits: pubsub_nodes for each owner, pubsub_items for each node ("max"), pubsub_item_bytes for a payload
// (avatar_bytes for an avatar), pubsub_owner_bytes for all of an owner's payloads, pubsub_people for each node
// (affiliations and subscriptions). No collections, subscription options or leases.
#pragma once

#include <cstddef>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "base/limits.h"
#include "base/random.h"
#include "module/delivery.h"
#include "module/iq.h"
#include "module/node_list.h"
#include "storage/storage.h"
#include "xml/element.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

namespace kith::module {

/// An owner of nodes, as the engine sees it. Made for one call, since an account may be gone after it.
class PubsubOwner {
 public:
  virtual ~PubsubOwner() = default;
  virtual const xmpp::BareJid& jid() const = 0;
  virtual NodeList& nodes() = 0;
  virtual Standing standing_of(const xmpp::Jid& jid) const = 0;
  /// Remembers a write of this owner's.
  virtual storage::Ticket wrote(storage::Ticket ticket) = 0;
  /// Sends `event` (`<event xmlns='…pubsub#event'/>`) to all who are to be told of this node.
  virtual void notify(const std::string& node, const Node& about, const xml::Element& event, storage::Ticket gate) = 0;
  /// Asks whoever the nodes belong to; the answer goes to Pubsub::authorize().
  virtual void ask_owner(const xml::Element& form, storage::Ticket gate) = 0;
  /// Sends `event` to one subscriber.
  virtual void notify_one(const xmpp::Jid& subscriber, const Node& about, const xml::Element& event,
                          storage::Ticket gate) = 0;
  /// Some items were published: for features that keep something else in step.
  virtual void published(const std::string& node, const Node& about, const std::vector<xml::Element>& items,
                         storage::Ticket gate) = 0;
  /// Some items are gone; without `ids`, all.
  virtual void retracted(const std::string& node, const std::vector<std::string>& ids, storage::Ticket gate) = 0;
};

class Pubsub {
 public:
  /// Calls `then` with the owner if it is still there.
  using Find = std::function<void(const xmpp::BareJid& owner, const std::function<void(PubsubOwner&)>& then)>;
  struct Deps {
    const Clock& clock;
    Random& random;
    Events& events;
    const Limits& limits;
    Delivery& delivery;
    storage::PubsubStore& store;
    Find find;
  };
  explicit Pubsub(Deps deps) : deps_(std::move(deps)) {}

  /// Disco features of a service that this engine serves (XEP-0060 §10).
  static const std::vector<std::string_view>& features();

  /// Answers an iq with `<pubsub/>` of either namespace.
  void handle(PubsubOwner& owner, IqRequest request);

  /// Publishes in the owner's own name. `options` apply if the node must be made; with `as_configured` the node also
  /// gets their access model, and keeps as many items, if there is one. Error: policy_violation, what a limit forbids.
  std::expected<storage::Ticket, xmpp::StanzaError> publish(PubsubOwner& owner, const std::string& node,
                                                            std::vector<xml::Element> items,
                                                            const xmpp::NodeConfig& options,
                                                            bool as_configured = false);
  /// Gives a node another configuration in the owner's own name. Nothing happens if there is no such node.
  storage::Ticket configure(PubsubOwner& owner, const std::string& node, xmpp::NodeConfig config);
  /// Deletes items in the owner's own name and tells of it.
  storage::Ticket retract(PubsubOwner& owner, const std::string& node, std::vector<std::string> ids);

  /// What the owner answers to who wants to subscribe (§8.6). A form of another kind is passed over: false.
  bool authorize(PubsubOwner& owner, const xml::Element& form);

  /// The event that tells of one stored item, or nothing if its time is over.
  std::optional<xml::Element> event_of(const xmpp::BareJid& owner, const std::string& node, const Node& about,
                                       const storage::PubsubItem& item) const;
  /// What was published before this is as good as gone; nothing: items are kept for good.
  std::optional<WallTime> kept_since(const Node& node) const;
  /// Deletes what has expired. That is not shown any more in any case; now it takes no room either.
  void expire(PubsubOwner& owner);

 private:
  using Operation = void (Pubsub::*)(PubsubOwner&, IqRequest, const xml::Element&);
  struct Entry {
    xmpp::StanzaType type;
    std::string_view ns;
    std::string_view name;
    Operation operation;
  };
  static const std::vector<Entry>& entries();
  /// What is known of the items that a publication would take the place of, once it was looked up.
  struct Replaced {
    std::uint64_t bytes = 0;
    bool of_others = false;  ///< some were published by somebody else
  };

  void get_items(PubsubOwner& owner, IqRequest request, const xml::Element& items);
  void get_subscriptions(PubsubOwner& owner, IqRequest request, const xml::Element& subscriptions);
  void get_affiliations(PubsubOwner& owner, IqRequest request, const xml::Element& affiliations);
  void create(PubsubOwner& owner, IqRequest request, const xml::Element& create);
  void publish_request(PubsubOwner& owner, IqRequest request, const xml::Element& publish);
  void publish_in_turn(PubsubOwner& owner, IqRequest request);
  /// `replaced`: what its items take the place of, when it is also known exactly how much there is already.
  void publish_checked(PubsubOwner& owner, IqRequest request, std::optional<Replaced> replaced);
  /// What a publication holds, with the ids that are missing.
  std::expected<std::vector<xml::Element>, xmpp::StanzaError> items_of(const xml::Element& publish,
                                                                       const std::string& name,
                                                                       const xmpp::NodeConfig& config);
  /// The request waits, and those that come after it, until all that is known.
  void count_first(PubsubOwner& owner, const std::string& name, IqRequest request, std::vector<std::string> ids);
  void count_rest(const xmpp::BareJid& owner, Replaced replaced);
  void retract_request(PubsubOwner& owner, IqRequest request, const xml::Element& retract);
  void subscribe(PubsubOwner& owner, IqRequest request, const xml::Element& subscribe);
  void unsubscribe(PubsubOwner& owner, IqRequest request, const xml::Element& unsubscribe);
  void no_options(PubsubOwner& owner, IqRequest request, const xml::Element& options);
  void get_default(PubsubOwner& owner, IqRequest request, const xml::Element& defaults);
  void get_config(PubsubOwner& owner, IqRequest request, const xml::Element& configure);
  void set_config(PubsubOwner& owner, IqRequest request, const xml::Element& configure);
  void delete_node(PubsubOwner& owner, IqRequest request, const xml::Element& element);
  void purge(PubsubOwner& owner, IqRequest request, const xml::Element& purge);
  void get_people(PubsubOwner& owner, IqRequest request, const xml::Element& people);
  void set_affiliations(PubsubOwner& owner, IqRequest request, const xml::Element& affiliations);
  void set_subscriptions(PubsubOwner& owner, IqRequest request, const xml::Element& subscriptions);

  storage::Ticket change_subscription(PubsubOwner& owner, const std::string& name, Node& node, const xmpp::Jid& jid,
                                      xmpp::NodeSubscription state);
  std::expected<Node*, xmpp::StanzaError> make_node(PubsubOwner& owner, const std::string& name,
                                                    xmpp::NodeConfig config);
  /// Writes what can be kept, tells who is to be told. The gate of both.
  storage::Ticket publish_now(PubsubOwner& owner, const std::string& name, Node& node, std::vector<xml::Element> items,
                              const xmpp::BareJid& publisher, storage::Ticket gate);
  void retract_now(PubsubOwner& owner, const std::string& name, const Node& node, const std::vector<std::string>& ids,
                   bool notify, storage::Ticket gate);
  std::size_t kept_items(const Node& node) const;
  storage::PubsubKeep keep_of(const Node& node) const { return {kept_items(node), kept_since(node)}; }
  std::size_t most_bytes(const std::string& node, const xmpp::NodeConfig& config) const;
  /// Remembers a write; if it fails, the nodes in memory become those of the disk again.
  storage::Ticket wrote(PubsubOwner& owner, storage::Ticket ticket);
  void reload(const xmpp::BareJid& owner, std::move_only_function<void(PubsubOwner&, bool loaded)> then);
  storage::Ticket put_person(PubsubOwner& owner, const std::string& name, const Node& node, const xmpp::Jid& jid);
  void send_newest(const xmpp::BareJid& owner, const std::string& name, const xmpp::Jid& subscriber,
                   storage::Ticket gate);

  Deps deps_;
  /// Publications that wait, in their order, until it is known whether there is room for the first of them.
  std::map<xmpp::BareJid, std::deque<IqRequest>> counting_;
};

}  // namespace kith::module
