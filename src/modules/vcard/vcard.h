// vcard-temp (XEP-0054 v1.3.0): a person's card, which anybody may read and its owner write; and the hash of the card's
// photo in the presence of clients that don't send it themselves (XEP-0153 v1.1.1). Lives on the account's shard.
// State: the hash, on the account while it is loaded. Storage: DocumentStore, kind "vcard". Limit: vcard_bytes. Does
// not send presence anew when the photo changes (that is XEP-0398), and does not convert to PEP.
#pragma once

#include <string>
#include <string_view>

#include "module/module.h"

namespace kith::modules {

class Vcard final : public module::Module {
 public:
  static constexpr std::string_view ns_vcard = "vcard-temp";
  static constexpr std::string_view ns_update = "vcard-temp:x:update";
  static constexpr module::Descriptor descriptor{
      .name = "vcard",
      .summary = "Keeps a card with name, photo and the like for each account, which anybody may read",
      .specs = {{.xep = 54, .version = "1.3.0"},
                {.xep = 153, .version = "1.1.1", .note = "adds the photo's hash to presence that lacks it"}},
      .server_features = {ns_vcard},
      .account_features = {ns_vcard},
  };
  explicit Vcard(const module::ModuleDeps& deps)
      : documents_(deps.stores.documents),
        accounts_(deps.accounts),
        delivery_(deps.delivery),
        events_(deps.events),
        limits_(deps.limits) {}
  void attach(module::Hooks& hooks) override;

 private:
  void get(module::IqRequest request);
  void set(module::IqRequest request);
  void bound(module::SessionBound& event);
  module::Outcome add_hash(module::PresenceFromClient& event);

  storage::DocumentStore& documents_;
  module::Accounts& accounts_;
  module::Delivery& delivery_;
  Events& events_;
  const Limits& limits_;
};

/// The SHA-1 of the photo in hex, or empty if the card has no photo that can be read. Source: XEP-0153 §3.1.
std::string photo_hash(const xml::Element& vcard);

}  // namespace kith::modules
