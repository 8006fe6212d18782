#include "modules/offline/offline.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "module/message_targets.h"
#include "module/worth.h"
#include "xml/writer.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

using module::Account;
using module::Done;
using module::judge;
using module::Next;
using module::Outcome;
using module::Session;
using module::Worth;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;
namespace ns = xmpp::ns;

namespace {

constexpr std::string_view ns_handed = "urn:kith:offline:handed";

bool can_receive(const Session& session) { return session.available() && session.priority() >= 0; }

std::optional<xmpp::Stanza> restore(const storage::OfflineMessage& message, const xmpp::BareJid& account) {
  std::optional<xmpp::Stanza> stanza = xmpp::Stanza::from_stored(message.stanza);
  const std::optional<xmpp::Jid> server = xmpp::Jid::parse(account.domainpart());
  // When it came here, in the server's name.
  if (stanza && server) stanza->edit().add(xmpp::offline_delay_element(*server, xmpp::format_datetime(message.when)));
  return stanza;
}

/// It carries the id that the account's archive gave it. SECURITY: the archive takes away what others have written
/// there.
bool is_archived(const xmpp::Stanza& message, const xmpp::BareJid& account) {
  bool archived = false;
  message.content().for_each_child([&](const xml::Element& child) {
    archived = archived || (child.is("stanza-id", ns::stanza_ids) && child.attribute("by") == account.text());
  });
  return archived;
}

}  // namespace

OfflineFeature::OfflineFeature(const module::ModuleDeps& deps)
    : clock_(deps.clock),
      events_(deps.events),
      timers_(deps.timers),
      delivery_(deps.delivery),
      accounts_(deps.accounts),
      store_(deps.stores.offline),
      limits_(deps.limits),
      timer_([this] { on_tick(); }) {}

void OfflineFeature::attach(module::Hooks& hooks) {
  hooks.on<module::MessageFromClient>(module::Phase::validate, this, &OfflineFeature::message_alive);
  hooks.on<module::PresenceFromClient>(module::Phase::validate, this, &OfflineFeature::presence_alive);
  hooks.on<module::IqFromClient>(module::Phase::validate, this, &OfflineFeature::iq_alive);
  // Before the delivery feature, which comes after this one in all.cpp.
  hooks.on<module::MessageToAccount>(module::Phase::deliver, this, &OfflineFeature::put_behind);
  hooks.on<module::MessageToAccount>(module::Phase::offline, this, &OfflineFeature::keep_undelivered);
  hooks.on<module::SessionBound>(this, &OfflineFeature::session_bound);
  hooks.on<module::BindInline>(this, &OfflineFeature::bound_inline);
  hooks.on<module::SessionAvailable>(this, &OfflineFeature::session_available);
  hooks.on<module::SessionUnavailable>(this, &OfflineFeature::session_unavailable);
  hooks.on<module::SessionEnded>(this, &OfflineFeature::session_ended);
  hooks.on<module::SessionSaved>(this, &OfflineFeature::session_saved);
  hooks.on<module::SessionRestored>(this, &OfflineFeature::session_restored);
  hooks.on<module::AccountRemoved>(this, &OfflineFeature::account_removed);
}

// --- keeping
// -----------------------------------------------------------------------------------------------------------------

