#include "modules/roster/roster.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "module/presence.h"
#include "module/roster_push.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

using module::Access;
using module::Account;
using module::Target;
using xmpp::Condition;
using xmpp::StanzaError;
namespace ns = xmpp::ns;

RosterFeature::RosterFeature(const module::ModuleDeps& deps)
    : delivery_(deps.delivery), events_(deps.events), limits_(deps.limits) {}

void RosterFeature::attach(module::Hooks& hooks) {
  hooks.on_iq(Target::account, Access::owner, xmpp::StanzaType::get, "query", ns::roster, this, &RosterFeature::get);
  hooks.on_iq(Target::account, Access::owner, xmpp::StanzaType::set, "query", ns::roster, this, &RosterFeature::set);
  hooks.on<module::StreamFeatures>(this, &RosterFeature::announce);
}

void RosterFeature::announce(module::StreamFeatures& event) {
  if (!event.authenticated) return;
  event.features.add(xml::Element("ver", ns::roster_versioning));
}

// RFC 6121 §2.1.3, §2.1.4
void RosterFeature::get(module::IqRequest request) {
  Account& account = *request.account();
  const module::Roster& roster = account.roster();
  module::Session* const session = request.session();
  if (session != nullptr) session->set_interested();
  const storage::Ticket gate = roster.last_write();

  const std::optional<std::string_view> asked = request.payload().attribute("ver");
  const std::optional<std::uint64_t> known = asked ? module::roster_version_from(account, *asked) : std::nullopt;
  if (known && session != nullptr) {
    if (const auto changes = roster.changes_since(*known)) {
      // §2.6.3: an empty result, then what the client has missed, as pushes with the version of each change.
      request.reply({}, gate);
      for (const module::Roster::Change& change : *changes) {
        xml::Element item("item", ns::roster);
        if (change.removed) {
          item.set("jid", change.contact.text()).set("subscription", "remove");
        } else {
          const storage::RosterItem* found = roster.find(change.contact);
          if (found == nullptr || !module::is_shown(*found)) continue;
          item = module::roster_item_element(*found);
        }
        delivery_.route(module::roster_push(account, *session, std::move(item), change.version), gate);
      }
      return;
    }
  }

  xml::Element query("query", ns::roster);
  if (asked) query.set("ver", module::roster_version_text(account, roster.version()));
  for (const auto& [contact, item] : roster.items()) {
    if (module::is_shown(item)) query.add(module::roster_item_element(item));
  }
  request.reply(std::move(query), gate);
}

std::expected<RosterFeature::Wish, StanzaError> RosterFeature::read(const xml::Element& query) const {
  // §2.3.3: exactly one item.
  const xml::Element* item = query.first_child();
  if (item == nullptr || query.child_element_count() != 1 || !item->is("item", ns::roster)) {
    return std::unexpected(StanzaError::of(Condition::bad_request, "There must be exactly one item."));
  }
  const std::optional<std::string_view> text = item->attribute("jid");
  if (!text) return std::unexpected(StanzaError::of(Condition::bad_request, "The item has no jid."));
  const std::optional<xmpp::Jid> jid = xmpp::Jid::parse(*text);
  if (!jid) return std::unexpected(StanzaError::of(Condition::jid_malformed));

  Wish wish{.contact = xmpp::BareJid::of(*jid), .remove = false, .name = {}, .groups = {}};
  if (item->attribute("subscription") == "remove") {
    wish.remove = true;
    return wish;
  }
  wish.name = item->attribute("name").value_or("");
  if (wish.name.size() > limits_.roster_name_bytes) {
    return std::unexpected(StanzaError::of(Condition::not_acceptable, "The name is too long."));
  }
  auto groups = read_groups(*item);
  if (!groups) return std::unexpected(std::move(groups.error()));
  wish.groups = std::move(*groups);
  return wish;
}

std::expected<std::vector<std::string>, StanzaError> RosterFeature::read_groups(const xml::Element& item) const {
  std::vector<std::string> groups;
  std::optional<StanzaError> wrong;
  item.for_each_child([&](const xml::Element& child) {
    if (wrong || !child.is("group", ns::roster)) return;
    std::string group = child.text();
    if (group.empty()) {
      wrong = StanzaError::of(Condition::not_acceptable, "A group has no name.");
    } else if (group.size() > limits_.roster_name_bytes) {
      wrong = StanzaError::of(Condition::not_acceptable, "The name of a group is too long.");
    } else if (std::ranges::find(groups, group) != groups.end()) {
      wrong = StanzaError::of(Condition::bad_request, "A group is named twice.");
    } else if (groups.size() >= limits_.roster_groups_per_item) {
      wrong = StanzaError::of(Condition::not_acceptable, "There are too many groups.");
    } else {
      groups.push_back(std::move(group));
    }
  });
  if (wrong) return std::unexpected(std::move(*wrong));
  return groups;
}

bool RosterFeature::has_room(const module::Roster& roster, const Wish& wish, const storage::RosterItem* old) const {
  const auto bytes_of = [](const xmpp::BareJid& contact, const std::string& name,
                           const std::vector<std::string>& groups) {
    std::size_t bytes = contact.text().size() + name.size();
    for (const std::string& group : groups) bytes += group.size();
    return bytes;
  };
  std::size_t items = 0;
  std::size_t bytes = bytes_of(wish.contact, wish.name, wish.groups);
  for (const auto& [contact, item] : roster.items()) {
    if (!item.in_roster || contact == wish.contact) continue;
    ++items;
    bytes += bytes_of(contact, item.name, item.groups);
  }
  // An item that is there may always be made smaller, even if the limits were lowered since.
  if (old != nullptr && old->in_roster &&
      bytes_of(wish.contact, wish.name, wish.groups) <= bytes_of(wish.contact, old->name, old->groups)) {
    return true;
  }
  return items < limits_.roster_items && bytes <= limits_.roster_bytes;
}

// RFC 6121 §2.1.5, §2.3, §2.4
void RosterFeature::set(module::IqRequest request) {
  Account& account = *request.account();
  module::Roster& roster = account.roster();
  auto wish = read(request.payload());
  if (!wish) return request.fail(wish.error());
  // An account sees itself without a subscription; an item for it would only confuse.
  if (wish->contact == account.jid()) {
    return request.fail(StanzaError::of(Condition::not_allowed, "This is your own address."));
  }
  if (wish->remove) return remove(std::move(request), wish->contact);

  const storage::RosterItem* old = roster.find(wish->contact);
  if (!has_room(roster, *wish, old)) {
    events_.limit_hit("roster_items");
    return request.fail(StanzaError::of(Condition::resource_constraint, "The contact list is full."));
  }
  storage::RosterItem item = old != nullptr ? *old : storage::RosterItem{.contact = wish->contact};
  item.name = std::move(wish->name);
  item.groups = std::move(wish->groups);
  item.in_roster = true;
  const storage::Ticket ticket = account.wrote(roster.put(item));
  module::push_roster_item(account, item, ticket);
  request.reply({}, ticket);
}

// RFC 6121 §2.5
void RosterFeature::remove(module::IqRequest request, const xmpp::BareJid& contact) {
  Account& account = *request.account();
  const storage::RosterItem* found = account.roster().find(contact);
  if (found == nullptr || !module::is_shown(*found)) return request.fail(StanzaError::of(Condition::item_not_found));
  const storage::RosterItem item = *found;
  const storage::Ticket ticket = account.wrote(account.roster().remove(contact));
  module::push_roster_removal(account, contact, ticket);
  request.reply({}, ticket);
  module::end_subscriptions(account, item, delivery_, ticket);
}

}  // namespace kith::modules
