#include "modules/subscription/subscription.h"

#include <algorithm>
#include <string>
#include <utility>

#include "module/presence.h"
#include "module/roster_push.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

using module::Account;
using module::Done;
using module::Next;
using module::Outcome;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;
using xmpp::SubscriptionAction;
namespace ns = xmpp::ns;

namespace {

std::optional<SubscriptionAction> action_of(StanzaType type) {
  switch (type) {
    case StanzaType::subscribe:
      return SubscriptionAction::subscribe;
    case StanzaType::subscribed:
      return SubscriptionAction::subscribed;
    case StanzaType::unsubscribe:
      return SubscriptionAction::unsubscribe;
    case StanzaType::unsubscribed:
      return SubscriptionAction::unsubscribed;
    default:
      return std::nullopt;
  }
}

std::string text_to_keep(const xmpp::Stanza& request) {
  std::string text = xml::to_string(request.element(), ns::client);
  if (text.size() <= SubscriptionFeature::kept_request_bytes) return text;
  return xml::to_string(module::make_presence(StanzaType::subscribe, *request.from(), *request.to()).element(),
                        ns::client);
}

/// The item to change; one that is not in the roster yet starts hidden.
storage::RosterItem item_for(const Account& account, const xmpp::BareJid& contact) {
  const storage::RosterItem* found = account.roster().find(contact);
  if (found != nullptr) return *found;
  return {.contact = contact, .in_roster = false};
}

}  // namespace

SubscriptionFeature::SubscriptionFeature(const module::ModuleDeps& deps)
    : clock_(deps.clock), events_(deps.events), delivery_(deps.delivery), limits_(deps.limits) {}

void SubscriptionFeature::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  hooks.on<module::PresenceFromClient>(module::Phase::deliver, this, &SubscriptionFeature::from_client);
  hooks.on<module::PresenceToAccount>(module::Phase::deliver, this, &SubscriptionFeature::to_account);
  hooks.on<module::SessionAvailable>(this, &SubscriptionFeature::offer_waiting_requests);
  hooks.on<module::AccountRemoved>(this, &SubscriptionFeature::say_goodbye);
  hooks.on<module::StreamFeatures>(this, &SubscriptionFeature::announce);
}

void SubscriptionFeature::announce(module::StreamFeatures& event) {
  // §3.4: pre-approval is supported.
  if (event.authenticated) event.features.add(xml::Element("sub", ns::pre_approval));
}

bool SubscriptionFeature::may_request(Account& account) {
  std::optional<TokenBucket>& budget = account.attachments().get<Budget>().requests;
  if (!budget) budget.emplace(limits_.subscription_requests, clock_.now());
  return budget->take(1, clock_.now());
}

bool SubscriptionFeature::has_room_for_request(const Account& account) const {
  const auto waiting =
      std::ranges::count_if(account.roster().items(), [](const auto& entry) { return entry.second.state.pending_in; });
  return static_cast<std::size_t>(waiting) < limits_.pending_subscription_requests;
}

storage::Ticket SubscriptionFeature::write(Account& account, storage::RosterItem item) {
  if (!item.state.pending_in) item.pending_stanza.clear();
  // Nothing is left to remember about one who is not in the roster.
  if (!item.in_roster && item.state == xmpp::SubscriptionState{})
    return account.wrote(account.roster().remove(item.contact));
  return account.wrote(account.roster().put(std::move(item)));
}

void SubscriptionFeature::sight_changed(Account& account, const xmpp::BareJid& contact, storage::Ticket gate) {
  module::SightChanged event{account, contact, gate};
  hooks_->run(event);
}

void SubscriptionFeature::answer_if_failed(const xmpp::Stanza& stanza, storage::Ticket ticket) {
  delivery_.when_decided(ticket, [this, stanza](bool committed) {
    if (committed) return;
    if (auto reply = xmpp::error_reply(stanza, StanzaError::storage_failed())) delivery_.route(std::move(*reply));
  });
}