Outcome OfflineFeature::put_behind(module::MessageToAccount& event) {
  Account& account = event.account;
  State* const state = account.attachments().find<State>();
  if (state == nullptr) return Next{};
  const xmpp::Jid& to = *event.stanza.to();
  Session* const session = to.is_full() ? account.session(to.resourcepart()) : nullptr;
  if (state->handing) {
    const Session* const receiver = account.session(state->receiver);
    if (receiver != nullptr && module::had_its_own(event, *receiver)) return Next{};
    const bool for_receiver = session == nullptr || session->jid().resourcepart() == state->receiver;
    return for_receiver && judge(event.stanza) == Worth::keep ? keep(account, event.stanza, event.gate) : Next{};
  }
  if (session == nullptr) return Next{};
  const auto for_it = [&](const Held& held) { return held.resource == session->jid().resourcepart(); };
  if (judge(event.stanza) == Worth::keep && std::ranges::any_of(state->held, for_it)) {
    return hold(account, *state, {event.stanza, event.gate, std::string(to.resourcepart())});
  }
  const Beginning* const beginning = session->attachments().find<Beginning>();
  if (beginning == nullptr || beginning->was_available) return Next{};
  if (clock_.now() - beginning->bound >= settling_time || judge(event.stanza) != Worth::keep) return Next{};
  if (state->measured != State::Measured::yes) {
    return hold(account, *state, {event.stanza, event.gate, std::string(to.resourcepart())});
  }
  return state->size.messages == 0 ? Outcome(Next{}) : keep(account, event.stanza, event.gate);
}

Outcome OfflineFeature::keep_undelivered(module::MessageToAccount& event) {
  if (event.delivered != 0) return Next{};
  switch (judge(event.stanza)) {
    case Worth::keep:
      // What is beyond the quota waits in the archive.
      if (Outcome outcome = keep(event.account, event.stanza, event.gate);
          !event.archived || std::holds_alternative<Done>(outcome)) {
        return outcome;
      }
      return Done{};
    case Worth::refuse:
      return Next{};  // The sender hears that it went nowhere.
    case Worth::drop:
      return Done{};
  }
  return Next{};
}

bool OfflineFeature::has_room(const State& state, std::size_t bytes) const {
  // What comes while messages are being handed out takes the place of what leaves.
  const std::uint64_t more = state.handing ? held_most : 0;
  return state.size.messages < limits_.offline_messages + more &&
         state.size.bytes + bytes <= limits_.offline_bytes + (state.handing ? bytes : 0);
}

Outcome OfflineFeature::keep(Account& account, const xmpp::Stanza& message, storage::Ticket gate) {
  State& state = account.attachments().get<State>();
  // Behind what waits already.
  if (!state.held.empty()) return hold(account, state, {message, gate, {}});
  std::string text = xml::to_string(message.element(), ns::client);
  if (state.measured != State::Measured::yes) {
    // Written at once, against what was added since the account was loaded: a message that waited in memory for the
    // measure would have no ticket yet, and the answer to its sender's next iq would say more than the disk knows.
    measure(account);
    if (full_.contains(account.jid())) {
      return StanzaError{xmpp::ErrorType::wait, Condition::resource_constraint, "The server is busy. Try again."};
    }
  }
  if (!has_room(state, text.size())) {
    events_.limit_hit("offline_messages");
    if (full_.size() < full_most) full_.insert(account.jid());
    return StanzaError::of(Condition::service_unavailable, "There is no room for more messages.");
  }
  add(account, message, std::move(text));
  return Done{};
}

void OfflineFeature::add(Account& account, const xmpp::Stanza& message, std::string text) {
  State& state = account.attachments().get<State>();
  const std::size_t bytes = text.size();
  const storage::Ticket ticket = account.wrote(store_.add(account.jid(), clock_.wall(), std::move(text)));
  ++state.added;
  ++state.size.messages;
  state.size.bytes += bytes;
  ++state.added_since.messages;
  state.added_since.bytes += bytes;
  delivery_.when_decided(ticket, [this, message, bytes, jid = account.jid()](bool committed) {
    if (committed) return;
    refuse(message, StanzaError::storage_failed());
    Account* const back = accounts_.loaded(jid);
    State* const now = back == nullptr ? nullptr : back->attachments().find<State>();
    if (now == nullptr) return;
    now->size.messages -= std::min<std::uint64_t>(now->size.messages, 1);
    now->size.bytes -= std::min<std::uint64_t>(now->size.bytes, bytes);
  });
}

