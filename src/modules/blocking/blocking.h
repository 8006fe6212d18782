// Blocking Command (XEP-0191 v1.3) and reports of abuse with it (XEP-0377 v0.4.1). Politely: subscriptions stay, the
// blocked see the account as offline. Lives on the account's shard. State: module::BlockList on the account; on a
// session, whether it has asked for the list. Storage: DocumentStore, kind "blocklist", one document.
// Limits: blocked_addresses and 256 KiB of them for each account, abuse_reports for each account.
// The account itself can't be blocked; its own domain can, without what the account says to itself. Reports go to the
// local administrators as messages, with the reporter's own words, and nowhere else: what may be done with a report
// (report-origin, third-party) is not done.
#pragma once

#include <expected>
#include <string_view>
#include <vector>

#include "module/module.h"

namespace kith::modules {

class Blocking final : public module::Module {
 public:
  static constexpr std::string_view ns_blocking = "urn:xmpp:blocking";
  static constexpr std::string_view ns_errors = "urn:xmpp:blocking:errors";
  static constexpr std::string_view ns_reporting = "urn:xmpp:reporting:1";
  static constexpr module::Descriptor descriptor{
      .name = "blocking",
      .summary = "Lets accounts block others, and report them to the administrators",
      .specs = {{.xep = 191, .version = "1.3"},
                {.xep = 377, .version = "0.4.1", .note = "reports go to the administrators only"}},
      .server_features = {ns_blocking, ns_reporting},
      .account_features = {ns_blocking, ns_reporting},
  };
  explicit Blocking(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  void list(module::IqRequest request);
  void block(module::IqRequest request);
  void unblock(module::IqRequest request);

  module::Outcome message_out(module::MessageFromClient& event);
  module::Outcome presence_out(module::PresenceFromClient& event);
  module::Outcome iq_out(module::IqFromClient& event);
  module::Outcome message_in(module::MessageToAccount& event);
  module::Outcome presence_in(module::PresenceToAccount& event);
  module::Outcome iq_in(module::IqToSession& event);
  void save(module::SessionSaved& event);
  void restore(module::SessionRestored& event);

  /// Writes the list, and makes the one in memory what the disk has if that fails.
  storage::Ticket write(module::Account& account);
  void reload(const xmpp::BareJid& owner);
  void hide_from_blocked(module::Account& account, const module::BlockList& before, storage::Ticket gate);
  void show_to_unblocked(const module::Account& account, const module::BlockList& before, storage::Ticket gate);
  void report(const module::Account& account, const xml::Element& item, storage::Ticket gate);

  storage::DocumentStore& documents_;
  module::Accounts& accounts_;
  module::Delivery& delivery_;
  Events& events_;
  const Limits& limits_;
  RateTable& rates_;
  const module::Hosts& hosts_;
};

}  // namespace kith::modules
