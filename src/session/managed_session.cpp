#include "session/managed_session.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "module/urgency.h"
#include "session/c2s_connection.h"
#include "xml/writer.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;
using xmpp::StreamCondition;

namespace {
constexpr std::size_t ask_after_stanzas = 8;
constexpr Duration ask_after = std::chrono::seconds(1);
constexpr Duration answer_time = std::chrono::seconds(60);
constexpr Duration fence_again_after = std::chrono::milliseconds(200);
constexpr std::size_t item_overhead = 128;

/// Never 0.
std::size_t request_of(std::string_view from, std::string_view id) {
  std::string both(from);
  both.append(1, '\0').append(id);
  return std::hash<std::string>()(both) | 1U;
}
}  // namespace

ManagedSession::ManagedSession(C2sService& service, std::uint64_t number, xmpp::FullJid jid,
                               std::chrono::seconds resume_time, std::string id_digest)
    : service_(service),
      number_(number),
      jid_(std::move(jid)),
      resume_time_(resume_time),
      id_digest_(std::move(id_digest)),
      timer_([this] { on_timer(); }),
      fence_again_([this] {
        if (session_ != nullptr && live_ && fencing_) begin_fence();
      }) {}

ManagedSession::ManagedSession(C2sService& service, std::uint64_t number, module::Session& session,
                               C2sConnection& connection, std::chrono::seconds resume_time, std::string id_digest)
    : ManagedSession(service, number, session.jid(), resume_time, std::move(id_digest)) {
  session_ = &session;
  connection_ = &connection;
  live_ = true;
}

ManagedSession::ManagedSession(C2sService& service, std::uint64_t number, xmpp::FullJid jid, SavedState& state)
    : ManagedSession(service, number, std::move(jid), state.resume_time, state.id_digest) {
  asked_time_ = state.asked_time;
  written_ = state.written;
  acknowledged_ = state.acknowledged;
  handled_ = state.handled;
  told_ = state.handled;
  for (SavedState::Item& item : state.items) {
    Item& back = queue_.emplace_back();
    back.bytes = std::move(item.bytes);
    back.when = item.when;
    bytes_ += back.bytes.size() + item_overhead;
    taken_ += back.bytes.size();
    if (item.answered) continue;
    const auto iq = xmpp::Stanza::from_stored(back.bytes);
    if (iq && iq->is_iq_request() && iq->from()) back.request = request_of(iq->from()->text(), iq->id());
  }
}

// --- what the client sends
// ---------------------------------------------------------------------------------------------------

void ManagedSession::asked_for_acknowledgement() {
  if (fencing_) {
    asked_again_ = true;
    return;
  }
  begin_fence();
}

void ManagedSession::begin_fence() {
  fencing_ = true;
  asked_again_ = false;
  const std::uint32_t h = handled_;
  const Asked asking = ask_shards();
  // The account's own writes first: its copy in the archive, its roster.
  const storage::Ticket own = session_->account().last_write();
  const bool asked = service_.deps_.router.fence(
      asking.shards, [&service = service_, number = number_, asked = asking.number, h, own] {
        service.deps_.router.commits().when_decided(own, [&service, number, asked, h](bool) {
          if (ManagedSession* self = service.managed(number)) self->fence_passed(asked, h);
        });
      });
  if (asked) return;
  service_.deps_.timers.schedule(fence_again_, fence_again_after);
}

void ManagedSession::fence_passed(std::uint64_t asked, std::uint32_t h) {
  shards_passed(asked);
  if (session_ == nullptr) return;
  fencing_ = false;
  if (connection_ == nullptr) told(h);  // it will be, or if the session ends, by <failed/>
  if (connection_ == nullptr || !live_) return;
  // One that began before the client came back tells it no less than <resumed/> has.
  put_uncounted(stream::acknowledgement(told(h)));
  if (asked_again_) begin_fence();
}

bool ManagedSession::acknowledge(std::uint32_t h) {
  if (!may_acknowledge(h)) return false;
  for (std::uint32_t more = h - acknowledged_; more > 0; --more) {
    const Item& item = queue_.front();
    bytes_ -= item.bytes.size() + item.bytes_if_failed.size() + item_overhead;
    left_ += item.bytes.size();
    queue_.pop_front();
    --written_;
  }
  acknowledged_ = h;
  asking_ = false;
  if (session_ != nullptr) session_->set_active(service_.deps_.clock.now());
  return true;
}

void ManagedSession::answered(std::string_view to, std::string_view id) {
  const std::size_t request = request_of(to, id);
  for (std::size_t i = 0; i < written_; ++i) {
    if (queue_[i].request == request) queue_[i].request = 0;
  }
}

