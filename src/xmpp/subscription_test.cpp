// Every row of the tables of RFC 6121 Appendix A, and of pre-approval (§3.4), written down from the RFC.
#include "xmpp/subscription.h"

#include <ostream>
#include <span>

#include <gtest/gtest.h>

namespace kith::xmpp {

// Shown by GoogleTest when a row fails.
void PrintTo(const SubscriptionState& state, std::ostream* out) {
  *out << wire_word(state.subscription) << (state.pending_out ? " + pending out" : "")
       << (state.pending_in ? " + pending in" : "") << (state.approved ? " + approved" : "");
}

namespace {

// The nine states of A.1, named as there.
constexpr SubscriptionState none{Subscription::none, false, false, false};
constexpr SubscriptionState none_out{Subscription::none, true, false, false};
constexpr SubscriptionState none_in{Subscription::none, false, true, false};
constexpr SubscriptionState none_out_in{Subscription::none, true, true, false};
constexpr SubscriptionState to{Subscription::to, false, false, false};
constexpr SubscriptionState to_in{Subscription::to, false, true, false};
constexpr SubscriptionState from{Subscription::from, false, false, false};
constexpr SubscriptionState from_out{Subscription::from, true, false, false};
constexpr SubscriptionState both{Subscription::both, false, false, false};

// Those that may carry a pre-approval: without a subscription from the contact or its request.
constexpr SubscriptionState none_approved{Subscription::none, false, false, true};
constexpr SubscriptionState none_out_approved{Subscription::none, true, false, true};
constexpr SubscriptionState to_approved{Subscription::to, false, false, true};
constexpr SubscriptionState from_approved{Subscription::from, false, false, true};
constexpr SubscriptionState from_out_approved{Subscription::from, true, false, true};
constexpr SubscriptionState both_approved{Subscription::both, false, false, true};

constexpr bool must = true;
constexpr bool must_not = false;

/// What else follows from a row.
enum Effect : unsigned { nothing = 0, push = 1, reply = 2, presence = 4, gone = 8 };
constexpr unsigned operator|(Effect a, Effect b) { return static_cast<unsigned>(a) | static_cast<unsigned>(b); }
constexpr unsigned operator|(unsigned a, Effect b) { return a | static_cast<unsigned>(b); }

struct Row {
  SubscriptionState before;
  bool route;  ///< "MUST" or "MUST NOT" be routed (out) or delivered (in)
  SubscriptionState after;
  unsigned effects;
};

void check(Transition (*machine)(const SubscriptionState&, SubscriptionAction), SubscriptionAction action,
           std::span<const Row> rows) {
  for (const Row& row : rows) {
    const Transition made = machine(row.before, action);
    SCOPED_TRACE(testing::PrintToString(row.before));
    EXPECT_EQ(made.state, row.after);
    EXPECT_EQ(made.route, row.route);
    EXPECT_EQ(made.changed, row.before != row.after);
    EXPECT_EQ(made.push, (row.effects & push) != 0);
    EXPECT_EQ(made.auto_reply_subscribed, (row.effects & reply) != 0);
    EXPECT_EQ(made.send_presence, (row.effects & presence) != 0);
    EXPECT_EQ(made.send_unavailable, (row.effects & gone) != 0);
  }
}

// RFC 6121 A.2.1; pushes by §3.1.2.
TEST(Subscription, outbound_subscribe) {
  constexpr Row rows[] = {
      {none, must, none_out, push},
      {none_out, must, none_out, nothing},
      {none_in, must, none_out_in, push},
      {none_out_in, must, none_out_in, nothing},
      {to, must, to, nothing},
      {to_in, must, to_in, nothing},
      {from, must, from_out, push},
      {from_out, must, from_out, nothing},
      {both, must, both, nothing},
      {none_approved, must, none_out_approved, push},
      {none_out_approved, must, none_out_approved, nothing},
      {to_approved, must, to_approved, nothing},
  };
  check(outbound, SubscriptionAction::subscribe, rows);
}

// RFC 6121 A.2.2; pushes by §3.3.2.
TEST(Subscription, outbound_unsubscribe) {
  constexpr Row rows[] = {
      {none, must, none, nothing},
      {none_out, must, none, push},
      {none_in, must, none_in, nothing},
      {none_out_in, must, none_in, push},
      {to, must, none, push},
      {to_in, must, none_in, push},
      {from, must, from, nothing},
      {from_out, must, from, push},
      {both, must, from, push},
      {none_out_approved, must, none_approved, push},
      {to_approved, must, none_approved, push},
  };
  check(outbound, SubscriptionAction::unsubscribe, rows);
}

// RFC 6121 A.2.3; what is not a request's answer is a pre-approval (§3.4.2) or ignored.
TEST(Subscription, outbound_subscribed) {
  constexpr Row rows[] = {
      {none, must_not, none_approved, push},
      {none_out, must_not, none_out_approved, push},
      {none_in, must, from, push | presence},
      {none_out_in, must, from_out, push | presence},
      {to, must_not, to_approved, push},
      {to_in, must, both, push | presence},
      {from, must_not, from, nothing},
      {from_out, must_not, from_out, nothing},
      {both, must_not, both, nothing},
      {none_approved, must_not, none_approved, nothing},
      {none_out_approved, must_not, none_out_approved, nothing},
      {to_approved, must_not, to_approved, nothing},
  };
  check(outbound, SubscriptionAction::subscribed, rows);
}

// RFC 6121 A.2.4; unavailable presence by §3.2.2. A refused request was never shown, so there is no push.
TEST(Subscription, outbound_unsubscribed) {
  constexpr Row rows[] = {
      {none, must_not, none, nothing},
      {none_out, must_not, none_out, nothing},
      {none_in, must, none, nothing},
      {none_out_in, must, none_out, nothing},
      {to, must_not, to, nothing},
      {to_in, must, to, nothing},
      {from, must, none, push | gone},
      {from_out, must, none_out, push | gone},
      {both, must, to, push | gone},
      {none_approved, must_not, none, push},
      {none_out_approved, must_not, none_out, push},
      {to_approved, must_not, to, push},
      {from_approved, must, none, push | gone},
      {both_approved, must, to, push | gone},
  };
  check(outbound, SubscriptionAction::unsubscribed, rows);
}

// RFC 6121 A.3.1; answered by the server where the contact is let in or approved already (§3.1.3, §3.4.2).
TEST(Subscription, inbound_subscribe) {
  constexpr Row rows[] = {
      {none, must, none_in, nothing},
      {none_out, must, none_out_in, nothing},
      {none_in, must_not, none_in, nothing},
      {none_out_in, must_not, none_out_in, nothing},
      {to, must, to_in, nothing},
      {to_in, must_not, to_in, nothing},
      {from, must_not, from, reply | presence},
      {from_out, must_not, from_out, reply | presence},
      {both, must_not, both, reply | presence},
      {none_approved, must_not, from_approved, push | reply | presence},
      {none_out_approved, must_not, from_out_approved, push | reply | presence},
      {to_approved, must_not, both_approved, push | reply | presence},
  };
  check(inbound, SubscriptionAction::subscribe, rows);
}

// RFC 6121 A.3.2; unavailable presence by §3.3.3.
TEST(Subscription, inbound_unsubscribe) {
  constexpr Row rows[] = {
      {none, must_not, none, nothing},
      {none_out, must_not, none_out, nothing},
      {none_in, must, none, nothing},
      {none_out_in, must, none_out, nothing},
      {to, must_not, to, nothing},
      {to_in, must, to, nothing},
      {from, must, none, push | gone},
      {from_out, must, none_out, push | gone},
      {both, must, to, push | gone},
      {none_approved, must_not, none_approved, nothing},
      {from_approved, must, none_approved, push | gone},
  };
  check(inbound, SubscriptionAction::unsubscribe, rows);
}

// RFC 6121 A.3.3.
TEST(Subscription, inbound_subscribed) {
  constexpr Row rows[] = {
      {none, must_not, none, nothing},
      {none_out, must, to, push},
      {none_in, must_not, none_in, nothing},
      {none_out_in, must, to_in, push},
      {to, must_not, to, nothing},
      {to_in, must_not, to_in, nothing},
      {from, must_not, from, nothing},
      {from_out, must, both, push},
      {both, must_not, both, nothing},
      {none_approved, must_not, none_approved, nothing},
      {none_out_approved, must, to_approved, push},
  };
  check(inbound, SubscriptionAction::subscribed, rows);
}

// RFC 6121 A.3.4.
TEST(Subscription, inbound_unsubscribed) {
  constexpr Row rows[] = {
      {none, must_not, none, nothing},
      {none_out, must, none, push},
      {none_in, must_not, none_in, nothing},
      {none_out_in, must, none_in, push},
      {to, must, none, push},
      {to_in, must, none_in, push},
      {from, must_not, from, nothing},
      {from_out, must, from, push},
      {both, must, from, push},
      {none_out_approved, must, none_approved, push},
      {to_approved, must, none_approved, push},
  };
  check(inbound, SubscriptionAction::unsubscribed, rows);
}

TEST(Subscription, words_are_those_of_the_roster) {
  EXPECT_EQ(wire_word(Subscription::none), "none");
  EXPECT_EQ(wire_word(Subscription::to), "to");
  EXPECT_EQ(wire_word(Subscription::from), "from");
  EXPECT_EQ(wire_word(Subscription::both), "both");
}

}  // namespace
}  // namespace kith::xmpp