Outcome OfflineFeature::hold(Account& account, State& state, Held held) {
  if (state.held.size() >= held_most) {
    events_.limit_hit("offline_held");
    return StanzaError{xmpp::ErrorType::wait, Condition::resource_constraint, "The server is busy. Try again."};
  }
  state.held.push_back(std::move(held));
  account.hold_answers();
  measure(account);
  return Done{};
}

void OfflineFeature::measure(Account& account) {
  State& state = account.attachments().get<State>();
  if (state.measured != State::Measured::no) return;
  state.measured = State::Measured::asked;
  state.added_since = {};
  store_.size(account.jid(), [this, jid = account.jid(), measurement = ++state.measurement](const auto& size) {
    measured(jid, measurement, size);
  });
}

void OfflineFeature::measured(const xmpp::BareJid& jid, std::uint64_t measurement,
                              const storage::Result<storage::OfflineStore::Size>& size) {
  Account* const account = accounts_.loaded(jid);
  State* const state = account == nullptr ? nullptr : account->attachments().find<State>();
  if (state == nullptr || state->measurement != measurement) return;
  if (!size) {
    state->measured = State::Measured::no;
    release_held(*account, false);
    return;
  }
  // What was added since the question may be in the answer already: better to count it twice than not at all. An empty
  // page puts it right.
  state->measured = State::Measured::yes;
  state->size.messages = size->messages + state->added_since.messages;
  state->size.bytes = size->bytes + state->added_since.bytes;
  if (has_room(*state, 1)) {
    full_.erase(jid);
  } else if (full_.size() < full_most) {
    full_.insert(jid);
  }
  release_held(*account, true);
}

void OfflineFeature::release_held(Account& account, bool measured) {
  State& state = account.attachments().get<State>();
  for (const Held& held : std::exchange(state.held, {})) {
    if (!measured) {
      refuse(held.stanza, StanzaError::storage_failed());
      continue;
    }
    Session* const session = held.resource.empty() ? nullptr : account.session(held.resource);
    if (session != nullptr && state.size.messages == 0) {
      session->send(held.stanza, held.gate);
      continue;
    }
    const Outcome outcome = keep(account, held.stanza, held.gate);
    if (const auto* error = std::get_if<StanzaError>(&outcome)) refuse(held.stanza, *error);
  }
  account.let_answers_go();
  // Somebody may have become available while these waited.
  if (!state.handing && state.size.messages > state.handed.messages) start_handing(account);
}

void OfflineFeature::refuse(const xmpp::Stanza& message, const StanzaError& error) {
  if (auto reply = xmpp::error_reply(message, error)) delivery_.route(*std::move(reply));
}

// --- handing out
// -------------------------------------------------------------------------------------------------------------

void OfflineFeature::session_bound(module::SessionBound& event) {
  event.session.attachments().get<Beginning>().bound = clock_.now();
  measure(event.session.account());
}

void OfflineFeature::bound_inline(module::BindInline& event) {
  event.session.attachments().get<Beginning>().reads_archive = true;
}

void OfflineFeature::session_available(module::SessionAvailable& event) {
  event.session.attachments().get<Beginning>().was_available = true;
  if (can_receive(event.session)) start_handing(event.session.account());
}

void OfflineFeature::session_unavailable(module::SessionUnavailable& event) {
  Account& account = event.session.account();
  const State* const state = account.attachments().find<State>();
  if (state != nullptr && state->receiver == event.session.jid().resourcepart()) stop_handing(account);
}

/// What was handed over has left, and the client has said something since.
bool OfflineFeature::has_taken_all(Session& session, const State& state) {
  return session.last_active() > state.handed_at && session.output().left_bytes() >= state.handed_mark;
}

