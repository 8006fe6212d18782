#include "session/s2s_link.h"

#include <utility>
#include <variant>

#include "xml/writer.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;
using xmpp::Condition;
using xmpp::StanzaError;

namespace {
/// Questions about keys that a server leaves unanswered.
constexpr std::size_t most_asked = 100;
/// After which the next address of a server is tried, if there is one: one that nobody answers at must not stand in the
/// way of those behind it.
constexpr Duration attempt_time = std::chrono::seconds(4);
/// From then on the rest waits in the queue, from which it comes back if the stream ends.
constexpr std::size_t most_unsent = 128 * 1024;
constexpr Duration stuck_time = std::chrono::seconds(60);
constexpr Duration farewell_time = std::chrono::seconds(5);
}  // namespace

S2sLink::S2sLink(S2sService& service, stream::DomainPair pair)
    : service_(service),
      pair_(std::move(pair)),
      bytes_(service.deps_.limits.bytes_from_server, service.deps_.clock.now()),
      timer_([this] { on_timer(); }),
      attempt_([this] { attempt_took_too_long(); }),
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
  if (!found) return give_up(found.error(), Condition::remote_server_not_found);
  targets_.assign(found->begin(), found->end());
  dial_next("there is no address for " + pair_.remote);
}

void S2sLink::dial_next(std::string why_not) {
  while (!targets_.empty()) {
    const S2sTarget target = std::move(targets_.front());
    targets_.pop_front();
    spent_ = std::move(transport_);
    transport_ = service_.deps_.dial(target);
    if (transport_ == nullptr) continue;
    heard_ = false;
    cut_ = false;
    machine_.emplace(pair_, stream::S2sOut::Policy{.secret = &service_.deps_.secret,
                                                   .require_certificates = service_.deps_.require_certificates});
    parser_.emplace(service_.deps_.limits.xml_before_login);
    for (const auto& [id, key] : questions_) apply(machine_->verify(id, key));
    transport_->set_handler(this);
    if (!targets_.empty()) service_.deps_.timers.schedule(attempt_, attempt_time);
    apply(machine_->start());
    return;
  }
  give_up(why_not, Condition::remote_server_timeout);
}

void S2sLink::attempt_took_too_long() {
  if (closed_ || heard_) return;
  transport_->abort();
  cut_ = true;
  dial_next("it did not answer in time");
}

// --- what is to be brought
// -----------------------------------------------------------------------------------------------

void S2sLink::send(router::Deliver item) {
  const Limits& limits = service_.deps_.limits;
  if (waiting_.size() >= limits.s2s_queue_stanzas || waiting_bytes_ >= limits.s2s_queue_bytes) {
    service_.deps_.events.limit_hit("s2s_queue");
    return service_.deps_.router.unreachable(
        item.stanza, {xmpp::ErrorType::wait, Condition::resource_constraint, "Too much waits for that server."},
        item.gate);
  }
  const std::size_t bytes = xml::to_string(item.stanza.element()).size();
  waiting_bytes_ += bytes;
  waiting_.push_back({std::move(item), bytes});
  flush();
}

void S2sLink::flush() {
  if (closed_ || !machine_ || !machine_->ready()) return;
  const router::CommitWaiters& commits = service_.deps_.router.commits();
  while (!waiting_.empty()) {
    const storage::Ticket gate = waiting_.front().item.gate;
    if (!commits.decided(gate)) {
      if (std::exchange(gate_watched_, true)) return;
      service_.deps_.router.when_decided(gate, [&service = service_, pair = pair_](bool) {
        const auto self = service.links_.find(pair);
        if (self == service.links_.end()) return;
        self->second->gate_watched_ = false;
        self->second->flush();
      });
      return;
    }
    // A peer that does not read is not written to without end.
    if (transport_->unsent() > most_unsent) return;
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= next.bytes;
    const bool failed = gate && commits.log().failed(gate);
    if (failed && !next.item.if_failed) continue;
    xml::Element element = failed ? next.item.if_failed->element() : next.item.stanza.element();
    element.replace_namespace(ns::client, ns::server);
    service_.sent_.add();
    last_sent_ = service_.deps_.clock.now();
    if (!behind_since_) behind_since_ = last_sent_;
    write(element);
  }
}

