// The publish-subscribe nodes of one owner in memory (XEP-0060), with all but their items: who may do what is decided
// from it without asking the disk. Loaded with the account, on its shard. module/pubsub.h changes it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/storage.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"
#include "xmpp/pubsub.h"

namespace kith::module {

struct Node {
  xmpp::NodeConfig config{};
  std::map<xmpp::BareJid, xmpp::Affiliation> affiliations{};
  std::map<xmpp::Jid, xmpp::NodeSubscription> subscriptions{};

  xmpp::Affiliation affiliation_of(const xmpp::BareJid& jid) const;
  xmpp::NodeSubscription subscription_of(const xmpp::Jid& jid) const;
  /// True if it or one of its clients is subscribed.
  bool is_subscribed(const xmpp::BareJid& jid) const;
};

/// How somebody stands to the owner of the nodes.
struct Standing {
  xmpp::BareJid jid;
  bool owner = false;
  bool contact = false;               ///< may see the owner's presence
  std::vector<std::string> groups{};  ///< of the owner's roster
};

class NodeList {
 public:
  NodeList() = default;
  explicit NodeList(const storage::PubsubData& data);

  const std::map<std::string, Node, std::less<>>& nodes() const { return nodes_; }
  Node* find(std::string_view name);
  const Node* find(std::string_view name) const;
  Node& add(std::string name, xmpp::NodeConfig config);
  void remove(std::string_view name);
  /// What all payloads take, or more: what is replaced is not subtracted until the nodes are loaded again.
  std::uint64_t bytes_at_most() const { return bytes_; }
  void add_bytes(std::uint64_t bytes) { bytes_ += bytes; }

  storage::Ticket last_write() const { return last_write_; }
  void set_last_write(storage::Ticket ticket) { last_write_ = ticket; }

 private:
  std::map<std::string, Node, std::less<>> nodes_;
  std::uint64_t bytes_ = 0;
  storage::Ticket last_write_;
};

/// Why the items of a node can't be read, or nothing if they can (XEP-0060 §6.5.9). SECURITY: who is neither owner nor
/// contact nor named by the node hears the same of every node that is closed to him, and of those that don't exist.
std::optional<xmpp::StanzaError> may_read(const Node* node, const Standing& who);
/// Why `who` can't publish, or nothing (§7.1.3). `node` is null for one that would have to be made.
std::optional<xmpp::StanzaError> may_publish(const Node* node, const Standing& who);
/// What strangers hear.
xmpp::StanzaError presence_subscription_required();

}  // namespace kith::module
