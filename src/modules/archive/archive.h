// Message Archive Management (XEP-0313 v1.1.3, urn:xmpp:mam:2 and #extended) of accounts, with stanza ids (XEP-0359
// v0.7.0) and Result Set Management (XEP-0059 v1.0). Lives on the account's shard. Storage: ArchiveStore, a row for
// each account that a message belongs to. The archive id is the stanza id: a number as 16 hexadecimal digits, growing
// with time.
//
// A message that comes to an account is archived after it was let in and before it is delivered; what reaches a client
// with a stanza id waits for the commit of its row. A message that a client sends is archived for its own account as it
// leaves. What the disk refuses is delivered all the same, without an id.
//
// Message Retraction (XEP-0424 v0.4.2): a retraction that is archived leaves a tombstone of its author's message and of
// what corrected it (XEP-0308), in the same transaction. Of messages of one author with one id, the last is meant. Not
// of private messages of rooms, whose authors are not known here, and not of what was archived before Kith had this.
//
// Limits: a page has at most ArchiveRequest::most_on_page messages and `most_page_bytes` bytes, a session has at most
// `most_queries` queries at a time. Messages are kept for `retention_days`. Preferences (XEP-0441 v0.2.0) name at most
// archive_preference_addresses. A retraction leaves at most ArchiveStore::most_rewritten tombstones. Does not keep
// groupchat messages.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "module/archive_query.h"
#include "module/module.h"
#include "xmpp/namespaces.h"
#include "xmpp/retraction.h"

namespace kith::modules {

class Archive final : public module::Module {
 public:
  static constexpr std::string_view ns_archive = module::ns::archive;
  static constexpr std::string_view ns_archive_1 = module::ns::archive_1;
  static constexpr std::string_view ns_archive_0 = module::ns::archive_0;
  static constexpr std::string_view ns_extended = module::ns::archive_extended;
  static constexpr std::size_t most_page_bytes = 1024 * 1024;
  static constexpr std::size_t most_queries = 4;
  static constexpr std::size_t expired_at_once = 500;  ///< messages removed in one write
  static constexpr Duration expire_every = std::chrono::minutes(10);

  static constexpr module::Descriptor descriptor{
      .name = "archive",
      .summary = "Keeps conversations for a while, so that each of an account's clients has them whole.",
      .specs = {{.xep = 313, .version = "1.1.3", .note = "archives of accounts"},
                {.xep = 59, .version = "1.0", .note = "pages by id, no index"},
                {.xep = 359, .version = "0.7.0"},
                {.xep = 441, .version = "0.2.0"},
                {.xep = 334, .version = "1.0.0"},
                {.xep = 424, .version = "0.4.2", .note = "tombstones in the archives of accounts"}},
      .account_features = {ns_archive, ns_archive_1, ns_archive_0, ns_extended, xmpp::ns::stanza_ids,
                           xmpp::ns::retraction, xmpp::ns::retraction_tombstone},
      .settings = {{.key = "retention_days",
                    .type = module::Setting::Type::integer,
                    .unit = "days",
                    .fallback = "7",
                    .least = 1,
                    .most = 36'500,
                    .help = "How long messages are kept in the archives."}},
  };

  explicit Archive(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;
  void configure(const module::Settings& settings) override;

 private:
  module::Outcome sent(module::MessageFromClient& event);
  module::Outcome received(module::MessageToAccount& event);
  storage::ArchiveStore::Added keep(const xmpp::BareJid& account, const xmpp::BareJid& author, const xmpp::Jid& peer,
                                    const xml::Element& message);
  void describe(module::IqRequest request);
  void query(module::IqRequest request);
  void metadata(module::IqRequest request);
  void tell_preferences(module::IqRequest request);
  void set_preferences(module::IqRequest request);
  void bound_inline(module::BindInline& event);
  void answer_count(module::IqRequest request, module::ArchiveRequest asked);
  struct Asked;
  void answer_page(Asked asked, const storage::Result<storage::ArchivePage>& page);
  xml::Element carrier_to(const xmpp::Jid& client);
  module::Session* session_of(const module::IqRequest& request);
  void expire();

  const Clock& clock_;
  Random& random_;
  Events& events_;
  TimerWheel& timers_;
  module::Accounts& accounts_;
  storage::ArchiveStore& store_;
  const module::ArchiveIdCipher& ids_;
  storage::DocumentStore& documents_;
  module::Delivery& delivery_;
  const Limits& limits_;
  std::chrono::days retention_{7};
  Counter& archived_;
  Timer timer_;
};

}  // namespace kith::modules
