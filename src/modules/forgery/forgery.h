// Takes away what only this server may add to a message, wherever it comes from: copies of carbons (XEP-0280), answers
// of the archive (XEP-0313), archive ids in the account's name (XEP-0359), and delays stamped in the name of the
// account or its domain (XEP-0203). Clients trust these, and forged ones have put words into people's mouths more than
// once. Done once, before anything is stored, copied or delivered.
//
// Answers of other archives (rooms, XEP-0313 "MUC archives") reach only the client that has asked, from the bare JID
// that it has asked. State: those addresses, with each session; `most_asked` of them.
#pragma once

#include <cstddef>

#include "module/module.h"

namespace kith::modules {

class Forgery final : public module::Module {
 public:
  static constexpr std::size_t most_asked = 200;

  static constexpr module::Descriptor descriptor{
      .name = "forgery", .summary = "Takes away what a message may only carry when this server added it."};

  explicit Forgery(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  module::Outcome from_client(module::MessageFromClient& event);
  module::Outcome to_account(module::MessageToAccount& event);
  module::Outcome asks(module::IqFromClient& event);
  void clean(xmpp::Stanza& stanza, const xmpp::BareJid& account, bool answer_of_archive);

  Counter& removed_;
};

}  // namespace kith::modules
