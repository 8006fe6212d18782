#include "session/s2s_link.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "stream/dialback.h"
#include "stream/management.h"
#include "xml/writer.h"
#include "xmpp/datetime.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;
using xmpp::Condition;
using xmpp::StanzaError;

namespace {
/// Questions about keys that a server leaves unanswered.
constexpr std::size_t most_asked = 100;
/// From then on the rest waits in the queue, from which it comes back if the stream ends.
constexpr std::size_t most_unsent = 128 * 1024;
constexpr Duration stuck_time = std::chrono::seconds(60);
constexpr Duration check_time = std::chrono::seconds(10);
constexpr Duration farewell_time = std::chrono::seconds(5);
/// Without stream management: for so long the stream must have gone on after the other side's machine took a message.
constexpr Duration believed_after = std::chrono::seconds(10);
/// A message that waited for less bears no delay stamp (XEP-0203).
constexpr Duration worth_a_stamp = std::chrono::seconds(10);
/// Fewer than these wait in memory when the next are read from the disk.
constexpr std::size_t few_waiting = 10;
}  // namespace

S2sLink::S2sLink(S2sService& service, stream::DomainPair pair, bool behind)
    : service_(service),
      pair_(std::move(pair)),
      behind_(behind),
      bytes_(service.deps_.limits.bytes_from_server, service.deps_.clock.now()),
      heard_(service, [this](std::uint32_t handled) { tell(handled); }),
      timer_([this] { on_timer(); }),
      pause_([this] {
        if (!closed_ && transport_) transport_->resume_reading();
      }) {}

S2sLink::~S2sLink() = default;

void S2sLink::begin() {
  service_.deps_.timers.schedule(timer_, service_.deps_.limits.s2s_dial_time);
  service_.deps_.resolve(pair_.remote, [&service = service_, pair = pair_](S2sDeps::Targets found) {
    const auto self = service.links_.find(pair);
    if (self != service.links_.end() && !self->second->closed_) self->second->targets_found(std::move(found));
  });
}

void S2sLink::targets_found(S2sDeps::Targets found) {
  if (!found) {
    return give_up(found.error().why,
                   found.error().for_good ? Condition::remote_server_not_found : Condition::remote_server_timeout);
  }
  // Each is called when the link may be on its way out, but never after it has gone.
  race_ = std::make_unique<S2sRace>(
      service_, pair_, *std::move(found),
      [this](std::unique_ptr<net::Transport> transport, const S2sTarget& target, std::string_view said) {
        heard(std::move(transport), target, said);
      },
      [this](const std::string& why) { give_up(why, Condition::remote_server_timeout); });
  race_->begin();
}

void S2sLink::heard(std::unique_ptr<net::Transport> transport, const S2sTarget& target, std::string_view said) {
  transport_ = std::move(transport);
  transport_->set_handler(this);
  proven_by_address_ = target.proven;
  machine_.emplace(pair_, stream::S2sOut::Policy{.secret = &service_.deps_.secret,
                                                 .require_certificates = service_.deps_.require_certificates,
                                                 .bidi = true});
  parser_.emplace(service_.deps_.limits.xml_before_login);
  for (const auto& [id, key] : questions_) apply(machine_->verify(id, key));
  if (target.direct_tls) return on_secure();
  machine_->start();  // The header was sent before anybody was heard.
  on_bytes(said);
}

// --- what is to be brought
// -----------------------------------------------------------------------------------------------

bool S2sLink::has_room() const {
  const Limits& limits = service_.deps_.limits;
  return waiting_.size() < limits.s2s_queue_stanzas && waiting_bytes_ < limits.s2s_queue_bytes;
}

void S2sLink::send(router::Deliver item, std::optional<S2sBacklog::Kept> kept) {
  if (kept && (behind_ || reading_ || !has_room())) {
    behind_ = true;  // It is read when its turn comes.
    return read_backlog();
  }
  if (!has_room()) {
    service_.deps_.events.limit_hit("s2s_queue");
    return service_.deps_.router.unreachable(
        item.stanza, {xmpp::ErrorType::wait, Condition::resource_constraint, "Too much waits for that server."},
        item.gate);
  }
  const std::size_t bytes = kept ? kept->bytes : xml::to_string(item.stanza.element()).size();
  if (kept) {
    // It leaves when it is on the disk, or not at all: its sender hears of that.
    item.gate = kept->ticket;
    read_through_ = kept->id;
  }
  waiting_bytes_ += bytes;
  waiting_.push_back(
      {.item = std::move(item), .bytes = bytes, .kept = kept ? kept->id : 0, .since = service_.deps_.clock.wall()});
  flush();
}

