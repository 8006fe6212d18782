#include "modules/last_activity/last_activity.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "xmpp/namespaces.h"

namespace kith::modules {

namespace {

using module::Access;
using module::Target;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

xml::Element answer_of(std::chrono::seconds seconds, std::string_view status = {}) {
  // The wall clock may have been set back since the account was last seen.
  seconds = std::max(seconds, std::chrono::seconds(0));
  xml::Element query("query", LastActivity::ns_last);
  query.set("seconds", std::to_string(seconds.count()));
  if (!status.empty()) query.add_text(status);
  return query;
}

bool may_see_presence(const module::Account& account, const xmpp::Jid& asker) {
  const xmpp::BareJid bare = xmpp::BareJid::of(asker);
  return bare == account.jid() || account.roster().lets_see(bare);
}

/// Not more than `most` bytes, cut between characters.
std::string_view cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return text.substr(0, most);
}

}  // namespace

void LastActivity::attach(module::Hooks& hooks) {
  hooks.on_iq(Target::server, Access::anyone, StanzaType::get, "query", ns_last, this, &LastActivity::uptime);
  hooks.on_iq(Target::account, Access::unguarded, StanzaType::get, "query", ns_last, this, &LastActivity::last_seen);
  hooks.on<module::IqToSession>(module::Phase::validate, this, &LastActivity::guard_session);
}

// XEP-0012 §5
void LastActivity::uptime(module::IqRequest request) {
  request.reply(answer_of(std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - started_)));
}

// XEP-0012 §3
void LastActivity::last_seen(module::IqRequest request) {
  module::Account* account = request.account();
  if (account == nullptr || !may_see_presence(*account, request.from())) {
    return request.fail(StanzaError::of(Condition::forbidden));
  }
  // A session that is connected but unavailable doesn't count: who hides is not given away here (§3 allows it).
  if (account->has_available_session()) return request.reply(answer_of(std::chrono::seconds(0)));
  accounts_.last_seen(
      account->jid(), [this, created = account->created(), request = std::move(request)](
                          storage::Result<std::optional<storage::AccountStore::LastSeen>> found) mutable {
        if (!found) return request.fail(StanzaError::storage_failed());
        // Who never was here has been away since the account was made.
        const WallTime since = *found ? (*found)->when : created;
        const auto away = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall() - since);
        request.reply(answer_of(away, *found ? cut((*found)->status, status_bytes) : std::string_view()));
      });
}

// XEP-0012 §4: a request to a client goes on only if its sender may see that the client is there.
module::Outcome LastActivity::guard_session(module::IqToSession& event) {
  if (event.stanza.type() != StanzaType::get) return module::Next{};
  const xml::Element* payload = event.stanza.payload();
  if (payload == nullptr || !payload->is("query", ns_last)) return module::Next{};
  const xmpp::Jid& asker = *event.stanza.from();
  const auto& told = event.session.directed();
  if (may_see_presence(event.session.account(), asker) || told.contains(asker) ||
      told.contains(xmpp::BareJid::of(asker))) {
    return module::Next{};
  }
  return StanzaError::of(Condition::forbidden);
}

}  // namespace kith::modules
