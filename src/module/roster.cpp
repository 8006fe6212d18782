#include "module/roster.h"

#include <algorithm>

namespace kith::module {

namespace {

// The store keeps as many (storage/storage.h, RosterData::removed); what fell off the end is no longer known.
constexpr std::size_t removals_kept = 200;
// A shorter list has lost nothing. The store forgets the removal of a contact that comes back, so that a list that has
// overflowed can be a little shorter than full.
constexpr std::size_t removals_trusted = 150;

}  // namespace

Roster::Roster(xmpp::BareJid account, storage::RosterStore& store, storage::RosterData data)
    : account_(std::move(account)), store_(&store) {
  reload(std::move(data));
}

void Roster::reload(storage::RosterData data) {
  items_.clear();
  for (storage::RosterItem& item : data.items) {
    xmpp::BareJid contact = item.contact;
    items_.insert_or_assign(std::move(contact), std::move(item));
  }
  item_versions_ = std::move(data.item_versions);
  removed_ = std::move(data.removed);
  version_ = data.version;
  // What failed before is undone by this: nothing waits for it any more.
  last_write_ = {};
}

const storage::RosterItem* Roster::find(const xmpp::BareJid& contact) const {
  const auto found = items_.find(contact);
  return found == items_.end() ? nullptr : &found->second;
}

xmpp::SubscriptionState Roster::state_of(const xmpp::BareJid& contact) const {
  const storage::RosterItem* item = find(contact);
  return item == nullptr ? xmpp::SubscriptionState{} : item->state;
}

storage::Ticket Roster::put(storage::RosterItem item) {
  const xmpp::BareJid contact = item.contact;
  ++version_;
  item_versions_.insert_or_assign(contact, version_);
  const auto [position, fresh] = items_.insert_or_assign(contact, std::move(item));
  last_write_ = storage::later(last_write_, store_->put(account_, position->second, version_));
  return last_write_;
}

storage::Ticket Roster::remove(const xmpp::BareJid& contact) {
  const auto found = items_.find(contact);
  if (found == items_.end()) return {};
  // The argument may be the item's own member.
  const xmpp::BareJid gone = contact;
  items_.erase(found);
  item_versions_.erase(gone);
  removed_.emplace_back(++version_, gone);
  if (removed_.size() > removals_kept) removed_.erase(removed_.begin());
  last_write_ = storage::later(last_write_, store_->remove(account_, gone, version_));
  return last_write_;
}

std::optional<std::vector<Roster::Change>> Roster::changes_since(std::uint64_t version) const {
  // A version of the future was given out by another server or before a backup was put back.
  if (version > version_) return std::nullopt;
  // Removals older than the first that is kept may be forgotten once there have been that many.
  if (removed_.size() >= removals_trusted && version < removed_.front().first) return std::nullopt;
  std::vector<Change> changes;
  for (const auto& [contact, changed] : item_versions_) {
    if (changed > version && items_.contains(contact)) changes.push_back({contact, false, changed});
  }
  // An item whose version is not known counts as changed: better one push too many than one too few.
  for (const auto& [contact, item] : items_) {
    if (!item_versions_.contains(contact)) changes.push_back({contact, false, version_});
  }
  for (const auto& [removed_at, contact] : removed_) {
    if (removed_at > version) changes.push_back({contact, true, removed_at});
  }
  std::ranges::sort(changes, {}, &Change::version);
  return changes;
}

}  // namespace kith::module