// §3.1.2, §3.1.5, §3.2.2, §3.3.2, §3.4.2
Outcome SubscriptionFeature::from_client(module::PresenceFromClient& event) {
  const std::optional<SubscriptionAction> action = action_of(event.stanza.type());
  if (!action) return Next{};
  if (!event.stanza.to()) return StanzaError::of(Condition::bad_request, "To whom?");
  Account& account = event.session.account();
  const xmpp::BareJid contact = xmpp::BareJid::of(*event.stanza.to());
  // An account sees itself always: there is nothing to ask and nobody to tell.
  if (contact == account.jid()) return Done{};
  if (*action == SubscriptionAction::subscribe && !may_request(account)) {
    events_.limit_hit("subscription_requests");
    return StanzaError{xmpp::ErrorType::wait, Condition::policy_violation,
                       "Too many contact requests. Try again later."};
  }

  storage::RosterItem item = item_for(account, contact);
  const xmpp::Transition step = xmpp::outbound(item.state, *action);
  storage::Ticket gate = account.roster().last_write();
  if (step.changed) {
    const bool adds = *action == SubscriptionAction::subscribe || *action == SubscriptionAction::subscribed;
    if (adds && step.push && !item.in_roster) {
      const auto items =
          std::ranges::count_if(account.roster().items(), [](const auto& entry) { return entry.second.in_roster; });
      if (static_cast<std::size_t>(items) >= limits_.roster_items) {
        events_.limit_hit("roster_items");
        return StanzaError::of(Condition::resource_constraint, "The contact list is full.");
      }
      item.in_roster = true;
    }
    const bool sight = step.state.seen_by_contact() != item.state.seen_by_contact();
    item.state = step.state;
    gate = write(account, item);
    if (sight) sight_changed(account, contact, gate);
    if (step.push) module::push_roster_item(account, item, gate);
    answer_if_failed(event.stanza, gate);
  }
  if (step.send_unavailable) module::send_unavailable(account, contact, delivery_, gate);
  if (step.route) {
    // §3.1.2: subscriptions are between bare JIDs, whatever the client wrote.
    xmpp::Stanza outgoing = event.stanza;
    outgoing.set_from(account.jid());
    outgoing.set_to(contact);
    delivery_.route(std::move(outgoing), gate);
  }
  if (step.send_presence) module::send_current_presence(account, contact, delivery_, gate);
  return Done{};
}

// §3.1.3, §3.1.6, §3.2.3, §3.3.3
Outcome SubscriptionFeature::to_account(module::PresenceToAccount& event) {
  const std::optional<SubscriptionAction> action = action_of(event.stanza.type());
  if (!action) return Next{};
  Account& account = event.account;
  const xmpp::BareJid contact = xmpp::BareJid::of(*event.stanza.from());
  if (contact == account.jid()) return Done{};
  // §8.5.3.2.2: for a session that is gone, only a request is taken as one to the account; the other three are ignored.
  const xmpp::Jid& to = *event.stanza.to();
  if (to.is_full() && *action != SubscriptionAction::subscribe && account.session(to.resourcepart()) == nullptr)
    return Done{};
  xmpp::Stanza stanza = event.stanza;
  stanza.set_from(contact);
  stanza.set_to(account.jid());

  storage::RosterItem item = item_for(account, contact);
  const xmpp::Transition step = xmpp::inbound(item.state, *action);
  storage::Ticket gate = storage::later(event.gate, account.roster().last_write());
  if (step.changed) {
    if (step.state.pending_in && !item.state.pending_in) {
      if (!has_room_for_request(account)) {
        // SECURITY: no answer, since an address that is no account does not answer either.
        events_.limit_hit("pending_subscription_requests");
        return Done{};
      }
      item.pending_stanza = text_to_keep(stanza);
    }
    const bool sight = step.state.seen_by_contact() != item.state.seen_by_contact();
    item.state = step.state;
    const storage::Ticket ticket = write(account, item);
    gate = storage::later(gate, ticket);
    if (sight) sight_changed(account, contact, gate);
    // A request that could not be kept must not vanish: the contact may ask again.
    if (*action == SubscriptionAction::subscribe) answer_if_failed(stanza, ticket);
  }

  if (step.route) {
    // §3.1.3: a request goes to the available resources; §3.1.6, §3.2.3, §3.3.3: the rest to the interested ones, and
    // that before the push.
    for (const auto& session : account.sessions()) {
      const bool wanted = *action == SubscriptionAction::subscribe ? session->available() : session->interested();
      if (wanted) session->send(stanza, gate);
    }
  }
  if (step.changed && step.push) module::push_roster_item(account, item, gate);
  if (step.auto_reply_subscribed) {
    delivery_.route(module::make_presence(StanzaType::subscribed, account.jid(), contact), gate);
  }
  if (step.send_unavailable) module::send_unavailable(account, contact, delivery_, gate);
  if (step.send_presence) module::send_current_presence(account, contact, delivery_, gate);
  return Done{};
}

// §3.1.3: until it is answered, a request is offered to every resource that becomes available.
void SubscriptionFeature::offer_waiting_requests(module::SessionAvailable& event) {
  if (!event.initial) return;
  const Account& account = event.session.account();
  for (const auto& [contact, item] : account.roster().items()) {
    if (!item.state.pending_in || account.block_list().blocks(contact)) continue;
    const auto kept = xml::parse_element(item.pending_stanza, ns::client);
    auto stanza = kept ? xmpp::Stanza::from_element(*kept) : std::unexpected(StanzaError::of(Condition::bad_request));
    // What was kept can't be read any more, or came from another server's data: the request itself still stands.
    if (!stanza || stanza->type() != StanzaType::subscribe || !stanza->from() ||
        xmpp::BareJid::of(*stanza->from()) != contact) {
      stanza = module::make_presence(StanzaType::subscribe, contact, account.jid());
    }
    event.session.send(*stanza, account.roster().last_write());
  }
}

void SubscriptionFeature::say_goodbye(module::AccountRemoved& event) {
  for (const auto& [contact, item] : event.account.roster().items())
    module::end_subscriptions(event.account, item, delivery_);
}

}  // namespace kith::modules