// --- the connection comes and goes
// ----------------------------------------------------------------------------------------------

void ManagedSession::put_before(std::string bytes, std::string bytes_if_failed, storage::Ticket gate) {
  bytes_ += bytes.size() + bytes_if_failed.size() + item_overhead;
  queue_.push_back({std::move(bytes), std::move(bytes_if_failed), gate, {}, false});
  flush();
}

void ManagedSession::put_uncounted(const xml::Element& element) {
  if (connection_ == nullptr || !live_) return;
  std::string bytes;
  xml::write(bytes, element, ns::client);
  put_before(std::move(bytes), {}, {});
}

std::chrono::seconds ManagedSession::waiting_time() const {
  // What can fetch the client may have become known since it asked.
  const std::chrono::seconds most = service_.waiting_time(*session_, resume_time_);
  return asked_time_ ? std::min(most, std::max(resume_time_, *asked_time_)) : most;
}

void ManagedSession::hibernate() {
  connection_ = nullptr;
  live_ = false;
  asking_ = false;
  asked_again_ = false;
  if (fence_again_.waiting()) fencing_ = false;  // nobody is asked; <resumed/> will ask anew
  fence_again_.cancel();
  if (resumable() && !fencing_) begin_fence();
  std::size_t at = 0;
  std::erase_if(queue_, [&](const Item& item) {
    const bool gone = at++ >= written_ && !item.counted;
    if (gone) bytes_ -= item.bytes.size() + item.bytes_if_failed.size() + item_overhead;
    return gone;
  });
  session_->set_hibernating(true);
  service_.hibernating_.add(1);
  service_.deps_.timers.schedule(timer_, waiting_time());
  const auto wakes = [](const Item& item) {
    const std::optional<xmpp::Stanza> stanza =
        item.bytes.starts_with("<message") ? xmpp::Stanza::from_stored(item.bytes) : std::nullopt;
    return stanza && module::wakes(*stanza);
  };
  module::SessionHibernates event{*session_, std::ranges::any_of(queue_, wakes)};
  service_.deps_.router.hooks().run(event);
  std::size_t asleep = 0;
  module::Session* oldest = nullptr;
  for (const auto& other : session_->account().sessions()) {
    if (!other->hibernating()) continue;
    ++asleep;
    if (oldest == nullptr && other.get() != session_) oldest = other.get();
  }
  if (asleep > service_.deps_.limits.sm_hibernating_per_account && oldest != nullptr) {
    service_.deps_.events.limit_hit("sm_hibernating_per_account");
    service_.deps_.router.end_session(*oldest, {StreamCondition::resource_constraint});
  }
  check_limits();
}

void ManagedSession::take_over(C2sConnection& connection, module::ConnectionFacts facts) {
  if (connection_ != nullptr) {
    C2sConnection* const older = std::exchange(connection_, nullptr);
    older->managed_ = nullptr;
    // XEP-0198 §5
    older->ended({StreamCondition::conflict, "The session goes on with another connection."});
    hibernate();
  }
  connection_ = &connection;
  // SECURITY: an end that was on its way was that of the older connection. What is to end the session now is found out
  // anew, or nothing would bound its queue any more.
  ending_ = false;
  timer_.cancel();
  if (session_->hibernating()) service_.hibernating_.add(-1);
  session_->set_hibernating(false);
  facts.since = session_->facts().since;
  session_->set_facts(std::move(facts));
}

void ManagedSession::go_on() {
  live_ = true;
  flush();
}

void ManagedSession::replay() {
  live_ = true;
  unasked_ = 0;
  for (std::size_t i = 0; i < written_; ++i) write(queue_[i].bytes);
  unasked_ = written_;
  flush();
  if (written_ != 0 && !asking_) ask();
  module::SessionResumed event{*session_};
  service_.deps_.router.hooks().run(event);
}

void ManagedSession::attach(module::Session& session, const SavedState& state) {
  session_ = &session;
  if (state.interested) session.set_interested();
  session.directed().insert(state.directed.begin(), state.directed.end());
  service_.hibernating_.add(1);
  // The whole time again: while the server was away nobody could come back.
  service_.deps_.timers.schedule(timer_, waiting_time());
  module::SessionRestored event{session, state.features};
  service_.deps_.router.hooks().run(event);
}

storage::Ticket ManagedSession::last_gate() const {
  storage::Ticket last;
  for (const Item& item : queue_) last = storage::later(last, item.gate);
  return last;
}

