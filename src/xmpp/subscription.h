// The subscription states of a roster item and their transitions (RFC 6121 §3 and Appendix A), as pure functions over
// values, so that the tables can be tested row by row.
#pragma once

#include <cstdint>
#include <string_view>

namespace kith::xmpp {

enum class Subscription : std::uint8_t { none, to, from, both };

/// The state of one roster item: none, from, to, both, with what is pending in either direction (RFC 6121 Appendix
/// A.1), and pre-approval (§3.4).
struct SubscriptionState {
  Subscription subscription = Subscription::none;
  bool pending_out = false;  ///< ask='subscribe'
  bool pending_in = false;   ///< the contact asked, the user has not answered; never shown in the roster
  bool approved = false;     ///< the user pre-approved the contact
  friend bool operator==(const SubscriptionState&, const SubscriptionState&) = default;
  bool sees_contact() const { return subscription == Subscription::to || subscription == Subscription::both; }
  bool seen_by_contact() const { return subscription == Subscription::from || subscription == Subscription::both; }
};

enum class SubscriptionAction : std::uint8_t { subscribe, subscribed, unsubscribe, unsubscribed };

/// What follows from one presence of type subscribe, subscribed, unsubscribe or unsubscribed.
struct Transition {
  SubscriptionState state;
  bool changed = false;  ///< the roster item (as shown in pushes) or what is pending is another than before
  bool push = false;     ///< a roster push is due
  bool route = false;    ///< outbound: send it on to the contact; inbound: deliver it to the user's sessions
  bool auto_reply_subscribed = false;  ///< inbound subscribe from one who is already let in or pre-approved
  bool send_presence = false;          ///< outbound subscribed / auto-reply: the contact now gets our presence
  bool send_unavailable = false;       ///< the contact no longer gets our presence and must be told we are gone
};

/// The user sends `action` to the contact (RFC 6121 A.2).
Transition outbound(const SubscriptionState& state, SubscriptionAction action);
/// The contact's `action` reaches the user (RFC 6121 A.3).
Transition inbound(const SubscriptionState& state, SubscriptionAction action);

std::string_view wire_word(Subscription subscription);

}  // namespace kith::xmpp
