#include "router/router.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "module/client_list.h"
#include "xmpp/namespaces.h"

namespace kith::router {

namespace {
constexpr Duration closed_margin = std::chrono::minutes(1);
}  // namespace

using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaKind;
using xmpp::StanzaType;
using xmpp::StreamCondition;
using xmpp::StreamError;

Router::Router(const RouterDeps& deps)
    : deps_(deps),
      commits_(deps.commit_log),
      accounts_(deps.clock, deps.timers, deps.events, deps.limits, deps.stores, commits_, hooks_),
      routed_messages_(
          deps.events.counter("kith_stanzas_total", "Stanzas brought to their account.", "kind=\"message\"")),
      routed_presences_(
          deps.events.counter("kith_stanzas_total", "Stanzas brought to their account.", "kind=\"presence\"")),
      routed_iqs_(deps.events.counter("kith_stanzas_total", "Stanzas brought to their account.", "kind=\"iq\"")),
      sessions_(deps.events.gauge("kith_sessions", "Bound sessions.")) {
  hooks_.on_fault = [this](std::string_view what) {
    deps_.events.record(LogLevel::error, "handler_fault", {{"what", std::string(what)}});
  };
  accounts_.in_one_turn = [this](const std::function<void()>& visits) {
    const Turn turn(*this);
    visits();
  };
}

// --- from clients
// ----------------------------------------------------------------------------------------------------------

std::optional<StreamError> Router::from_client(module::Session& session, xml::Element element) {
  addressed_ = 0;
  const Turn turn(*this);
  const bool known = element.name() == "message" || element.name() == "presence" || element.name() == "iq";
  if (!known) {
    if (element.ns() != xmpp::ns::client) {
      module::NonzaFromClient event{session, element};
      if (std::holds_alternative<module::Done>(hooks_.run(event))) return std::nullopt;
    }
    return StreamError{StreamCondition::unsupported_stanza_type};
  }
  if (element.ns() != xmpp::ns::client) return StreamError{StreamCondition::invalid_namespace};
  session.set_active(deps_.clock.now());

  // SECURITY: RFC 6120 §8.1.2.1: a client may leave `from` out or write its own full or bare JID; nothing else.
  if (const auto from = element.attribute("from")) {
    if (*from != session.jid().text() && *from != session.jid().bare_text()) {
      const std::optional<xmpp::Jid> claimed = xmpp::Jid::parse(*from);
      if (!claimed || (*claimed != session.jid() && *claimed != session.account().jid())) {
        return StreamError{StreamCondition::invalid_from};
      }
    }
  }
  element.unset("from");

  // What is needed to answer a stanza that can't become one.
  const std::string name(element.name());
  const std::string id(element.attribute("id").value_or(""));
  const std::string type(element.attribute("type").value_or(""));
  std::expected<xmpp::Stanza, StanzaError> parsed = xmpp::Stanza::from_element(std::move(element));
  if (!parsed) {
    if (type == "error" || (name == "iq" && type == "result")) return std::nullopt;
    xml::Element answer(std::string_view(name), xmpp::ns::client);
    answer.set("type", "error");
    if (!id.empty() || name == "iq") answer.set("id", id);  // An iq is none without an id, even one that answers such.
    answer.set("from", std::string(session.jid().domainpart()));
    answer.set("to", session.jid().text());
    answer.add(parsed.error().to_element());
    session.send(xmpp::Stanza::make(std::move(answer)));
    return std::nullopt;
  }
  xmpp::Stanza& stanza = *parsed;
  stanza.set_from(session.jid());
  const xmpp::BareJid& own = session.account().jid();

  const auto stopped = [&](const module::Outcome& outcome) {
    if (const auto* error = std::get_if<StanzaError>(&outcome)) {
      if (auto reply = xmpp::error_reply(stanza, *error)) session.send(*reply);
      return true;
    }
    return std::holds_alternative<module::Done>(outcome);
  };

  switch (stanza.kind()) {
    case StanzaKind::message: {
      if (!stanza.to()) stanza.set_to(own);
      module::MessageFromClient event{session, stanza};
      if (!stopped(hooks_.run(event))) send_on({std::move(stanza), {}, {}}, false);
      break;
    }
    case StanzaKind::presence: {
      module::PresenceFromClient event{session, stanza};
      if (!stopped(hooks_.run(event)) && stanza.to()) send_on({std::move(stanza), {}, {}}, false);
      break;
    }
    case StanzaKind::iq: {
      const bool to_self = !stanza.to() || *stanza.to() == own;
      if (to_self && stanza.is_iq_request()) {
        routed_iqs_.add();
        iq_request(module::Target::account, std::move(stanza), &session.account(), &session);
      } else if (to_self) {
        // An answer to the server. Of one to a ping of ours it only matters that it came.
        module::IqAnswerToAccount event{session.account(), stanza};
        hooks_.run(event);
      } else if (!stanza.to()->has_localpart() && deps_.hosts.is_local(stanza.to()->domainpart())) {
        to_server(std::move(stanza), &session, {});
      } else {
        module::IqFromClient event{session, stanza};
        if (!stopped(hooks_.run(event))) send_on({std::move(stanza), {}, {}}, false);
      }
      break;
    }
  }
  return std::nullopt;
}

// --- routing
// ---------------------------------------------------------------------------------------------------------------

void Router::retire() {
  retired_ = true;
  local_.clear();
}

void Router::route(xmpp::Stanza stanza, storage::Ticket gate, std::optional<xmpp::Stanza> if_failed) {
  send_on({std::move(stanza), gate, std::move(if_failed)}, true);
}

void Router::send_on(Deliver item, bool ours) {
  xmpp::Stanza& stanza = item.stanza;
  const storage::Ticket gate = item.gate;
  if (retired_) return;
  if (!stanza.to()) {
    deps_.events.record(LogLevel::error, "route_without_to");
    return;
  }
  const xmpp::Jid& to = *stanza.to();
  const bool accounts_domain = deps_.hosts.is_local(to.domainpart());
  const bool elsewhere = !accounts_domain && hooks_.service_of(to.domainpart()) == nullptr;
  if (elsewhere && remote_ == nullptr) {
    unreachable(stanza, StanzaError::of(Condition::remote_server_not_found), gate);
    return;
  }
  const Turn turn(*this);
  if (accounts_domain && !to.has_localpart()) {
    to_server(std::move(stanza), nullptr, gate);
    return;
  }
  const unsigned shard = elsewhere ? owner_of_domain(to.domainpart()) : owner(xmpp::BareJid::of(to));
  addressed_ |= std::uint64_t{1} << (shard % 64);
  if (shard == deps_.shard) {
    local_.push_back(std::move(item));
    return;
  }
  Crossing crossing = std::move(item);
  if (deps_.crossroads.send(shard, crossing)) return;
  deps_.events.limit_hit("mailbox_items");
  Deliver& kept = std::get<Deliver>(crossing);
  const bool answer = kept.stanza.type() == StanzaType::error || kept.stanza.type() == StanzaType::result;
  // Somebody waits for an answer, and nobody would tell him that it is lost. SECURITY: an answer of ours is to a stanza
  // that had a place in a mailbox, so there are no more of them than had room; what a client calls an answer has no
  // such bound, and gets one.
  if (answer && (ours || past_full_->load(std::memory_order_relaxed) < clients_answers_past_full)) {
    std::shared_ptr<std::atomic<std::size_t>> counted;
    if (!ours) {
      counted = past_full_;
      counted->fetch_add(1, std::memory_order_relaxed);
    }
    deps_.crossroads.at(shard, [kept = std::move(kept), counted = std::move(counted)](Router& there) mutable {
      if (counted) counted->fetch_sub(1, std::memory_order_relaxed);
      there.receive(std::move(kept));
    });
    return;
  }
  refuse(kept.stanza, {xmpp::ErrorType::wait, Condition::resource_constraint, "The server is busy. Try again."}, gate);
}

void Router::from_server(xml::Element element) {
  addressed_ = 0;
  const Turn turn(*this);
  const std::string name(element.name());
  const std::string id(element.attribute("id").value_or(""));
  const std::string type(element.attribute("type").value_or(""));
  const std::optional<xmpp::Jid> from = xmpp::Jid::parse(element.attribute("from").value_or(""));
  const std::optional<xmpp::Jid> to = xmpp::Jid::parse(element.attribute("to").value_or(""));
  std::expected<xmpp::Stanza, StanzaError> parsed = xmpp::Stanza::from_element(std::move(element));
  if (parsed) return send_on({*std::move(parsed), {}, {}}, false);
  if (type == "error" || (name == "iq" && type == "result") || !from || !to) return;
  xml::Element answer(std::string_view(name), xmpp::ns::client);
  answer.set("type", "error").set("from", to->text()).set("to", from->text());
  if (!id.empty() || name == "iq") answer.set("id", id);
  answer.add(parsed.error().to_element());
  route(xmpp::Stanza::make(std::move(answer)));
}

void Router::unreachable(const xmpp::Stanza& stanza, const StanzaError& error, storage::Ticket gate) {
  const bool answer = stanza.kind() != StanzaKind::presence || stanza.type() == StanzaType::available ||
                      stanza.type() == StanzaType::subscribe;
  if (answer) refuse(stanza, error, gate);
}

void Router::give_back(xmpp::Stanza message, StanzaError error, std::string sentence,
                       std::move_only_function<void(bool)> then) {
  const xmpp::BareJid account = xmpp::BareJid::of(*message.from());
  auto answer = [here = deps_.shard, &roads = deps_.crossroads, then = std::move(then)](bool told) mutable {
    roads.at(here, [then = std::move(then), told](Router&) mutable { then(told); });
  };
  deps_.crossroads.at(
      owner(account), [account, message = std::move(message), error = std::move(error), sentence = std::move(sentence),
                       answer = std::move(answer)](Router& there) mutable {
        there.accounts_.with_room(account, [&there, account, message = std::move(message), error = std::move(error),
                                            sentence = std::move(sentence), answer = std::move(answer)](
                                               std::expected<module::Account*, Absence> found) mutable {
          const Turn turn(there);
          if (!found) return answer(found.error() == Absence::no_such_account);
          const module::Session* session = (*found)->session(message.from()->resourcepart());
          if (session != nullptr && !session->hibernating()) {
            if (auto reply = xmpp::error_reply(message, error)) there.route(*std::move(reply));
          } else {
            xml::Element notice("message", xmpp::ns::client);
            notice.set("from", std::string(account.domainpart())).set("to", account.text());
            notice.add_text_child("body", sentence);
            there.route(xmpp::Stanza::make(std::move(notice)));
          }
          answer(true);
        });
      });
}

void Router::refuse(const xmpp::Stanza& stanza, const StanzaError& error, storage::Ticket gate) {
  if (!stanza.from()) return;
  std::optional<xmpp::Stanza> reply = xmpp::error_reply(stanza, error);
  if (!reply) return;
  // It waits so that it is no sign too early, and leaves however that write ends: somebody must hear of the refusal.
  when_decided(gate, [this, reply = std::move(*reply)](bool) mutable { route(std::move(reply)); });
}

void Router::receive(Crossing crossing) {
  const Turn turn(*this);
  if (auto* item = std::get_if<Deliver>(&crossing)) {
    local_.push_back(std::move(*item));
  } else if (const auto* asked = std::get_if<Fence>(&crossing)) {
    fence_here([this, asked = *asked] {
      Crossing answer = Fenced{asked.number};
      if (deps_.crossroads.send(asked.from, answer)) return;
      deps_.crossroads.at(asked.from, [answer](Router& there) { there.receive(answer); });
    });
  } else if (const auto* answer = std::get_if<Fenced>(&crossing)) {
    fenced(*answer);
  } else {
    auto& close = std::get<CloseSessions>(crossing);
    close_sessions(close.account, close.error, std::move(close.keep));
  }
}

void Router::drain() {
  while (!local_.empty()) {
    Deliver item = std::move(local_.front());
    local_.pop_front();
    deliver(std::move(item));
  }
}

void Router::deliver(Deliver item) {
  const std::string_view domainpart = item.stanza.to()->domainpart();
  if (!deps_.hosts.is_local(domainpart)) {
    if (module::Service* const service = hooks_.service_of(domainpart)) {
      deliver_to(*service, std::move(item));
      return;
    }
    if (remote_ != nullptr) {
      latest_ = storage::later(latest_, remote_->send(std::move(item)));
      return;
    }
  }
  const xmpp::BareJid bare = xmpp::BareJid::of(*item.stanza.to());
  if (accounts_.with_loaded(bare, [&](module::Account& account) { deliver_to(account, item); })) return;
  const std::uint64_t number = ++settlings_;
  unsettled_.insert(number);
  accounts_.with(bare, [this, number, item = std::move(item)](std::expected<module::Account*, Absence> found) mutable {
    const Turn turn(*this);
    if (found) {
      deliver_to(**found, item);
    } else {
      absent(item.stanza, found.error());
    }
    settled(number);
  });
}

void Router::deliver_to(module::Service& service, Deliver item) {
  const std::uint64_t number = ++settlings_;
  unsettled_.insert(number);
  xmpp::Stanza asked = item.stanza;
  try {
    service.receive(std::move(item.stanza), item.gate, [this, number](storage::Ticket last) {
      latest_ = storage::later(latest_, last);
      settled(number);
    });
  } catch (const std::exception& fault) {
    hooks_.on_fault(fault.what());
    refuse(asked, StanzaError::of(Condition::internal_server_error));
  }
}

void Router::absent(const xmpp::Stanza& stanza, Absence why) {
  switch (why) {
    case Absence::no_such_account:
      if (stanza.is_iq_request() && stanza.to()->is_bare()) {
        const xml::Element& payload = *stanza.payload();
        const module::Hooks::IqHandler* handler =
            hooks_.iq_handler(module::Target::account, stanza.type(), payload.name(), payload.ns());
        if (handler != nullptr && handler->access == module::Access::unguarded) {
          iq_request(module::Target::account, stanza, nullptr, nullptr);
          break;
        }
      }
      // SECURITY: RFC 6121 §4.3.2: a probe is answered as for an account that does not let the asker see it.
      if (stanza.type() == StanzaType::probe && stanza.from()) {
        xml::Element refusal("presence", xmpp::ns::client);
        refusal.set("type", "unsubscribed")
            .set("from", std::string(stanza.to()->bare_text()))
            .set("to", std::string(stanza.from()->bare_text()));
        route(xmpp::Stanza::make(std::move(refusal)));
        break;
      }
      // RFC 6121 §8.5.1: presence is ignored; an answer to a message tells no more than a mistyped address would want
      // to know. A headline has none (Table 1), as it has none where there is an account and nobody is there.
      if (stanza.kind() != StanzaKind::presence && stanza.type() != StanzaType::headline)
        refuse(stanza, StanzaError::of(Condition::service_unavailable));
      break;
    case Absence::storage_failed:
      if (stanza.kind() != StanzaKind::presence) refuse(stanza, StanzaError::storage_failed());
      break;
    case Absence::queue_full:
      refuse(stanza, {xmpp::ErrorType::wait, Condition::resource_constraint, "The server is busy. Try again."});
      break;
  }
}

storage::Ticket Router::undecided_write(const module::Account& account) const {
  // A write that has failed is nothing to wait for: who gave it was told so.
  const storage::Ticket last = account.last_write();
  return commits_.decided(last) ? storage::Ticket{} : last;
}

void Router::deliver_to(module::Account& account, Deliver& item) {
  switch (item.stanza.kind()) {
    case StanzaKind::message:
      routed_messages_.add();
      message_to(account, item);
      break;
    case StanzaKind::presence:
      routed_presences_.add();
      presence_to(account, item);
      break;
    case StanzaKind::iq:
      routed_iqs_.add();
      iq_to(account, item);
      break;
  }
  latest_ = storage::later(latest_, account.last_write());
  if (!account.answers_held()) return;
  const std::uint64_t number = ++settlings_;
  unsettled_.insert(number);
  account.when_let_go([this, number, jid = account.jid()] {
    if (const module::Account* still = accounts_.loaded(jid)) latest_ = storage::later(latest_, still->last_write());
    settled(number);
  });
}

// --- fences
// ----------------------------------------------------------------------------------------------------------------

void Router::settled(std::uint64_t number) {
  unsettled_.erase(number);
  while (!local_fences_.empty() && (unsettled_.empty() || *unsettled_.begin() > local_fences_.front().before)) {
    auto then = std::move(local_fences_.front().then);
    local_fences_.pop_front();
    // After those who gave these writes: what comes back because one failed is on its way before the fence is passed.
    when_decided(latest_, [this, then = std::move(then)](bool) mutable {
      passed_.push_back(std::move(then));
      if (turns_ == 0) pass_fences();
    });
  }
}

void Router::pass_fences() {
  while (!passed_.empty()) {
    auto then = std::move(passed_.front());
    passed_.pop_front();
    then();
  }
}

void Router::fence_here(std::move_only_function<void()> then) {
  local_fences_.push_back({settlings_, std::move(then)});
  settled(0);
}

bool Router::fence(std::uint64_t shards, std::move_only_function<void()> then) {
  const std::uint64_t number = ++fences_;
  OpenFence open{.awaited = 1, .then = std::move(then)};
  for (unsigned shard = 0; shard < deps_.crossroads.shards(); ++shard) {
    if (shard == deps_.shard || (shards >> (shard % 64) & 1) == 0) continue;
    Crossing crossing = Fence{deps_.shard, number};
    // Those that were asked already answer for nobody.
    if (!deps_.crossroads.send(shard, crossing)) return false;
    ++open.awaited;
  }
  open_fences_.emplace(number, std::move(open));
  fence_here([this, number] { fenced({number}); });
  return true;
}

void Router::fenced(const Fenced& answer) {
  const auto found = open_fences_.find(answer.number);
  if (found == open_fences_.end()) return;
  if (--found->second.awaited != 0) return;
  OpenFence done = std::move(found->second);
  open_fences_.erase(found);
  done.then();
}

void Router::redeliver(xmpp::Stanza stanza, storage::Ticket gate, std::optional<xmpp::Stanza> if_failed,
                       module::Redelivery redelivery) {
  send_on({std::move(stanza), gate, std::move(if_failed), std::move(redelivery)}, true);
}

void Router::message_to(module::Account& account, Deliver& item) {
  module::MessageToAccount event{account, item.stanza, item.gate, std::move(item.if_failed)};
  event.redelivered = item.redelivered;
  const module::Outcome outcome = hooks_.run(event);
  if (const auto* error = std::get_if<StanzaError>(&outcome)) {
    refuse(item.stanza, *error, undecided_write(account));
  } else if (std::holds_alternative<module::Next>(outcome) && event.delivered == 0) {
    refuse(item.stanza, StanzaError::of(Condition::service_unavailable), undecided_write(account));
  }
}

void Router::presence_to(module::Account& account, Deliver& item) {
  module::PresenceToAccount event{account, item.stanza, item.gate};
  const module::Outcome outcome = hooks_.run(event);
  if (const auto* error = std::get_if<StanzaError>(&outcome)) refuse(item.stanza, *error);
}

void Router::iq_to(module::Account& account, Deliver& item) {
  xmpp::Stanza& stanza = item.stanza;
  const bool answered_here = stanza.to()->is_bare() || account.session(stanza.to()->resourcepart()) == nullptr;
  if (answered_here && stanza.is_iq_request() && stanza.from()->bare_text() != account.jid().text()) {
    // Whoever hears the answer concludes that all that went before is kept or has come back (docs/durability.md). What
    // comes back leaves when it is known to be held no more, or when the last ticket is decided, so the answer is made
    // after it, not only held at the receiver's end.
    const auto again = [this, bare = account.jid()](Deliver later, auto&& then) {
      accounts_.with(bare,
                     [this, later = std::move(later), then](std::expected<module::Account*, Absence> found) mutable {
                       const Turn turn(*this);
                       if (found) {
                         then(**found, later);
                       } else {
                         absent(later.stanza, found.error());
                       }
                     });
    };
    if (account.answers_held()) {
      account.when_let_go([this, again, item = std::move(item)]() mutable {
        again(std::move(item), [this](module::Account& there, Deliver& later) { iq_to(there, later); });
      });
      return;
    }
    if (const storage::Ticket last = undecided_write(account)) {
      when_decided(last, [this, again, item = std::move(item)](bool) mutable {
        again(std::move(item), [this](module::Account& there, Deliver& later) { iq_now(there, later); });
      });
      return;
    }
  }
  iq_now(account, item);
}

void Router::iq_now(module::Account& account, Deliver& item) {
  xmpp::Stanza& stanza = item.stanza;
  if (stanza.to()->is_bare()) {
    // RFC 6121 §8.5.2.1.3, §8.5.2.2.3: the server answers for the account; an answer that nobody here asked for is
    // dropped.
    if (!stanza.is_iq_request()) {
      module::IqAnswerToAccount event{account, stanza};
      hooks_.run(event);
      return;
    }
    const bool own = stanza.from()->bare_text() == account.jid().text();
    module::Session* session = own ? account.session(stanza.from()->resourcepart()) : nullptr;
    iq_request(module::Target::account, std::move(stanza), &account, session);
    return;
  }
  module::Session* session = account.session(stanza.to()->resourcepart());
  if (session == nullptr) {
    // RFC 6121 §8.5.3.2.3
    if (stanza.is_iq_request())
      refuse(stanza, StanzaError::of(Condition::service_unavailable), undecided_write(account));
    return;
  }
  module::IqToSession event{*session, stanza, item.gate};
  const module::Outcome outcome = hooks_.run(event);
  if (const auto* error = std::get_if<StanzaError>(&outcome)) {
    refuse(stanza, *error);
  } else if (std::holds_alternative<module::Next>(outcome)) {
    session->send(stanza, item.gate, item.if_failed ? &*item.if_failed : nullptr);
  }
}

void Router::to_server(xmpp::Stanza stanza, module::Session* session, storage::Ticket gate) {
  switch (stanza.kind()) {
    case StanzaKind::message:
      refuse(stanza, StanzaError::of(Condition::service_unavailable), gate);
      break;
    case StanzaKind::presence:
      break;  // Nobody subscribes to a server; RFC 6121 §8.3 leaves it open, and an answer would only tell of it.
    case StanzaKind::iq:
      if (!stanza.is_iq_request()) break;
      routed_iqs_.add();
      if (stanza.to()->is_full()) {
        refuse(stanza, StanzaError::of(Condition::service_unavailable), gate);
      } else {
        iq_request(module::Target::server, std::move(stanza), nullptr, session);
      }
      break;
  }
}

void Router::iq_request(module::Target target, xmpp::Stanza stanza, module::Account* account,
                        module::Session* session) {
  const xml::Element& payload = *stanza.payload();
  const module::Hooks::IqHandler* handler = hooks_.iq_handler(target, stanza.type(), payload.name(), payload.ns());
  // The answer leaves when all that came for the account before it is on disk: docs/durability.md.
  const storage::Ticket floor = account == nullptr ? storage::Ticket{} : undecided_write(*account);
  const auto may = [&](module::Access access) {
    if (access == module::Access::anyone || access == module::Access::unguarded || account == nullptr) return true;
    const xmpp::BareJid asker = xmpp::BareJid::of(*stanza.from());
    if (asker == account->jid()) return true;
    return access == module::Access::subscribers && account->roster().lets_see(asker);
  };
  // XEP-0191 §3.3
  const bool blocked = account != nullptr && stanza.from()->bare_text() != account->jid().text() &&
                       account->block_list().blocks(*stanza.from());
  if (handler == nullptr || blocked || !may(handler->access)) {
    module::IqRequest(std::move(stanza), account, session, *this, floor)
        .fail(StanzaError::of(Condition::service_unavailable));
    return;
  }
  // A handler may read before it answers, and write after that: a fence that came later waits for both.
  const std::uint64_t number = ++settlings_;
  unsettled_.insert(number);
  std::shared_ptr<void> open(
      nullptr, [this, number, jid = account == nullptr ? std::nullopt : std::optional(account->jid())](void*) {
        if (retired_) return;
        const module::Account* still = jid ? accounts_.loaded(*jid) : nullptr;
        if (still != nullptr) latest_ = storage::later(latest_, still->last_write());
        settled(number);
      });
  try {
    handler->handle(module::IqRequest(std::move(stanza), account, session, *this, floor, std::move(open)));
  } catch (const std::exception& fault) {
    // The request answered itself with internal-server-error when it was unwound.
    hooks_.on_fault(fault.what());
  }
}

void Router::when_decided(storage::Ticket ticket, std::move_only_function<void(bool)> then) {
  if (retired_) return;
  commits_.when_decided(ticket, [this, then = std::move(then)](bool committed) mutable {
    const Turn turn(*this);
    then(committed);
  });
}

void Router::commits_advanced() {
  const Turn turn(*this);
  commits_.advance();
}

// --- sessions
// --------------------------------------------------------------------------------------------------------------

void Router::bind(const xmpp::BareJid& jid, std::optional<std::string> resource, OutputFinder output,
                  module::ConnectionFacts facts, std::move_only_function<void(BindResult)> then) {
  accounts_.with(jid, [this, jid, resource = std::move(resource), output = std::move(output), facts = std::move(facts),
                       then = std::move(then)](std::expected<module::Account*, Absence> found) mutable {
    const Turn turn(*this);
    // The client may have gone while the account was loaded; it takes nobody's resource then.
    module::SessionOutput* const client = output();
    if (client == nullptr) return;
    if (!found) {
      then(std::unexpected(found.error() == Absence::no_such_account ? StanzaError::of(Condition::not_allowed)
                                                                     : StanzaError::storage_failed()));
      return;
    }
    // SECURITY: who logged in with what is void by now must not come in behind the others' end.
    if (was_closed_since(jid, facts)) {
      then(std::unexpected(StanzaError::of(Condition::not_authorized)));
      return;
    }
    module::Account& account = **found;
    std::optional<xmpp::FullJid> full;
    if (resource) full = xmpp::FullJid::of(jid, *resource);
    // SECURITY: a resource that the server makes up can't be guessed, and so neither probed nor written to by
    // strangers.
    if (!full) full = xmpp::FullJid::of(jid, deps_.random.token(12));
    // RFC 6120 §7.7.2.2: the newer session wins; a client that lost its connection without the server noticing comes
    // back so.
    if (module::Session* older = account.session(full->resourcepart()); older != nullptr) {
      end_session(*older, {StreamCondition::conflict, "A newer session has taken this resource."});
    }
    while (account.sessions().size() >= deps_.limits.sessions_per_account && !account.sessions().empty()) {
      deps_.events.limit_hit("sessions_per_account");
      end_session(*account.sessions().front(),
                  {StreamCondition::policy_violation, "Too many sessions of this account."});
    }
    module::Session& session = add_session(account, std::move(*full), *client, std::move(facts));
    module::SessionBound event{session};
    hooks_.run(event);
    then(&session);
  });
}

void Router::restore(const xmpp::FullJid& jid, module::SessionOutput& output, module::ConnectionFacts facts,
                     std::optional<xmpp::Stanza> presence, int priority, WallTime receives_since,
                     std::move_only_function<void(module::Session*)> then) {
  // Of one account there may be several, and none of them may be lost for the others.
  accounts_.with_room(jid.bare(),
                      [this, jid, &output, facts = std::move(facts), presence = std::move(presence), priority,
                       receives_since, then = std::move(then)](std::expected<module::Account*, Absence> found) mutable {
                        const Turn turn(*this);
                        if (!found || (*found)->session(jid.resourcepart()) != nullptr) return then(nullptr);
                        module::Session& session = add_session(**found, jid, output, std::move(facts));
                        session.set_presence(std::move(presence), priority, receives_since);
                        session.set_hibernating(true);
                        module::SessionBound event{session};
                        hooks_.run(event);
                        then(&session);
                      });
}

module::Session& Router::add_session(module::Account& account, xmpp::FullJid jid, module::SessionOutput& output,
                                     module::ConnectionFacts facts) {
  sessions_.add(1);
  return account.add_session(
      std::make_unique<module::Session>(account, std::move(jid), output, std::move(facts), deps_.clock.now()));
}

void Router::unbind(module::Session& session) {
  const Turn turn(*this);
  module::Account& account = session.account();
  const std::unique_ptr<module::Session> ended = account.take_session(session);
  if (!ended) return;
  sessions_.add(-1);
  module::SessionEnded event{account, *ended};
  hooks_.run(event);
  // The visit watches the roster and keeps the account from being dropped at once.
  accounts_.with(account.jid(), [](std::expected<module::Account*, Absence>) {});
}

void Router::end_session(module::Session& session, const StreamError& error) {
  module::SessionOutput& output = session.output();
  module::SessionEnding event{session};
  hooks_.run(event);
  unbind(session);
  output.ended(error);
}

void Router::remember_closed(const xmpp::BareJid& jid, const std::string& client) {
  const MonotonicTime now = deps_.clock.now();
  std::erase_if(closed_, [&](const auto& one) {
    return now - one.second > deps_.limits.login_time + deps_.limits.bind_time + closed_margin;
  });
  closed_.insert_or_assign({jid, client}, now);
}

bool Router::was_closed_since(const xmpp::BareJid& jid, const module::ConnectionFacts& facts) const {
  const auto closed_after = [&](const std::string& client) {
    const auto closed = closed_.find({jid, client});
    return closed != closed_.end() && facts.authorized < closed->second;
  };
  return closed_after({}) || (!facts.agent.empty() && closed_after(facts.agent));
}

void Router::close_client(const xmpp::BareJid& jid, const std::string& client, const StreamError& error) {
  const Turn turn(*this);
  remember_closed(jid, client);
  module::Account* account = accounts_.loaded(jid);
  if (account == nullptr) return;
  std::vector<module::Session*> leaving;
  for (const auto& session : account->sessions()) {
    if (module::client_id(session->facts(), session->jid().resourcepart()) == client) leaving.push_back(session.get());
  }
  for (module::Session* session : leaving) end_session(*session, error);
}

void Router::close_sessions(const xmpp::BareJid& jid, const StreamError& error, std::string keep) {
  if (const unsigned shard = owner(jid); shard != deps_.shard) {
    Crossing crossing = CloseSessions{jid, error, std::move(keep)};
    if (deps_.crossroads.send(shard, crossing)) return;
    deps_.events.limit_hit("mailbox_items");
    // SECURITY: sessions must end after a change of password, however busy that shard is; this is rare enough for the
    // other way.
    deps_.crossroads.at(shard, [close = std::move(std::get<CloseSessions>(crossing))](Router& there) mutable {
      there.close_sessions(close.account, close.error, std::move(close.keep));
    });
    return;
  }
  const Turn turn(*this);
  remember_closed(jid, {});
  module::Account* account = accounts_.loaded(jid);
  if (account == nullptr) return;
  std::vector<module::Session*> leaving;
  for (const auto& session : account->sessions()) {
    if (session->jid().resourcepart() != keep || keep.empty()) leaving.push_back(session.get());
  }
  for (module::Session* session : leaving) end_session(*session, error);
}

void Router::remove(const xmpp::BareJid& jid, std::move_only_function<void(storage::Result<bool>)> then) {
  const unsigned shard = owner(jid);
  // The account's own shard does it; the answer comes back here.
  deps_.crossroads.at(
      shard, [jid, here = deps_.shard, &roads = deps_.crossroads, then = std::move(then)](Router& there) mutable {
        there.remove_here(jid, [here, &roads, then = std::move(then)](storage::Result<bool> result) mutable {
          roads.at(here, [then = std::move(then), result](Router&) mutable { then(result); });
        });
      });
}

void Router::remove_here(const xmpp::BareJid& jid, std::move_only_function<void(storage::Result<bool>)> then) {
  accounts_.with(jid, [this, jid, then = std::move(then)](std::expected<module::Account*, Absence> found) mutable {
    if (!found) {
      if (found.error() == Absence::no_such_account) {
        then(false);
      } else {
        then(std::unexpected(storage::StorageError::unavailable));
      }
      return;
    }
    const Turn turn(*this);
    module::AccountRemoved event{**found};
    hooks_.run(event);
    deps_.stores.accounts.remove(jid, [this, jid, then = std::move(then)](storage::Result<bool> removed) mutable {
      const Turn answering(*this);
      then(removed);
      if (!removed) return;
      for (unsigned shard = 0; shard < deps_.crossroads.shards(); ++shard) {
        deps_.crossroads.at(shard, [jid](Router& there) {
          const Turn announcing(there);
          module::AccountGone gone{jid};
          there.hooks_.run(gone);
        });
      }
      // RFC 6120 §4.9.3.12 / XEP-0077 §3.2: the account's streams end, since nobody may use them any more; in a turn of
      // its own, so that whoever asked on one of them has the answer first.
      deps_.crossroads.at(deps_.shard, [jid](Router& self) {
        self.close_sessions(jid, {StreamCondition::not_authorized, "The account was removed."});
        self.accounts_.forget(jid);
      });
    });
  });
}

}  // namespace kith::router