void S2sLink::verify(std::string stream_id, std::string key, std::move_only_function<void(bool)> then) {
  if (asked_.size() >= most_asked) {
    service_.deps_.events.limit_hit("s2s_questions");
    return then(false);
  }
  asked_.insert_or_assign(stream_id, std::move(then));
  questions_.emplace_back(stream_id, key);
  if (machine_) apply(machine_->verify(std::move(stream_id), std::move(key)));
}

// --- the stream
// ----------------------------------------------------------------------------------------------------------

void S2sLink::on_bytes(std::string_view bytes) {
  if (closed_) return;
  heard_ = true;
  attempt_.cancel();
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
      apply(machine_->received(*element));
    } else {
      give_up("it closed the stream", Condition::remote_server_timeout);
    }
  }
}

void S2sLink::on_drained() {
  behind_since_.reset();
  flush();
}

void S2sLink::on_secure() {
  if (!closed_) apply(machine_->secured(transport_->certifies(xmpp::domain_to_ascii(pair_.remote))));
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
      last_sent_ = service_.deps_.clock.now();
      service_.deps_.timers.schedule(timer_, stuck_time);
      flush();
    } else if (auto* answer = std::get_if<stream::KeyVerified>(&action)) {
      std::erase_if(questions_, [&](const auto& question) { return question.first == answer->stream_id; });
      const auto found = asked_.find(answer->stream_id);
      if (found == asked_.end()) continue;
      auto then = std::move(found->second);
      asked_.erase(found);
      then(answer->valid);
    } else {
      give_up(std::get<stream::GivenUp>(action).why, Condition::remote_server_timeout);
    }
  }
}

void S2sLink::write(const xml::Element& element) {
  std::string& out = service_.scratch_;
  out.clear();
  xml::write(out, element, ns::server);
  transport_->write(out);
}

void S2sLink::on_closed(net::CloseReason reason) {
  cut_ = true;
  if (closed_) {
    timer_.cancel();
    return service_.gone(this);
  }
  std::string why = "the connection broke";
  if (!transport_->failure().empty()) why = std::string(transport_->failure());
  if (reason == net::CloseReason::tls_failed) why = "TLS failed: " + why;
  // Where nobody was heard, another address may do.
  if (!heard_ && reason != net::CloseReason::local) return dial_next(std::move(why));
  give_up(why, Condition::remote_server_timeout);
}

void S2sLink::give_up(const std::string& why, Condition condition) {
  if (closed_) return;
  const bool was_ready = machine_ && machine_->ready();
  const bool stuck = behind_since_ && service_.deps_.clock.now() - *behind_since_ >= stuck_time;
  service_.deps_.events.record(was_ready ? LogLevel::info : LogLevel::warning,
                               was_ready ? "server_lost" : "server_not_reached",
                               {{"domain", pair_.remote}, {"why", why}});
  if (!was_ready) service_.failed_[pair_] = service_.deps_.clock.now();
  end();
  for (auto& [id, then] : std::exchange(asked_, {})) then(false);
  std::deque<Waiting> left = std::exchange(waiting_, {});
  // A stream that has served and ended is the way of the world: what waited for its turn begins another.
  if (S2sLink* next = was_ready && !stuck && !left.empty() && !service_.stopping_ ? service_.link(pair_) : nullptr) {
    for (Waiting& waited : left) next->send(std::move(waited.item));
    return;
  }
  for (Waiting& waited : left) {
    service_.deps_.router.unreachable(waited.item.stanza, StanzaError::of(condition), waited.item.gate);
  }
}

void S2sLink::shut_down() {
  if (closed_) return;
  for (Waiting& waited : std::exchange(waiting_, {})) {
    service_.deps_.router.unreachable(waited.item.stanza, StanzaError::of(Condition::remote_server_timeout),
                                      waited.item.gate);
  }
  end();
}

void S2sLink::end() {
  closed_ = true;
  timer_.cancel();
  attempt_.cancel();
  pause_.cancel();
  service_.leave(pair_);
  if (transport_ && !cut_) {
    transport_->write("</stream:stream>");
    transport_->close();
    service_.deps_.timers.schedule(timer_, farewell_time);
  } else {
    service_.gone(this);
  }
}

void S2sLink::on_timer() {
  if (closed_) {
    // It did not take the end of the stream in time.
    transport_->abort();
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
  // Nothing was said for long; the next word begins a new stream. What waits for a write is about to be said.
  if (now - last_sent_ >= service_.deps_.limits.s2s_idle_time && waiting_.empty() && !behind_since_) return end();
  service_.deps_.timers.schedule(timer_, stuck_time);
}

}  // namespace kith::session
