// Publish-subscribe (XEP-0060 v1.30.0): the words, the configuration of a node, and the errors that only it has.
// Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xml/element.h"
#include "xmpp/data_form.h"
#include "xmpp/error.h"

namespace kith::xmpp {

namespace ns {
inline constexpr std::string_view pubsub = "http://jabber.org/protocol/pubsub";
inline constexpr std::string_view pubsub_owner = "http://jabber.org/protocol/pubsub#owner";
inline constexpr std::string_view pubsub_event = "http://jabber.org/protocol/pubsub#event";
inline constexpr std::string_view pubsub_errors = "http://jabber.org/protocol/pubsub#errors";
inline constexpr std::string_view pubsub_node_config = "http://jabber.org/protocol/pubsub#node_config";
inline constexpr std::string_view pubsub_publish_options = "http://jabber.org/protocol/pubsub#publish-options";
inline constexpr std::string_view pubsub_meta_data = "http://jabber.org/protocol/pubsub#meta-data";
}  // namespace ns

/// Who may subscribe to a node and read its items (§4.5).
enum class AccessModel : std::uint8_t { open, presence, roster, authorize, whitelist };
/// Who may publish.
enum class PublishModel : std::uint8_t { publishers, subscribers, open };
/// When the newest item is sent to who did not ask for it.
enum class SendLastItem : std::uint8_t { never, on_sub, on_sub_and_presence };
/// Whose address an item names as its publisher (§12.11).
enum class ItemReply : std::uint8_t { owner, publisher, none };
/// §4.1
enum class Affiliation : std::uint8_t { none, owner, publisher, publish_only, member, outcast };
/// §4.2. `unconfigured` does not occur: there are no options of a subscription.
enum class NodeSubscription : std::uint8_t { none, pending, subscribed };

std::string_view wire_word(AccessModel model);
std::string_view wire_word(Affiliation affiliation);
std::string_view wire_word(NodeSubscription subscription);
std::optional<Affiliation> affiliation_from(std::string_view word);
std::optional<NodeSubscription> node_subscription_from(std::string_view word);

/// A node's configuration (§16.4.4); the defaults are those of XEP-0163 §5.
struct NodeConfig {
  std::string title{};
  std::string description{};
  std::string type{};  ///< the namespace of the payloads
  std::string language{};
  std::vector<std::string> contact{};  ///< addresses for questions
  AccessModel access_model = AccessModel::presence;
  std::vector<std::string> roster_groups_allowed{};
  PublishModel publish_model = PublishModel::publishers;
  bool persist_items = true;
  std::optional<std::uint64_t> max_items = 1;       ///< nothing: as many as the service allows ("max")
  std::optional<std::uint64_t> item_expire{};       ///< seconds that an item is kept; nothing: for good ("max")
  std::optional<std::uint64_t> max_payload_size{};  ///< bytes; nothing: what the service allows
  SendLastItem send_last_item = SendLastItem::on_sub_and_presence;
  bool deliver_notifications = true;
  bool deliver_payloads = true;
  ItemReply itemreply = ItemReply::none;
  bool notify_config = false;
  bool notify_delete = true;
  bool notify_retract = true;
  bool normal_messages = false;  ///< pubsub#notification_type is normal, not headline
  friend bool operator==(const NodeConfig&, const NodeConfig&) = default;

  /// A form with all fields; `form_type` is its FORM_TYPE. Of type form, which is the owner's, it has labels and
  /// options. SECURITY: any other is for readers and leaves out what is the owner's business: the names of groups.
  DataForm to_form(std::string_view type, std::string_view form_type) const;
  /// Takes the values over that `form` has; fields that there are not are passed over. Error: not_acceptable (a value
  /// that the field cannot have, or more items than `most_items`); nothing is taken over then.
  std::expected<void, StanzaError> apply(const DataForm& form, std::uint64_t most_items);
  /// §7.1.5: true if the node is as the fields of `form` want it, and there is none that is unknown.
  bool meets(const DataForm& form) const;
  /// The fields that are not as they were in `defaults`, as text.
  std::string to_text(const NodeConfig& defaults) const;
  /// What to_text() gave; what cannot be read stays as in `defaults`.
  static NodeConfig from_text(std::string_view text, NodeConfig defaults);
};

/// An error with a condition in namespace pubsub#errors. `feature` is set for `unsupported` only.
StanzaError pubsub_error(ErrorType type, Condition condition, std::string_view specific, std::string_view feature = {});
/// feature-not-implemented with `<unsupported feature=''/>`.
StanzaError pubsub_unsupported(std::string_view feature);

/// §7.1.2.1: the notification that is for whoever gets it: `<event><items node=''/></event>`, to be filled.
xml::Element pubsub_items_event(std::string_view node);

}  // namespace kith::xmpp