void S2sLink::read_backlog() {
  const bool ready = !closed_ && machine_ && machine_->ready() && management_ != Management::asked;
  if (!ready || !behind_ || reading_ || waiting_.size() >= few_waiting || !has_room()) return;
  reading_ = true;
  behind_ = false;
  service_.backlog_->read(pair_, read_through_, [&service = service_, pair = pair_, key = this](S2sBacklog::Page page) {
    const auto self = service.links_.find(pair);
    if (self != service.links_.end() && self->second.get() == key) key->take_page(std::move(page));
  });
}

void S2sLink::take_page(S2sBacklog::Page page) {
  reading_ = false;
  if (!page) {
    behind_ = true;  // on_timer() tries again
    return;
  }
  // There may be more; an empty page says that there is not.
  behind_ = behind_ || !page->empty();
  for (storage::OutboundMessage& message : *page) {
    read_through_ = message.id;
    std::optional<xmpp::Stanza> stanza = xmpp::Stanza::from_stored(message.stanza);
    if (!stanza || !stanza->to() || !stanza->from()) {
      service_.deps_.events.record(LogLevel::error, "storage_bad_row", {{"table", "outbound"}});
      continue;
    }
    const std::size_t bytes = message.stanza.size();
    waiting_bytes_ += bytes;
    waiting_.push_back(
        {.item = {*std::move(stanza), {}, {}}, .bytes = bytes, .kept = message.id, .since = message.when});
  }
  flush();
}

void S2sLink::flush() {
  if (closed_ || !machine_ || !machine_->ready() || management_ == Management::asked) return;
  const router::CommitWaiters& commits = service_.deps_.router.commits();
  const std::size_t window = service_.backlog_->window(pair_);
  while (!waiting_.empty()) {
    const storage::Ticket gate = waiting_.front().item.gate;
    if (!commits.decided(gate)) {
      if (std::exchange(gate_watched_, true)) break;
      service_.deps_.router.when_decided(gate, [&service = service_, pair = pair_](bool) {
        const auto self = service.links_.find(pair);
        if (self == service.links_.end()) return;
        self->second->gate_watched_ = false;
        self->second->flush();
      });
      break;
    }
    // A peer that does not read, or does not acknowledge, is not written to without end.
    if (transport_->unsent() > most_unsent) break;
    const bool managed = management_ == Management::on;
    if (managed || window == 1) {
      if (written_.size() >= window || written_bytes_ >= service_.deps_.limits.s2s_queue_bytes) break;
    }
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= next.bytes;
    const bool failed = gate && commits.log().failed(gate);
    if (failed && !next.item.if_failed) continue;
    xmpp::Stanza stanza = failed ? *std::move(next.item.if_failed) : std::move(next.item.stanza);
    if (managed || next.kept != 0) {
      Written& written = written_.emplace_back(Written{.kept = next.kept, .bytes = next.bytes});
      if (next.kept != 0) written.sender = stanza.from()->bare_text();
      if (next.kept == 0 && !failed) written.stanza = stanza;
      written_bytes_ += next.bytes;
    }
    xml::Element element = stanza.element();
    if (next.kept != 0 && service_.deps_.clock.wall() - next.since >= worth_a_stamp) {
      element.add(xmpp::delay_element(*xmpp::Jid::parse(pair_.local), xmpp::format_datetime(next.since)));
    }
    element.replace_namespace(ns::client, ns::server);
    service_.sent_.add();
    last_said_ = service_.deps_.clock.now();
    if (!behind_since_) behind_since_ = last_said_;
    write(element);
  }
  if (management_ == Management::on && !written_.empty() && !asking_) {
    asking_ = true;
    asked_at_ = service_.deps_.clock.now();
    write(stream::acknowledgement_request());
  }
  read_backlog();
}

// --- what has come there
// --------------------------------------------------------------------------------------------------------