void OfflineFeature::session_ended(module::SessionEnded& event) {
  State* const state = event.account.attachments().find<State>();
  if (state == nullptr || state->receiver != event.session.jid().resourcepart()) return;
  if (has_taken_all(event.session, *state)) remove_handed(event.account, *state);
  // What it did not confirm is as if it had never been handed over.
  state->handed = {};
  stop_handing(event.account);
}

// What a session has in its queue lies in the store until it is confirmed, over a restart, too.
void OfflineFeature::session_saved(module::SessionSaved& event) {
  const State* const state = event.session.account().attachments().find<State>();
  if (state == nullptr || state->receiver != event.session.jid().resourcepart() || state->handed.messages == 0) return;
  xml::Element handed("handed", ns_handed);
  handed.set("through", std::to_string(state->handed_through));
  handed.set("messages", std::to_string(state->handed.messages));
  handed.set("bytes", std::to_string(state->handed.bytes));
  if (state->handing) handed.set("more", "1");
  event.states.push_back(std::move(handed));
}

void OfflineFeature::session_restored(module::SessionRestored& event) {
  Session& session = event.session;
  session.attachments().get<Beginning>().was_available = session.available();
  const xml::Element* const handed = event.state("handed", ns_handed);
  if (handed == nullptr) return;
  State& state = session.account().attachments().get<State>();
  const auto number = [&](std::string_view name) {
    return parse_number<std::uint64_t>(handed->attribute(name).value_or("")).value_or(0);
  };
  state.receiver = session.jid().resourcepart();
  state.handed_through = number("through");
  state.handed = {.messages = number("messages"), .bytes = number("bytes")};
  state.handed_at = clock_.now();
  state.handed_mark = session.output().taken_bytes();
  ++state.handing_number;
  state.handing = state.paused = handed->attribute("more") == "1";
  watch(session.account().jid());
}

void OfflineFeature::account_removed(module::AccountRemoved& event) {
  full_.erase(event.account.jid());
  watched_.erase(event.account.jid());
}

void OfflineFeature::start_handing(Account& account) {
  State& state = account.attachments().get<State>();
  // While one session has messages that it has not confirmed, another one waits for that: what is removed is removed up
  // to an id, whoever got it.
  if (!state.receiver.empty()) return;
  if (state.measured == State::Measured::yes && state.size.messages == 0) return;
  // The one that became available first: sessions are in the order in which they were bound.
  const auto found =
      std::ranges::find_if(account.sessions(), [](const auto& session) { return can_receive(*session); });
  if (found == account.sessions().end()) return;
  state.receiver = (*found)->jid().resourcepart();
  state.handing = true;
  state.paused = false;
  state.handed_through = 0;
  ++state.handing_number;
  watch(account.jid());
  next_page(account);
}

void OfflineFeature::next_page(Account& account) {
  State& state = account.attachments().get<State>();
  Session* const session = account.session(state.receiver);
  if (session == nullptr || !can_receive(*session)) return stop_handing(account);
  state.paused = session->output().queued_bytes() > output_pause_bytes || state.handed_since_tick >= bytes_per_tick;
  if (state.paused) return;
  store_.page(account.jid(), state.handed_through, page_messages,
              [this, jid = account.jid(), number = state.handing_number, added = state.added](const auto& page) {
                hand_page(jid, number, added, page);
              });
}

