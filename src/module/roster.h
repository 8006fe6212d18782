// An account's contact list in memory (RFC 6121 §2), loaded with the account. Presence, delivery, PEP and the roster
// feature itself all ask it; every change is written to the store in the same call.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "storage/storage.h"
#include "xmpp/jid.h"

namespace kith::module {

class Roster {
 public:
  Roster(xmpp::BareJid account, storage::RosterStore& store, storage::RosterData data);

  const std::map<xmpp::BareJid, storage::RosterItem>& items() const { return items_; }
  const storage::RosterItem* find(const xmpp::BareJid& contact) const;
  /// The state for `contact`, none if there is no item.
  xmpp::SubscriptionState state_of(const xmpp::BareJid& contact) const;
  /// True if `contact` may see the account's presence (subscription from or both).
  bool lets_see(const xmpp::BareJid& contact) const { return state_of(contact).seen_by_contact(); }

  /// Puts the item, gives it the next version, and writes it.
  storage::Ticket put(storage::RosterItem item);
  /// Removes the item with all its state. No effect and no ticket if there is none.
  storage::Ticket remove(const xmpp::BareJid& contact);

  std::uint64_t version() const { return version_; }
  /// What changed since `version`, items and removals in the order of their change; nothing if that is no longer known
  /// and the whole roster must be sent (RFC 6121 §2.6).
  struct Change {
    xmpp::BareJid contact;
    bool removed;
    std::uint64_t version;
  };
  std::optional<std::vector<Change>> changes_since(std::uint64_t version) const;

  /// The last write of this roster. If it failed, the owner loads the roster anew.
  storage::Ticket last_write() const { return last_write_; }
  void reload(storage::RosterData data);

 private:
  xmpp::BareJid account_;
  storage::RosterStore* store_;
  std::map<xmpp::BareJid, storage::RosterItem> items_;
  std::map<xmpp::BareJid, std::uint64_t> item_versions_;
  std::vector<std::pair<std::uint64_t, xmpp::BareJid>> removed_;
  std::uint64_t version_ = 0;
  storage::Ticket last_write_;
};

}  // namespace kith::module
