// What a client asked for together with its login (XEP-0388 §2.6.1): to resume a session, else to bind one (XEP-0386),
// with what it wants to be on from the first moment. On the account's shard; the client hears of it all in one
// <success/>, and nothing that is for the new session leaves before that.
#include <utility>

#include "base/digest.h"
#include "base/encoding.h"
#include "sasl/token.h"
#include "session/c2s_connection.h"
#include "session/managed_session.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;

namespace {

/// From when on a login by a token brings another one.
constexpr std::chrono::hours token_rotation_time{24};
/// How often the use of a token is written down: what people are told of it need not be more exact, and a commit costs
/// more than the rest of the login.
constexpr std::chrono::hours token_noted_time{1};

/// Hands the element on when the last that holds it lets it go.
struct PendingBound {
  explicit PendingBound(std::move_only_function<void(xml::Element)> whole) : then(std::move(whole)) {}
  ~PendingBound() { then(std::move(element)); }
  PendingBound(const PendingBound&) = delete;
  PendingBound& operator=(const PendingBound&) = delete;

  xml::Element element{"bound", ns::bind2};
  std::move_only_function<void(xml::Element)> then;
};

}  // namespace

void C2sConnection::do_establish(stream::Establish establish) {
  wishes_ = std::make_unique<stream::Wishes>(std::move(establish.wishes));
  establish_tokens();
  // XEP-0386 §3.2: first the one, and the other only if that failed.
  if (wishes_->resume) return do_resume(*wishes_->resume);
  establish_bind({});
}

std::string C2sConnection::resource_suffix() const {
  constexpr std::size_t suffix_bytes = 9;
  if (facts_.agent.empty()) return service_.deps_.random.token(suffix_bytes);
  // The same for each login of a client. SECURITY: strangers can't guess it, and nobody learns the client's id from it
  // (XEP-0386 §3.2.1).
  const std::string seed = std::string(service_.deps_.server_secret.reveal()) + "\nresource\n" +
                           negotiation_->account().text() + "\n" + facts_.agent;
  return base64url_encode(sha256(seed).substr(0, suffix_bytes));
}

void C2sConnection::establish_bind(std::vector<xml::Element> inner) {
  if (!wishes_->bind) {
    service_.deps_.router.commits().when_decided(
        token_written_, [&service = service_, id = id_, inner = std::move(inner)](bool) mutable {
          C2sConnection* self = service.find(id);
          if (self != nullptr && !self->closed_) self->established(std::move(inner));
        });
    return;
  }
  note_facts();
  router::Router::OutputFinder output = [&service = service_, id = id_]() -> module::SessionOutput* {
    C2sConnection* self = service.find(id);
    if (self == nullptr || self->closed_) return nullptr;
    self->holding_ = true;
    return self;
  };
  service_.deps_.router.bind(
      negotiation_->account(), stream::resource_of(*wishes_->bind, resource_suffix()), std::move(output), facts_,
      [&service = service_, id = id_, inner = std::move(inner)](router::Router::BindResult result) mutable {
        C2sConnection* self = service.find(id);
        if (self == nullptr || self->closed_) {
          if (result) service.deps_.router.unbind(**result);
          return;
        }
        if (result) return self->establish_bound(**result, std::move(inner));
        // XEP-0386 has no words for it: the login has succeeded, and nothing is bound.
        self->holding_ = false;
        self->established(std::move(inner));
      });
}

void C2sConnection::establish_bound(module::Session& session, std::vector<xml::Element> inner) {
  session_ = &session;
  // XEP-0386 §3.2: whatever the same client had before is over.
  std::vector<module::Session*> older;
  for (const auto& other : session.account().sessions()) {
    if (other.get() != &session && !facts_.agent.empty() && other->facts().agent == facts_.agent)
      older.push_back(other.get());
  }
  for (module::Session* other : older) {
    service_.deps_.router.end_session(
        *other, {xmpp::StreamCondition::conflict, "A newer session of the same client has begun."});
  }
  const auto pending = std::make_shared<PendingBound>(
      [&service = service_, id = id_, inner = std::move(inner)](xml::Element element) mutable {
        // Posted, so that an answer given inside the hook comes after it, like every other.
        service.deps_.shard.post([&service, id, inner = std::move(inner), element = std::move(element)]() mutable {
          C2sConnection* asked = service.find(id);
          if (asked == nullptr || asked->closed_ || asked->session_ == nullptr) return;
          inner.push_back(std::move(element));
          service.deps_.router.commits().when_decided(
              asked->token_written_, [&service, id, inner = std::move(inner)](bool) mutable {
                C2sConnection* self = service.find(id);
                if (self == nullptr || self->closed_ || self->session_ == nullptr) return;
                self->established(std::move(inner));
              });
        });
      });
  const std::shared_ptr<xml::Element> bound(pending, &pending->element);
  if (const xml::Element* enable = wishes_->bind->child("enable", ns::sm)) {
    bound->add(enable_management(stream::read_enable(*enable)));
    if (managed_ != nullptr) managed_->hold();
  }
  module::BindInline event{session, *wishes_->bind, bound};
  service_.deps_.router.hooks().run(event);
}

