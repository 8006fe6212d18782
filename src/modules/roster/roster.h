// The contact list (RFC 6121 §2): get with versioning (§2.6, XEP-0237), set, removal (§2.5), pushes (§2.1.6).
// Lives on the account's shard. State: module::Roster of the account, an `interested` flag of each session. What a
// client is shown or told waits for the commit of the roster's last write. Limits: roster_items,
// roster_groups_per_item, roster_name_bytes (names and groups).
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "module/module.h"

namespace kith::modules {

class RosterFeature final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "roster",
      .summary = "The contact list of each account, with groups, pushes and versions.",
      .specs = {{0, "RFC 6121", "§2"}, {237, "1.3"}}};

  explicit RosterFeature(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  /// What a client may say about an item; all else in its request is ignored (RFC 6121 §2.1.2).
  struct Wish {
    xmpp::BareJid contact;
    bool remove = false;
    std::string name;
    std::vector<std::string> groups;
  };

  void announce(module::StreamFeatures& event);
  void get(module::IqRequest request);
  void set(module::IqRequest request);
  std::expected<Wish, xmpp::StanzaError> read(const xml::Element& query) const;
  std::expected<std::vector<std::string>, xmpp::StanzaError> read_groups(const xml::Element& item) const;
  bool has_room(const module::Roster& roster, const Wish& wish, const storage::RosterItem* old) const;
  void remove(module::IqRequest request, const xmpp::BareJid& contact);

  module::Delivery& delivery_;
  Events& events_;
  const Limits& limits_;
};

}  // namespace kith::modules
