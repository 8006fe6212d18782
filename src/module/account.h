// An account: all that belongs to one local user while anybody addresses it. Lives on the shard that owns its bare JID,
// loaded when first addressed, dropped when idle. Handles its stanzas one at a time in the order of arrival. No locks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "module/archive_preferences.h"
#include "module/attachments.h"
#include "module/block_list.h"
#include "module/node_list.h"
#include "module/roster.h"
#include "module/session.h"
#include "xmpp/jid.h"

namespace kith::module {

class Account {
 public:
  Account(xmpp::BareJid jid, Roster roster, WallTime created)
      : jid_(std::move(jid)), roster_(std::move(roster)), created_(created) {}
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  const xmpp::BareJid& jid() const { return jid_; }
  WallTime created() const { return created_; }
  Roster& roster() { return roster_; }
  const Roster& roster() const { return roster_; }
  // Known before the first stanza: these are loaded with the account.
  BlockList& block_list() { return block_list_; }
  const BlockList& block_list() const { return block_list_; }
  ArchivePreferences& archive_preferences() { return archive_preferences_; }
  const ArchivePreferences& archive_preferences() const { return archive_preferences_; }
  NodeList& nodes() { return nodes_; }
  const NodeList& nodes() const { return nodes_; }

  /// The document of this kind (Hooks::load_with_account), as it was when the account was loaded; nothing if there was
  /// none.
  std::optional<std::string_view> loaded_document(std::string_view kind) const {
    const auto found = loaded_documents_.find(kind);
    return found == loaded_documents_.end() ? std::nullopt : std::optional<std::string_view>(found->second);
  }

  /// In the order in which they were bound, oldest first.
  const std::vector<std::unique_ptr<Session>>& sessions() const { return sessions_; }
  /// The session of that resource, or null.
  Session* session(std::string_view resourcepart) const;
  bool has_available_session() const;

  /// The last write for this account by any feature: whoever answers "it is done" for all that came before waits for
  /// it.
  storage::Ticket last_write() const { return storage::later(last_write_, roster_.last_write()); }
  /// Every feature that writes for this account says so here; returns the ticket.
  storage::Ticket wrote(storage::Ticket ticket) {
    last_write_ = storage::later(last_write_, ticket);
    return ticket;
  }

  /// A feature that holds a stanza back without having written it says so, and says when it holds none any more: until
  /// then no answer may claim that all that came before is kept (docs/durability.md).
  void hold_answers() { answers_held_ = true; }
  void let_answers_go() {
    answers_held_ = false;
    for (auto& then : std::exchange(when_let_go_, {})) then();
  }
  bool answers_held() const { return answers_held_; }

  Attachments& attachments() { return attachments_; }

  // For the router only.
  void set_loaded_documents(std::map<std::string, std::string> documents) {
    for (auto& [kind, document] : documents) loaded_documents_.insert_or_assign(kind, std::move(document));
  }
  /// `then` is called when answers are let go.
  void when_let_go(std::move_only_function<void()> then) { when_let_go_.push_back(std::move(then)); }
  Session& add_session(std::unique_ptr<Session> session);
  std::unique_ptr<Session> take_session(const Session& session);

 private:
  xmpp::BareJid jid_;
  Roster roster_;
  BlockList block_list_;
  ArchivePreferences archive_preferences_;
  NodeList nodes_;
  WallTime created_;
  std::map<std::string, std::string, std::less<>> loaded_documents_;
  std::vector<std::unique_ptr<Session>> sessions_;
  storage::Ticket last_write_;
  bool answers_held_ = false;
  std::vector<std::move_only_function<void()>> when_let_go_;
  Attachments attachments_;
};

}  // namespace kith::module