// --- FAST (XEP-0484 v0.2.0)
// ---------------------------------------------------------------------------------------------------------

void C2sConnection::look_up_tokens(const xmpp::BareJid& bare, const std::string& client) {
  if (!service_.deps_.guard.may_try(facts_.address)) {
    service_.deps_.events.limit_hit("failed_logins_per_address_rate");
    return apply(negotiation_->login_unavailable());
  }
  busy_ = true;
  facts_.authorized = service_.deps_.clock.now();
  const auto answer = [&service = service_, id = id_](auto then) {
    C2sConnection* self = service.find(id);
    if (self == nullptr || self->closed_ || !self->negotiation_) return;
    self->busy_ = false;
    self->apply(then(*self->negotiation_));
    self->resume();
  };
  service_.deps_.stores.tokens.find(
      bare, client, [&service = service_, bare, client, answer](storage::Result<storage::LoginTokens> found) {
        if (!found) return answer([](stream::Negotiation& negotiation) { return negotiation.login_unavailable(); });
        // SECURITY: an account that does not exist, or is disabled, goes the same way with tokens that nothing can
        // match.
        const bool known = found->account && !found->account->disabled;
        if (!known) found->tokens.clear();
        found->tokens.resize(sasl::most_tokens);
        const WallTime now = service.deps_.clock.wall();
        std::vector<sasl::Token> tokens;
        for (const storage::TokenRecord& one : found->tokens) {
          // One that is none has no seed and no mechanism.
          tokens.push_back({.text = sasl::derive_token(service.deps_.server_secret, bare.text(), client, one.seed),
                            .mechanism = one.mechanism,
                            .expired = one.expires <= now,
                            .fresh = one.fresh,
                            .due = now - one.issued >= token_rotation_time,
                            .noted = now - one.used < token_noted_time});
        }
        answer([&](stream::Negotiation& negotiation) {
          negotiation.found_keys(known ? found->account->credentials : xmpp::Credentials());
          return negotiation.tokens(tokens);
        });
      });
}

void C2sConnection::establish_tokens() {
  const stream::Wishes& wishes = *wishes_;
  storage::TokenStore& store = service_.deps_.stores.tokens;
  const xmpp::BareJid& account = negotiation_->account();
  const WallTime now = service_.deps_.clock.wall();
  if (wishes.fast && wishes.invalidate) {
    // §3.6: what follows is no sign too early. SECURITY: an older token is void by the use of this one, and a newer one
    // that the client may have is not what somebody who logs out means to leave behind.
    token_written_ = tokens_removed_ = store.remove(account, wishes.agent.id);
  } else if (wishes.fast) {
    // A fresh one must be written: the older one is void from now on (§5.1).
    if (wishes.token_fresh || !wishes.token_noted) store.used(account, wishes.agent.id, wishes.token_fresh, now);
  }
  std::optional<std::string> mechanism = wishes.token_mechanism;
  // §3.5: rotation.
  if (!mechanism && wishes.fast && wishes.token_due && !wishes.invalidate) mechanism = negotiation_->mechanism();
  if (!mechanism) return;
  const storage::TokenRecord record{.client = wishes.agent.id,
                                    .mechanism = *mechanism,
                                    .seed = service_.deps_.random.token(),
                                    .issued = now,
                                    .expires = now + service_.deps_.limits.fast_token_time,
                                    .used = now,
                                    .software = wishes.agent.software,
                                    .device = wishes.agent.device};
  const storage::LoginBasis basis{.salt = wishes.salt, .by_token = wishes.fast && !wishes.invalidate};
  token_written_ = store.put(account, record, basis, service_.deps_.limits.fast_clients_per_account);
  const Secret token = sasl::derive_token(service_.deps_.server_secret, account.text(), wishes.agent.id, record.seed);
  token_ = stream::token_element(token.reveal(), xmpp::format_datetime(record.expires, false));
}

void C2sConnection::established(std::vector<xml::Element> inner) {
  const std::optional<xmpp::FullJid> jid = session_ == nullptr ? std::nullopt : std::optional(session_->jid());
  const bool bound = wishes_->bind.has_value() && holding_;
  wishes_.reset();
  // Who logs out must not be told that it has worked if it hasn't.
  if (tokens_removed_ && service_.deps_.router.commits().log().failed(tokens_removed_)) {
    return fail({xmpp::StreamCondition::internal_server_error, "The token could not be removed. Try again later."});
  }
  // A token that could not be stored would be one that does not work.
  if (token_ && !service_.deps_.router.commits().log().failed(token_written_)) inner.push_back(*std::move(token_));
  token_.reset();
  apply(negotiation_->established(jid, std::move(inner)));
  if (jid) negotiation_.reset();
  if (jid && !bound) return;  // Resumed: who calls goes on from here.
  holding_ = false;
  if (jid) schedule(service_.deps_.limits.idle_ping_time);
  if (managed_ != nullptr) {
    managed_->go_on();
  } else {
    flush_waiting();
  }
  busy_ = false;
  resume();
}

}  // namespace kith::session