void S2sLink::manage(const xml::Element& element) {
  if (element.name() == "enabled" && management_ == Management::asked) {
    management_ = Management::on;
    heard_.enable();
    flush();
  } else if (element.name() == "failed" && management_ == Management::asked) {
    management_ = Management::none;
    flush();
  } else if (element.name() == "r") {
    if (closed_) return;
    if (heard_.enabled()) return heard_.acknowledge();
    write(stream::acknowledgement(0));
  } else if (element.name() == "a" && management_ == Management::on) {
    const std::optional<std::uint32_t> h = stream::read_h(element);
    if (!h || *h - acknowledged_ > written_.size()) {
      if (!closed_) give_up("it acknowledges more than was sent to it", Condition::remote_server_timeout);
      return;
    }
    asking_ = false;
    acknowledged(*h - std::exchange(acknowledged_, *h));
    flush();
  }
}

void S2sLink::acknowledged(std::size_t count) {
  std::uint64_t last = 0;
  std::vector<S2sBacklog::Gone> messages;
  for (; count > 0; --count) {
    Written& one = written_.front();
    if (one.kept != 0) {
      last = one.kept;
      messages.push_back({.sender = std::move(one.sender), .bytes = one.bytes});
    }
    written_bytes_ -= one.bytes;
    written_.pop_front();
    served_ = true;
  }
  if (!messages.empty()) service_.backlog_->delivered(pair_, last, messages);
}

void S2sLink::settle() {
  if (management_ != Management::none || !transport_ || written_.empty()) return;
  const MonotonicTime now = service_.deps_.clock.now();
  if (!cut_ && transport_->unacknowledged() == 0) {
    for (Written& one : written_) {
      if (!one.taken) one.taken = now;
    }
  }
  std::size_t old = 0;
  while (old < written_.size() && written_[old].taken && now - *written_[old].taken >= believed_after) ++old;
  acknowledged(old);
}

void S2sLink::verify(std::string stream_id, std::string key,
                     std::move_only_function<void(router::RemoteServers::KeyAnswer)> then) {
  if (asked_.size() >= most_asked) {
    service_.deps_.events.limit_hit("s2s_questions");
    return then(std::unexpected(Condition::resource_constraint));
  }
  asked_.insert_or_assign(stream_id, std::move(then));
  questions_.emplace_back(stream_id, key);
  if (machine_) apply(machine_->verify(std::move(stream_id), std::move(key)));
}

// --- the stream
// ----------------------------------------------------------------------------------------------------------

void S2sLink::on_bytes(std::string_view bytes) {
  if (closed_) return hear_last(bytes);
  // SECURITY: we have called it, but whoever names a domain of his own can make us call.
  const Duration wait = bytes_.take_in_debt(static_cast<double>(bytes.size()), service_.deps_.clock.now());
  if (wait > Duration::zero() && !pause_.waiting()) {
    service_.deps_.events.limit_hit("bytes_from_server");
    transport_->pause_reading();
    service_.deps_.timers.schedule(pause_, wait);
  }
  parser_->feed(bytes);
  while (!closed_) {
    std::expected<xml::StreamEvent, xml::ParseError> event = parser_->next();
    if (!event) return give_up("it sent what is no XML", Condition::remote_server_timeout);
    if (std::holds_alternative<xml::NeedMore>(*event)) return;
    if (auto* open = std::get_if<xml::StreamOpen>(&*event)) {
      apply(machine_->opened(*open));
    } else if (auto* element = std::get_if<xml::Element>(&*event)) {
      if (machine_->ready() && element->ns() == ns::sm) {
        manage(*element);
      } else {
        apply(machine_->received(std::move(*element)));
      }
    } else {
      give_up("it closed the stream", Condition::remote_server_timeout, Fault::theirs);
    }
  }
}

void S2sLink::take(xml::Element element) {
  service_.received_.add();
  last_said_ = service_.deps_.clock.now();
  element.replace_namespace(ns::server, ns::client);
  service_.deps_.router.from_server(std::move(element));
  heard_.count();
}

void S2sLink::tell(std::uint32_t handled) {
  if (cut_) return;
  write(stream::acknowledgement(handled));
  if (closed_) say_farewell();
}