SavedState ManagedSession::save() {
  SavedState state;
  module::SessionSaved event{*session_, state.features};
  service_.deps_.router.hooks().run(event);
  timer_.cancel();
  fence_again_.cancel();
  saved_ = true;
  state.resource = jid_.resourcepart();
  state.id_digest = id_digest_;
  state.resume_time = resume_time_;
  state.asked_time = asked_time_;
  state.facts = session_->facts();
  state.handled = handled_;
  state.acknowledged = acknowledged_;
  state.written = written_;
  std::size_t at = 0;
  for (Item& item : queue_) {
    if (at++ < written_ || (item.counted && settle(item)))
      state.items.push_back({.bytes = std::move(item.bytes), .when = item.when, .answered = item.request == 0});
  }
  queue_.clear();
  written_ = 0;
  state.presence = session_->presence();
  state.priority = session_->priority();
  state.receives_since = session_->receives_since().value_or(WallTime{});
  state.interested = session_->interested();
  state.directed.assign(session_->directed().begin(), session_->directed().end());
  return state;
}

void ManagedSession::finish() {
  if (session_ == nullptr) return;
  // The stream may have its closing tag already: what was held back goes no further than the queue.
  const bool live = std::exchange(live_, false);
  module::SessionEnding event{*session_};
  service_.deps_.router.hooks().run(event);
  live_ = live;
  timer_.cancel();
  if (session_->hibernating()) service_.hibernating_.add(-1);
  if (resumable()) service_.remember_end(session_->account().jid(), id_digest_, told_);
  service_.deps_.router.unbind(*std::exchange(session_, nullptr));
  give_back();
  if (connection_ != nullptr) connection_->managed_ = nullptr;
  connection_ = nullptr;
  service_.drop_managed(number_);
}

void ManagedSession::close(const xmpp::StreamError& error) {
  if (connection_ != nullptr) {
    connection_->close(error);
    return;
  }
  service_.deps_.shard.post([&service = service_, number = number_] {
    if (ManagedSession* self = service.managed(number); self != nullptr && self->connection_ == nullptr) self->finish();
  });
}

void ManagedSession::ended(const xmpp::StreamError& error) {
  timer_.cancel();
  if (session_ != nullptr && connection_ == nullptr) service_.hibernating_.add(-1);
  if (resumable()) service_.remember_end(xmpp::BareJid::of(jid_), id_digest_, told_);
  session_ = nullptr;
  C2sConnection* const connection = connection_;
  give_back();
  connection_ = nullptr;
  if (connection != nullptr) {
    connection->managed_ = nullptr;
    connection->ended(error);
  }
  service_.drop_managed(number_);
}

void ManagedSession::give_back() {
  std::deque<Item> left = std::exchange(queue_, {});
  const std::size_t written = std::exchange(written_, 0);
  std::size_t at = 0;
  for (Item& item : left) {
    const bool was_written = at++ < written;
    // What answers the client itself still reaches it, if its connection is there.
    const bool to_connection = !was_written && connection_ != nullptr && live_;
    if (item.counted && give_back(item, to_connection)) continue;
    if (to_connection && !item.bytes.empty())
      connection_->put_waiting(std::move(item.bytes), std::move(item.bytes_if_failed), item.gate);
  }
}

bool ManagedSession::give_back(Item& item, bool to_connection) {
  const router::CommitWaiters& commits = service_.deps_.router.commits();
  const bool decided = commits.decided(item.gate);
  if (decided && !settle(item)) return true;
  std::optional<xmpp::Stanza> stanza = xmpp::Stanza::from_stored(item.bytes);
  if (!stanza || !stanza->from() || !stanza->to()) return false;
  if (stanza->is_iq_request()) {
    if (item.request == 0) return true;
    service_.deps_.router.refuse_unanswered(*stanza);
    return true;
  }
  if (stanza->kind() != xmpp::StanzaKind::message) return false;
  if (stanza->type() == xmpp::StanzaType::error && to_connection) return false;
  // What the account itself or the server told this client (copies, pages of the archive, kept messages) is for it
  // only.
  if (stanza->from()->is_bare() && stanza->from()->bare_text() == jid_.bare_text()) return true;
  const xmpp::DelayBy delayed = xmpp::delay_by(*stanza, jid_.domainpart());
  // It lies in the offline store until it is acknowledged.
  if (delayed == xmpp::DelayBy::offline_storage) return true;
  auto if_failed = item.bytes_if_failed.empty() ? std::nullopt : xmpp::Stanza::from_stored(item.bytes_if_failed);
  if (delayed == xmpp::DelayBy::nobody) {
    const xmpp::Jid server = *xmpp::Jid::parse(jid_.domainpart());
    const xml::Element delay = xmpp::delay_element(server, xmpp::format_datetime(item.when));
    stanza->edit().add(delay);
    if (if_failed && if_failed->type() != xmpp::StanzaType::error) if_failed->edit().add(delay);
  }
  service_.deps_.router.redeliver(*std::move(stanza), decided ? storage::Ticket{} : item.gate, std::move(if_failed),
                                  {.resource = std::string(jid_.resourcepart()), .handed = item.when});
  return true;
}

