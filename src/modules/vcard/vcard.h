// vcard-temp (XEP-0054 v1.3.0): a person's card, which anybody may read and its owner write; and the hash of the card's
// photo in the presence of clients that don't send it themselves (XEP-0153 v1.1.1). Lives on the account's shard.
// A photo and an avatar (XEP-0084) become one another (XEP-0398 v1.0.0): what a client publishes at the avatar's nodes
// is put into the card if those are open to everybody, and the photo of a card is published; the hash in presence
// follows. State: the hash, on the account while it is loaded. Storage: DocumentStore, kind "vcard". Limit: vcard_bytes
// for a card that a client sends.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "module/module.h"

namespace kith::modules {

class Vcard final : public module::Module {
 public:
  static constexpr std::string_view ns_vcard = "vcard-temp";
  static constexpr std::string_view ns_update = "vcard-temp:x:update";
  static constexpr std::string_view ns_avatar_data = "urn:xmpp:avatar:data";
  static constexpr std::string_view ns_avatar_metadata = "urn:xmpp:avatar:metadata";
  static constexpr std::string_view ns_conversion = "urn:xmpp:pep-vcard-conversion:0";
  static constexpr module::Descriptor descriptor{
      .name = "vcard",
      .summary = "Keeps a card with name, photo and the like for each account, which anybody may read",
      .specs = {{.xep = 54, .version = "1.3.0"},
                {.xep = 153, .version = "1.1.1", .note = "adds the photo's hash to presence that lacks it"},
                {.xep = 84, .version = "1.1.4"},
                {.xep = 398, .version = "1.0.0"}},
      .server_features = {ns_vcard},
      .account_features = {ns_vcard, ns_conversion},
  };
  explicit Vcard(const module::ModuleDeps& deps)
      : documents_(deps.stores.documents),
        accounts_(deps.accounts),
        delivery_(deps.delivery),
        events_(deps.events),
        limits_(deps.limits),
        nodes_(deps.stores.pubsub) {}
  void attach(module::Hooks& hooks) override;

 private:
  void get(module::IqRequest request);
  void set(module::IqRequest request);
  void bound(module::SessionBound& event);
  module::Outcome add_hash(module::PresenceFromClient& event);
  // XEP-0398
  void avatar_published(module::ItemsPublished& event);
  void put_into_card(module::Account& account, const std::string& id, const std::string& type);
  void store_photo(module::Account& account, std::optional<xml::Element> photo, const std::string& hash);
  void publish_photo(module::Account& account, const xml::Element& vcard);
  /// The hash is another: the account's clients say so to whom they are available.
  void tell(module::Account& account);

  storage::DocumentStore& documents_;
  module::Accounts& accounts_;
  module::Delivery& delivery_;
  Events& events_;
  const Limits& limits_;
  storage::PubsubStore& nodes_;
  const module::Hooks* hooks_ = nullptr;
};

/// The SHA-1 of the photo in hex, or empty if the card has no photo that can be read. Source: XEP-0153 §3.1.
std::string photo_hash(const xml::Element& vcard);

}  // namespace kith::modules