void OfflineFeature::hand_page(const xmpp::BareJid& jid, std::uint64_t number, std::uint64_t added,
                               const storage::Result<std::vector<storage::OfflineMessage>>& page) {
  Account* const account = accounts_.loaded(jid);
  State* const state = account == nullptr ? nullptr : account->attachments().find<State>();
  if (state == nullptr || !state->handing || state->handing_number != number) return;
  Session* const session = account->session(state->receiver);
  if (session == nullptr || !can_receive(*session)) return stop_handing(*account);
  if (!page) {
    // The next tick tries again; live messages stay behind meanwhile.
    state->paused = true;
    return;
  }
  if (page->empty()) {
    if (added != state->added) return next_page(*account);
    // Better than any measure that is still on its way.
    state->size = state->handed;
    state->measured = State::Measured::yes;
    ++state->measurement;
    if (!state->held.empty()) {
      release_held(*account, true);
      return next_page(*account);
    }
    state->handing = false;
    if (state->handed.messages == 0) state->receiver.clear();
    return;
  }
  const bool reads_archive = session->attachments().get<Beginning>().reads_archive;
  for (const storage::OfflineMessage& message : *page) {
    if (const auto stanza = restore(message, jid)) {
      if (!reads_archive || !is_archived(*stanza, jid)) session->send(*stanza);
    } else {
      events_.record(LogLevel::error, "offline_message_unreadable");
    }
    state->handed_through = message.id;
    ++state->handed.messages;
    state->handed.bytes += message.stanza.size();
    state->handed_since_tick += message.stanza.size();
    // SECURITY: a page of large messages must not overflow the outbox: who sends them would keep their reader out.
    if (session->output().queued_bytes() > output_pause_bytes) break;
  }
  state->handed_at = clock_.now();
  state->handed_mark = session->output().taken_bytes();
  next_page(*account);
}

void OfflineFeature::stop_handing(Account& account) {
  State& state = account.attachments().get<State>();
  state.handing = false;
  state.paused = false;
  ++state.handing_number;
  if (state.handed.messages != 0) return;
  state.receiver.clear();
  start_handing(account);
}

Outcome OfflineFeature::message_alive(module::MessageFromClient& event) {
  alive(event.session);
  return Next{};
}
Outcome OfflineFeature::presence_alive(module::PresenceFromClient& event) {
  if (event.made_here) return Next{};
  alive(event.session);
  return Next{};
}
Outcome OfflineFeature::iq_alive(module::IqFromClient& event) {
  alive(event.session);
  return Next{};
}

void OfflineFeature::alive(Session& session) {
  State* const state = session.account().attachments().find<State>();
  if (state == nullptr || state->handed.messages == 0 || state->receiver != session.jid().resourcepart()) return;
  // What has not left yet would be lost with the connection; the next tick looks again.
  if (session.output().left_bytes() < state->handed_mark) return;
  remove_handed(session.account(), *state);
  if (!state->handing) stop_handing(session.account());
}

void OfflineFeature::remove_handed(Account& account, State& state) {
  if (state.handed.messages == 0) return;
  account.wrote(store_.remove_through(account.jid(), state.handed_through));
  if (state.measured == State::Measured::yes) {
    state.size.messages -= std::min(state.size.messages, state.handed.messages);
    state.size.bytes -= std::min(state.size.bytes, state.handed.bytes);
  } else {
    // The answer that is on its way may count what is removed now: ask again.
    state.measured = State::Measured::no;
    ++state.measurement;
    state.size = {};
    measure(account);
  }
  state.handed = {};
  full_.erase(account.jid());
}

void OfflineFeature::watch(const xmpp::BareJid& jid) {
  watched_.insert(jid);
  if (!timer_.waiting()) timers_.schedule(timer_, tick);
}

// Goes on where a session's output was full, and looks for signs of life that no hook shows (an iq to the server).
void OfflineFeature::on_tick() {
  for (const xmpp::BareJid& jid : std::vector<xmpp::BareJid>(watched_.begin(), watched_.end())) {
    Account* const account = accounts_.loaded(jid);
    State* const state = account == nullptr ? nullptr : account->attachments().find<State>();
    if (state == nullptr || state->receiver.empty()) {
      watched_.erase(jid);
      continue;
    }
    Session* const session = account->session(state->receiver);
    if (session != nullptr && has_taken_all(*session, *state)) alive(*session);
    state->handed_since_tick = 0;
    if (state->handing && state->paused) next_page(*account);
  }
  if (!watched_.empty()) timers_.schedule(timer_, tick);
}

}  // namespace kith::modules