// --- what is sent
// ---------------------------------------------------------------------------------------------------------------

std::size_t ManagedSession::queued_bytes() const {
  return bytes_ + (connection_ == nullptr ? 0 : connection_->transport_->unsent());
}

void ManagedSession::send(const xmpp::Stanza& stanza, storage::Ticket gate, const xmpp::Stanza* if_failed) {
  // One that is ending takes what comes until it has ended: that looks for another way then.
  if (session_ == nullptr || saved_) return;
  Item& item = queue_.emplace_back();
  stanza.write_to(item.bytes);
  if (if_failed != nullptr) if_failed->write_to(item.bytes_if_failed);
  item.gate = gate;
  item.when = service_.deps_.clock.wall();
  if (stanza.is_iq_request() && stanza.from()) item.request = request_of(stanza.from()->text(), stanza.id());
  bytes_ += item.bytes.size() + item.bytes_if_failed.size() + item_overhead;
  taken_ += item.bytes.size();
  flush();
  check_limits();
}

void ManagedSession::write(const std::string& bytes) {
  connection_->transport_->write(bytes);
  connection_->check_outbox();
}

bool ManagedSession::settle(Item& item) {
  if (item.gate && service_.deps_.router.commits().log().failed(item.gate)) {
    // Whoever gave the write was told so; what goes in its place may be nothing.
    if (item.counted) left_ += item.bytes.size() - item.bytes_if_failed.size();
    std::swap(item.bytes, item.bytes_if_failed);
  }
  bytes_ -= item.bytes_if_failed.size();
  item.bytes_if_failed.clear();
  item.gate = {};
  return !item.bytes.empty();
}

void ManagedSession::flush() {
  if (connection_ == nullptr || !live_) return;
  const router::CommitWaiters& commits = service_.deps_.router.commits();
  while (written_ < queue_.size() && commits.decided(queue_[written_].gate)) {
    Item& item = queue_[written_];
    if (settle(item)) write(item.bytes);
    if (item.counted && !item.bytes.empty()) {
      ++written_;
      ++unasked_;
      continue;
    }
    bytes_ -= item.bytes.size() + item.bytes_if_failed.size() + item_overhead;
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(written_));
  }
  if (written_ < queue_.size() && !waiting_for_commit_) {
    waiting_for_commit_ = true;
    service_.deps_.router.commits().when_decided(queue_[written_].gate, [&service = service_, number = number_](bool) {
      ManagedSession* self = service.managed(number);
      if (self == nullptr) return;
      self->waiting_for_commit_ = false;
      self->flush();
    });
  }
  if (asking_ || unasked_ == 0) return;
  if (unasked_ >= ask_after_stanzas) {
    ask();
  } else if (!timer_.waiting()) {
    service_.deps_.timers.schedule(timer_, ask_after);
  }
}

void ManagedSession::ask() {
  asking_ = true;
  asked_at_ = service_.deps_.clock.now();
  unasked_ = 0;
  std::string bytes;
  xml::write(bytes, stream::acknowledgement_request(), ns::client);
  write(bytes);
  service_.deps_.timers.schedule(timer_, answer_time);
}

void ManagedSession::check_limits() {
  const Limits& limits = service_.deps_.limits;
  // A client that reads is given time: a large roster's presence comes at once, and the answer to <r/> behind it.
  const bool too_many = connection_ == nullptr && queue_.size() > limits.sm_queue_stanzas;
  if (ending_ || (!too_many && bytes_ <= limits.sm_queue_bytes)) return;
  ending_ = true;
  service_.deps_.events.limit_hit("sm_queue");
  close({StreamCondition::resource_constraint, "The client does not acknowledge what is sent to it."});
}

void ManagedSession::on_timer() {
  if (session_ == nullptr) return;
  if (connection_ == nullptr) {
    service_.deps_.events.counter("kith_sm_timeouts_total", "Sessions whose client did not come back in time.").add();
    finish();
    return;
  }
  if (!live_) return;
  if (asking_) {
    const MonotonicTime now = service_.deps_.clock.now();
    if (now - asked_at_ < answer_time) {
      service_.deps_.timers.schedule(timer_, answer_time - (now - asked_at_));
    } else if (connection_->last_bytes_ <= asked_at_) {
      // Nothing came since: nobody is there.
      connection_->lose({StreamCondition::connection_timeout});
    }
    return;
  }
  if (unasked_ != 0) ask();
}

}  // namespace kith::session