void S2sLink::hear_last(std::string_view bytes) {
  if (!parting_) return;
  parser_->feed(bytes);
  while (parting_) {
    std::expected<xml::StreamEvent, xml::ParseError> event = parser_->next();
    if (event && std::holds_alternative<xml::NeedMore>(*event)) return;
    if (!event || std::holds_alternative<xml::StreamOpen>(*event)) {
      hang_up();
    } else if (auto* element = std::get_if<xml::Element>(&*event)) {
      if (element->ns() == ns::sm) manage(*element);
    } else {
      // It has answered the end of the stream, and so has read all that came before it.
      if (management_ == Management::none) acknowledged(written_.size());
      hang_up();
    }
  }
}

void S2sLink::hang_up() {
  parting_ = false;
  transport_->close();
}

void S2sLink::on_drained() {
  behind_since_.reset();
  flush();
}

void S2sLink::on_secure() {
  if (closed_) return;
  const bool certified = proven_by_address_ || transport_->certifies(xmpp::domain_to_ascii(pair_.remote));
  apply(machine_->secured(certified, transport_->pinned()));
}

void S2sLink::apply(stream::S2sOutActions actions) {
  for (stream::S2sOutAction& action : actions) {
    if (closed_) return;
    if (auto* open = std::get_if<stream::SendOpen>(&action)) {
      std::string out;
      xml::write_stream_open(out, ns::server, open->attributes);
      transport_->write(out);
    } else if (auto* send = std::get_if<stream::Send>(&action)) {
      write(send->element);
    } else if (auto* secure = std::get_if<stream::StartTlsTo>(&action)) {
      if (!parser_->take_rest().empty()) return give_up("it spoke before TLS", Condition::remote_server_timeout);
      parser_->restart();
      transport_->start_tls_to(secure->remote, xmpp::domain_to_ascii(pair_.local));
    } else if (std::holds_alternative<stream::RestartStream>(action)) {
      parser_->restart();
    } else if (std::holds_alternative<stream::Ready>(action)) {
      service_.deps_.events.record(LogLevel::info, "server_reached", {{"domain", pair_.remote}});
      service_.failed_.erase(pair_);
      ready_since_ = last_said_ = service_.deps_.clock.now();
      service_.deps_.timers.schedule(timer_, check_time);
      service_.backlog_->reached(pair_);
      service_.reached(pair_.remote);
      parser_->set_limits(service_.deps_.limits.xml_after_login);
      race_.reset();  // Several answers later, nobody is inside it any more.
      if (machine_->offers_management()) {
        management_ = Management::asked;
        asked_at_ = last_said_;
        write(xml::Element("enable", ns::sm));
      }
      flush();
    } else if (auto* answer = std::get_if<stream::KeyVerified>(&action)) {
      std::erase_if(questions_, [&](const auto& question) { return question.first == answer->stream_id; });
      const auto found = asked_.find(answer->stream_id);
      if (found == asked_.end()) continue;
      auto then = std::move(found->second);
      asked_.erase(found);
      then(answer->valid);
    } else if (auto* stanza = std::get_if<stream::FromPeer>(&action)) {
      take(std::move(stanza->element));
    } else {
      const auto& given_up = std::get<stream::GivenUp>(action);
      if (given_up.condition) write(xmpp::StreamError{*given_up.condition, {}}.to_element());
      give_up(given_up.why, Condition::remote_server_timeout, Fault::theirs);
    }
  }
}

void S2sLink::write(const xml::Element& element) {
  std::string& out = service_.scratch_;
  out.clear();
  stream::write_between_servers(out, element);
  transport_->write(out);
}

void S2sLink::on_closed(net::CloseReason reason) {
  cut_ = true;
  heard_.stop();
  if (closed_) {
    timer_.cancel();
    return service_.gone(this);
  }
  std::string why = "the connection broke";
  if (!transport_->failure().empty()) why = std::string(transport_->failure());
  if (reason == net::CloseReason::tls_failed) why = "TLS failed: " + why;
  give_up(why, Condition::remote_server_timeout);
}

