// Presence subscriptions (RFC 6121 §3, Appendix A; pre-approval §3.4): who may see whom. The transitions themselves are
// the pure functions of xmpp/subscription.h; this room applies them to the roster, tells clients and contacts, and
// keeps requests that wait for an answer. Lives on the account's shard. Storage: the roster item, with the request's
// stanza while it waits. Whatever leaves because of a change waits for that change's commit. Limits:
// subscription_requests (sent, for each account), roster_items, pending_subscription_requests (received), and
// `kept_request_bytes` of a request.
#pragma once

#include <cstddef>
#include <optional>

#include "base/token_bucket.h"
#include "module/module.h"
#include "xmpp/subscription.h"

namespace kith::modules {

class SubscriptionFeature final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "subscription",
      .summary = "Contact requests, their approval, cancellation and pre-approval.",
      .specs = {{0, "RFC 6121", "§3 and Appendix A"}}};
  /// A waiting request with more than this is kept without its children: a nickname and a status have room.
  static constexpr std::size_t kept_request_bytes = 4 * 1024;

  explicit SubscriptionFeature(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  /// Of an account: how many requests it may still send.
  struct Budget {
    std::optional<TokenBucket> requests;
  };

  void announce(module::StreamFeatures& event);
  module::Outcome from_client(module::PresenceFromClient& event);
  module::Outcome to_account(module::PresenceToAccount& event);
  void offer_waiting_requests(module::SessionAvailable& event);
  void say_goodbye(module::AccountRemoved& event);

  bool may_request(module::Account& account);
  bool has_room_for_request(const module::Account& account) const;
  /// If that write fails, whoever sent `stanza` is told to try again.
  void answer_if_failed(const xmpp::Stanza& stanza, storage::Ticket ticket);
  storage::Ticket write(module::Account& account, storage::RosterItem item);
  /// Tells the other features.
  void sight_changed(module::Account& account, const xmpp::BareJid& contact, storage::Ticket gate);

  const module::Hooks* hooks_ = nullptr;
  const Clock& clock_;
  Events& events_;
  module::Delivery& delivery_;
  const Limits& limits_;
};

}  // namespace kith::modules
