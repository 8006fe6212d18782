#include "xmpp/subscription.h"

namespace kith::xmpp {
namespace {

Subscription made_of(bool to, bool from) {
  if (to) return from ? Subscription::both : Subscription::to;
  return from ? Subscription::from : Subscription::none;
}

void set_to(SubscriptionState& state, bool to) { state.subscription = made_of(to, state.seen_by_contact()); }
void set_from(SubscriptionState& state, bool from) { state.subscription = made_of(state.sees_contact(), from); }

/// What the user's clients see of it: all but a request that waits for an answer (RFC 6121 §3.1.3).
bool shows_the_same(const SubscriptionState& a, const SubscriptionState& b) {
  return a.subscription == b.subscription && a.pending_out == b.pending_out && a.approved == b.approved;
}

void note_change(Transition& transition, const SubscriptionState& before) {
  transition.changed = transition.state != before;
  transition.push = !shows_the_same(transition.state, before);
}

}  // namespace

Transition outbound(const SubscriptionState& before, SubscriptionAction action) {
  Transition result{.state = before};
  SubscriptionState& state = result.state;
  switch (action) {
    case SubscriptionAction::subscribe:
      // A.2.1: always routed, since the contact's server may have lost what we think it knows.
      result.route = true;
      if (!before.sees_contact()) state.pending_out = true;
      break;
    case SubscriptionAction::unsubscribe:
      // A.2.2
      result.route = true;
      state.pending_out = false;
      set_to(state, false);
      break;
    case SubscriptionAction::subscribed:
      // A.2.3, and §3.4.2: without a request to answer it is kept as a pre-approval and not routed.
      if (before.pending_in) {
        state.pending_in = false;
        set_from(state, true);
        result.route = true;
        result.send_presence = !before.seen_by_contact();
      } else if (!before.seen_by_contact()) {
        state.approved = true;
      }
      break;
    case SubscriptionAction::unsubscribed:
      // A.2.4; it takes back a pre-approval, too.
      result.route = before.seen_by_contact() || before.pending_in;
      result.send_unavailable = before.seen_by_contact();
      state.pending_in = false;
      state.approved = false;
      set_from(state, false);
      break;
  }
  note_change(result, before);
  return result;
}

Transition inbound(const SubscriptionState& before, SubscriptionAction action) {
  Transition result{.state = before};
  SubscriptionState& state = result.state;
  switch (action) {
    case SubscriptionAction::subscribe:
      // A.3.1. Who is let in already, or was approved before (§3.4.2), is answered by the server.
      if (before.seen_by_contact() || before.approved) {
        state.pending_in = false;
        set_from(state, true);
        result.auto_reply_subscribed = true;
        result.send_presence = true;
      } else if (!before.pending_in) {
        state.pending_in = true;
        result.route = true;
      }
      break;
    case SubscriptionAction::unsubscribe:
      // A.3.2. Its note [1] asks for an "unsubscribed" in answer. There is none, as there is none in §3.3.3: the
      // contact's own server has ended the subscription when it sent this, and if the contact has asked again
      // meanwhile, the answer would end that request on his side and not on ours (A.3.4, "None + Pending Out").
      result.route = before.seen_by_contact() || before.pending_in;
      result.send_unavailable = before.seen_by_contact();
      state.pending_in = false;
      set_from(state, false);
      break;
    case SubscriptionAction::subscribed:
      // A.3.3. SECURITY: nobody enters himself into a roster that did not ask for him.
      if (before.pending_out) {
        state.pending_out = false;
        set_to(state, true);
        result.route = true;
      }
      break;
    case SubscriptionAction::unsubscribed:
      // A.3.4
      result.route = before.sees_contact() || before.pending_out;
      state.pending_out = false;
      set_to(state, false);
      break;
  }
  note_change(result, before);
  return result;
}

std::string_view wire_word(Subscription subscription) {
  switch (subscription) {
    case Subscription::none:
      return "none";
    case Subscription::to:
      return "to";
    case Subscription::from:
      return "from";
    case Subscription::both:
      return "both";
  }
  return {};
}

}  // namespace kith::xmpp