void S2sLink::give_up(const std::string& why, Condition condition, Fault fault) {
  if (closed_) return;
  settle();
  const bool was_ready = ready_since_.has_value();
  const bool stuck = behind_since_ && service_.deps_.clock.now() - *behind_since_ >= stuck_time;
  service_.deps_.events.record(was_ready ? LogLevel::info : LogLevel::warning,
                               was_ready ? "server_lost" : "server_not_reached",
                               {{"domain", pair_.remote}, {"why", why}});
  if (!was_ready) service_.failed_[pair_] = service_.deps_.clock.now();
  const auto first_kept = std::ranges::find_if(written_, [](const Written& one) { return one.kept != 0; });
  const bool refused = was_ready && fault == Fault::theirs && first_kept != written_.end() && !served_;
  if (refused) service_.backlog_->blame(pair_, first_kept->kept);
  end();
  S2sBacklog& backlog = *service_.backlog_;
  for (auto& [id, then] : std::exchange(asked_, {})) then(std::unexpected(condition));
  for (const Written& lost : std::exchange(written_, {})) {
    if (lost.stanza) service_.deps_.router.unreachable(*lost.stanza, StanzaError::of(Condition::remote_server_timeout));
  }
  std::deque<Waiting> left = std::exchange(waiting_, {});
  std::erase_if(left, [](const Waiting& waited) { return waited.kept != 0; });
  // A stream that has served and ended is the way of the world: what waited for its turn begins another.
  const bool served =
      was_ready && (served_ || service_.deps_.clock.now() - *ready_since_ >= service_.deps_.limits.s2s_retry_time);
  // One that broke is tried anew even if nothing waits for it: it may have vanished with all who were seen there.
  const bool broke = fault == Fault::ours && condition == Condition::remote_server_timeout;
  const bool at_once = served && !stuck && !refused && !service_.stopping_ &&
                       condition == Condition::remote_server_timeout &&
                       (broke || !left.empty() || backlog.messages(pair_) != 0);
  if (at_once && broke) service_.doubt(pair_.remote);
  if (S2sLink* next = at_once ? service_.link(pair_) : nullptr) {
    for (Waiting& waited : left) next->send(std::move(waited.item), std::nullopt);
    return;
  }
  for (Waiting& waited : left) {
    service_.deps_.router.unreachable(waited.item.stanza, StanzaError::of(condition), waited.item.gate);
  }
  if (!was_ready || fault == Fault::ours) service_.not_reached(pair_.remote);
  if (condition != Condition::remote_server_timeout) {
    backlog.refuse(pair_, why);
  } else {
    backlog.failed(pair_, why);
  }
}

void S2sLink::shut_down() {
  if (closed_) return;
  settle();
  for (Waiting& waited : std::exchange(waiting_, {})) {
    if (waited.kept != 0) continue;  // It is there after the next start.
    service_.deps_.router.unreachable(waited.item.stanza, StanzaError::of(Condition::remote_server_timeout),
                                      waited.item.gate);
  }
  parting_ = !written_.empty() && !cut_;
  if (parting_ && management_ == Management::on) write(stream::acknowledgement_request());
  end();
}

void S2sLink::end() {
  closed_ = true;
  timer_.cancel();
  if (race_) race_->stop();
  pause_.cancel();
  service_.leave(pair_);
  if (transport_ && !cut_) {
    service_.deps_.timers.schedule(timer_, farewell_time);
    // What it has said and we have taken it must not say again.
    if (heard_.owes()) return heard_.acknowledge();
    say_farewell();
  } else {
    service_.gone(this);
  }
}

void S2sLink::say_farewell() {
  transport_->write("</stream:stream>");
  if (!parting_) transport_->close();
}

void S2sLink::on_timer() {
  if (closed_) {
    // It did not take the end of the stream in time.
    transport_->abort();
    heard_.stop();
    return service_.gone(this);
  }
  if (!machine_ || !machine_->ready()) {
    return give_up("it did not answer in time", Condition::remote_server_timeout);
  }
  const MonotonicTime now = service_.deps_.clock.now();
  if (transport_->unsent() == 0) behind_since_.reset();
  if (behind_since_ && now - *behind_since_ >= stuck_time) {
    return give_up("it does not take what is sent to it", Condition::remote_server_timeout);
  }
  if ((asking_ || management_ == Management::asked) && now - asked_at_ >= stuck_time) {
    return give_up("it does not acknowledge what is sent to it", Condition::remote_server_timeout);
  }
  settle();
  // Nothing was said for long; the next word begins a new stream. What waits for a write is about to be said.
  if (now - last_said_ >= service_.deps_.limits.s2s_idle_time && waiting_.empty() && written_.empty() && !behind_ &&
      !reading_ && !behind_since_) {
    return end();
  }
  service_.deps_.timers.schedule(timer_, check_time);
  flush();
}

}  // namespace kith::session
