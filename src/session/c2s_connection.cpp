#include "session/c2s_connection.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/digest.h"
#include "sasl/credentials.h"
#include "session/managed_session.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;
using xmpp::StreamCondition;
using xmpp::StreamError;

namespace {
constexpr std::string_view closing_tag = "</stream:stream>";
constexpr Duration parser_idle_time = std::chrono::seconds(1);
constexpr Duration farewell_time =
    std::chrono::seconds(10);  // until an end that the peer does not take is no longer waited for
}  // namespace

C2sConnection::C2sConnection(C2sService& service, std::uint64_t id, std::unique_ptr<net::Transport> transport,
                             std::unique_ptr<stream::Negotiation> negotiation, xml::StreamParser parser,
                             std::unique_ptr<Admission> admission, TokenBucket bytes, TokenBucket stanzas)
    : service_(service),
      id_(id),
      transport_(std::move(transport)),
      negotiation_(std::move(negotiation)),
      parser_(std::move(parser)),
      admission_(std::move(admission)),
      bytes_(bytes),
      stanzas_(stanzas),
      timer_([this] { on_timer(); }),
      pause_([this] {
        throttled_ = false;
        if (!deferred_.empty()) {
          busy_ = false;
          apply(std::exchange(deferred_, {}));
        }
        resume();
      }) {}

C2sConnection::~C2sConnection() = default;

void C2sConnection::start(Duration deadline) {
  facts_.address = transport_->peer_address();
  facts_.since = service_.deps_.clock.wall();
  last_bytes_ = service_.deps_.clock.now();
  schedule(deadline);
}

std::string_view C2sConnection::domain() const {
  if (session_ != nullptr) return session_->jid().domainpart();
  return negotiation_ ? std::string_view(negotiation_->domain()) : std::string_view();
}

// --- moving
// ----------------------------------------------------------------------------------------------------------------

std::unique_ptr<Parcel> C2sConnection::pack() {
  // Bind comes between two elements.
  if (!parser_.park()) return nullptr;
  closed_ = true;
  timer_.cancel();
  pause_.cancel();
  return std::make_unique<Parcel>(Parcel{transport_->detach(), std::move(parser_), std::move(negotiation_),
                                         std::move(admission_), std::move(*wanted_), std::move(held_),
                                         std::move(facts_), bytes_, stanzas_});
}

void C2sConnection::arrived(Wanted wanted, std::string held, module::ConnectionFacts facts) {
  held_ = std::move(held);
  facts_ = std::move(facts);
  last_bytes_ = service_.deps_.clock.now();
  busy_ = true;
  reading_stopped_ = true;  // It was paused where it came from, and that moves along.
  schedule(service_.deps_.limits.bind_time);
  do_wanted(std::move(wanted));
}

// --- bytes in
// --------------------------------------------------------------------------------------------------------------

void C2sConnection::on_bytes(std::string_view bytes) {
  if (closed_ || finishing_) return;
  last_bytes_ = service_.deps_.clock.now();
  pinged_ = false;
  const Duration wait = bytes_.take_in_debt(static_cast<double>(bytes.size()), last_bytes_);
  if (wait > Duration::zero() && !throttled_) {
    throttled_ = true;
    service_.deps_.events.limit_hit(session_ != nullptr ? "bytes_after_login" : "bytes_before_login");
    // A pause that is on already may hold an answer back, and is not cut short.
    if (!pause_.waiting()) service_.deps_.timers.schedule(pause_, wait);
  }
  if (busy_ || throttled_ || !held_.empty()) {
    held_.append(bytes);
    stop_reading_for_now();
    return;
  }
  parser_.feed(bytes);
  pump();
}

void C2sConnection::stop_reading_for_now() {
  if (reading_stopped_ || closed_) return;
  reading_stopped_ = true;
  transport_->pause_reading();
}

void C2sConnection::resume() {
  if (closed_ || finishing_ || busy_ || throttled_ || pumping_) return;
  if (!held_.empty()) {
    const std::string bytes = std::exchange(held_, {});
    parser_.feed(bytes);
    pump();
    if (closed_ || finishing_ || busy_ || throttled_) return;
  }
  if (reading_stopped_) {
    reading_stopped_ = false;
    transport_->resume_reading();
  }
}

void C2sConnection::pump() {
  pumping_ = true;
  // An exception is the shard's to log; this stream must not hang for it.
  const std::unique_ptr<bool, void (*)(bool*)> pumping(&pumping_, [](bool* flag) { *flag = false; });
  while (!busy_ && !throttled_ && !closed_ && !finishing_) {
    std::expected<xml::StreamEvent, xml::ParseError> event = parser_.next();
    if (!event) {
      fail(stream::stream_error_of(event.error()));
      break;
    }
    if (std::holds_alternative<xml::NeedMore>(*event)) break;
    if (auto* open = std::get_if<xml::StreamOpen>(&*event)) {
      if (negotiation_) {
        apply(negotiation_->opened(*open));
      } else {
        fail({StreamCondition::bad_format, "A stream header inside a stream."});
      }
    } else if (auto* element = std::get_if<xml::Element>(&*event)) {
      if (session_ == nullptr) {
        apply(negotiation_->received(std::move(*element)));
        continue;
      }
      const Duration wait = stanzas_.take_in_debt(1, service_.deps_.clock.now());
      if (wait > Duration::zero()) {
        throttled_ = true;
        service_.deps_.events.limit_hit("stanzas");
        service_.deps_.timers.schedule(pause_, wait);
      }
      if (element->ns() == ns::sm) {
        management(*element);
        continue;
      }
      const bool counts = element->ns() == ns::client;
      if (managed_ != nullptr) note_answer(*element);
      if (auto error = service_.deps_.router.from_client(*session_, std::move(*element))) {
        fail(*error);
      } else if (managed_ != nullptr && counts) {
        managed_->handled_one(service_.deps_.router.shards_addressed());
      }
    } else {
      finish_stream();
    }
  }
  if ((busy_ || throttled_) && !closed_) {
    held_ = parser_.take_rest();
    stop_reading_for_now();
  }
  if (!busy_ && !throttled_ && !closed_ && !finishing_ && transport_->whole_messages() && parser_.inside_element()) {
    fail({StreamCondition::bad_format, "A message on a WebSocket is a whole element."});
  }
  note_unfinished_element();
  if (!hot_ && !closed_) {
    hot_ = true;
    service_.add_hot(id_);
  }
}

void C2sConnection::note_answer(const xml::Element& element) {
  if (element.name() != "iq") return;
  const auto type = element.attribute("type");
  if (type != "result" && type != "error") return;
  managed_->answered(element.attribute("to").value_or(""), element.attribute("id").value_or(""));
}

void C2sConnection::note_unfinished_element() {
  if (closed_ || !parser_.inside_element()) {
    element_since_.reset();
  } else if (!element_since_) {
    element_since_ = last_bytes_;
  }
}

// --- negotiation
// -----------------------------------------------------------------------------------------------------------

void C2sConnection::apply(stream::Actions actions) {
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (closed_) return;
    if (!apply_one(actions[i])) {
      deferred_.insert(deferred_.end(), std::make_move_iterator(actions.begin() + static_cast<std::ptrdiff_t>(i) + 1),
                       std::make_move_iterator(actions.end()));
      return;
    }
  }
}

bool C2sConnection::apply_one(stream::Action& action) {
  if (auto* open = std::get_if<stream::SendOpen>(&action)) {
    std::string& out = service_.scratch_;
    out.clear();
    xml::write_stream_open(out, ns::client, open->attributes);
    transport_->write(out);
  } else if (auto* send = std::get_if<stream::Send>(&action)) {
    write_element(send->element);
  } else if (auto* secure = std::get_if<stream::StartTls>(&action)) {
    // SECURITY: bytes that came in the clear after <starttls/> may be a command injected by somebody in the middle;
    // they are not parsed, and a client that sends any is cut off.
    if (!parser_.take_rest().empty()) {
      service_.deps_.events.record(LogLevel::warning, "starttls_injection");
      closed_ = true;
      transport_->abort();
      service_.remove_soon(id_);
      return true;
    }
    parser_.restart();
    transport_->start_tls(secure->domain);
    schedule(service_.deps_.limits.tls_handshake_time);
  } else if (std::holds_alternative<stream::RestartStream>(action)) {
    parser_.restart();
  } else if (auto* wanted = std::get_if<stream::LookUpCredentials>(&action)) {
    look_up(wanted->bare, std::nullopt);
  } else if (auto* by_token = std::get_if<stream::LookUpTokens>(&action)) {
    look_up_tokens(by_token->bare, by_token->client);
  } else if (auto* check = std::get_if<stream::CheckPassword>(&action)) {
    look_up(check->bare, std::move(check->password));
  } else if (auto* in = std::get_if<stream::LoggedIn>(&action)) {
    service_.logins_.add();
    service_.deps_.events.record(LogLevel::debug, "login",
                                 {{"account", in->bare.text()}, {"mechanism", in->mechanism}});
    facts_.mechanism = in->mechanism;
    facts_.agent = in->agent.id;
    facts_.software = in->agent.software;
    facts_.device = in->agent.device;
    parser_.set_limits(service_.deps_.limits.xml_after_login);
    transport_->set_message_bytes(service_.deps_.limits.xml_after_login.element_bytes);
    if (admission_) admission_->logged_in();
    bytes_ = TokenBucket(service_.deps_.limits.bytes_after_login, service_.deps_.clock.now());
    schedule(service_.deps_.limits.bind_time);
  } else if (auto* failed = std::get_if<stream::LoginFailed>(&action)) {
    login_failed(*failed);
    return !busy_;
  } else if (auto* iq = std::get_if<stream::IqBeforeLogin>(&action)) {
    iq_before_login(std::move(iq->stanza));
  } else if (auto* bind = std::get_if<stream::Bind>(&action)) {
    move_or_stay(std::move(*bind));
  } else if (auto* back = std::get_if<stream::Resume>(&action)) {
    move_or_stay(std::move(*back));
  } else if (auto* more = std::get_if<stream::AddKeys>(&action)) {
    add_keys(std::move(*more));
  } else if (auto* establish = std::get_if<stream::Establish>(&action)) {
    move_or_stay(std::move(*establish));
  } else {
    fail(std::get<stream::Close>(action).error);
  }
  return true;
}

void C2sConnection::look_up(const xmpp::BareJid& bare, std::optional<Secret> password) {
  if (!service_.deps_.guard.may_try(facts_.address)) {
    service_.deps_.events.limit_hit("failed_logins_per_address_rate");
    return apply(negotiation_->login_unavailable());
  }
  busy_ = true;
  facts_.authorized = service_.deps_.clock.now();
  service_.deps_.stores.accounts.find(bare, [&service = service_, id = id_, bare, password = std::move(password)](
                                                storage::Result<std::optional<storage::AccountRecord>> record) mutable {
    C2sConnection* self = service.find(id);
    if (self == nullptr || self->closed_ || !self->negotiation_) return;
    if (!record) {
      self->busy_ = false;
      self->apply(self->negotiation_->login_unavailable());
      self->resume();
      return;
    }
    // SECURITY: an account that does not exist, or is disabled, goes the same way with keys that nothing can match.
    // They are made for every account, used or not: their time would tell who has an account and who has none.
    const bool known = *record && !(*record)->disabled;
    sasl::Credentials keys = sasl::decoy(service.deps_.server_secret, bare.text());
    if (known) keys = std::move((*record)->credentials);
    self->negotiation_->found_keys(keys);
    if (!password) {
      self->busy_ = false;
      self->apply(self->negotiation_->credentials(keys, known));
      self->resume();
      return;
    }
    const bool taken = service.deps_.passwords.check(
        service.deps_.shard, keys, std::move(*password), [&service, id, known](bool right) {
          C2sConnection* then = service.find(id);
          if (then == nullptr || then->closed_ || !then->negotiation_) return;
          then->busy_ = false;
          then->apply(then->negotiation_->password_checked(right && known));
          then->resume();
        });
    if (!taken) {
      service.deps_.events.limit_hit("hash_jobs_waiting");
      self->busy_ = false;
      self->apply(self->negotiation_->login_unavailable());
      self->resume();
    }
  });
}

void C2sConnection::add_keys(stream::AddKeys more) {
  busy_ = true;
  service_.deps_.stores.accounts.add_keys(more.bare, more.keys, more.salt,
                                          [&service = service_, id = id_](storage::Result<bool> added) {
                                            C2sConnection* self = service.find(id);
                                            if (self == nullptr || self->closed_ || !self->negotiation_) return;
                                            self->busy_ = false;
                                            self->apply(self->negotiation_->keys_added(added && *added));
                                            self->resume();
                                          });
}

void C2sConnection::login_failed(stream::LoginFailed& failed) {
  service_.failed_logins_.add();
  service_.deps_.events.record(LogLevel::info, "login_failed",
                               {{"reason", std::string(sasl::wire_word(failed.failure))}});
  // SECURITY: what counts is a guess at an account's password. An exchange that ended before it named an account (a
  // channel binding that we do not have, say) tells nobody anything, and counting it would slow honest clients' next
  // way down.
  const bool guessed = failed.failure == sasl::Failure::not_authorized && failed.bare.has_value();
  const Duration wait = guessed ? service_.deps_.guard.failed(facts_.address, failed.bare->text()) : Duration::zero();
  if (wait <= Duration::zero()) {
    write_element(failed.answer);
    return;
  }
  service_.deps_.events.limit_hit("failed_logins");
  busy_ = true;
  // The answer itself and what follows it wait; pause_ carries them out.
  deferred_.emplace_back(stream::Send{std::move(failed.answer)});
  service_.deps_.timers.schedule(pause_, wait);
}

void C2sConnection::iq_before_login(xmpp::Stanza stanza) {
  busy_ = true;
  std::move_only_function<void(xmpp::Stanza)> answer = [&service = service_, id = id_](const xmpp::Stanza& reply) {
    // Posted, so that an answer given inside the hook comes after it, like every other.
    service.deps_.shard.post([&service, id, reply] {
      C2sConnection* self = service.find(id);
      if (self == nullptr || self->closed_) return;
      self->write_stanza(reply);
      self->busy_ = false;
      self->resume();
    });
  };
  module::IqBeforeLogin event{negotiation_->domain(), facts_.address, negotiation_->secure(), stanza, answer};
  const module::Outcome outcome = service_.deps_.router.hooks().run(event);
  if (std::holds_alternative<module::Done>(outcome)) return;
  fail({StreamCondition::not_authorized});
}

void C2sConnection::move_or_stay(Wanted wanted) {
  busy_ = true;
  const unsigned owner = service_.deps_.router.owner(negotiation_->account());
  if (owner == service_.deps_.router.shard()) {
    do_wanted(std::move(wanted));
  } else {
    // The connection leaves for its account's shard when this turn has unwound.
    wanted_ = std::move(wanted);
    service_.deps_.shard.post([&service = service_, id = id_, owner] { service.depart(id, owner); });
  }
}

void C2sConnection::do_wanted(Wanted wanted) {
  if (auto* bind = std::get_if<stream::Bind>(&wanted)) {
    do_bind(std::move(*bind));
  } else if (auto* back = std::get_if<stream::Resume>(&wanted)) {
    do_resume(*back);
  } else {
    do_establish(std::move(std::get<stream::Establish>(wanted)));
  }
}

void C2sConnection::note_facts() {
  facts_.tls =
      transport_->tls() == nullptr ? std::string() : transport_->tls()->version + " " + transport_->tls()->cipher;
  transport_->forget_facts();
}

// XEP-0198 §5
void C2sConnection::do_resume(const stream::Resume& wanted) {
  const std::string digest = sha256(wanted.previd);
  ManagedSession* const found = service_.resumable(negotiation_->account(), digest);
  if (found == nullptr) return resume_failed(service_.handled_before_end(negotiation_->account(), digest));
  if (!found->may_acknowledge(wanted.h)) {
    fail(stream::handled_count_too_high(wanted.h, found->sent()));
    return;
  }
  note_facts();
  found->take_over(*this, facts_);
  managed_ = found;
  session_ = found->session();
  // Nothing is acknowledged before it is committed, by <resumed/> either.
  const ManagedSession::Asked asking = found->ask_shards();
  const bool asked = service_.deps_.router.fence(
      asking.shards, [&service = service_, id = id_, number = found->number(), asked = asking.number, wanted] {
        if (ManagedSession* waited = service.managed(number)) waited->shards_passed(asked);
        if (C2sConnection* self = service.find(id)) self->resume_now(number, wanted.previd, wanted.h);
      });
  if (asked) return;
  lose({StreamCondition::resource_constraint, "The server is busy. Try again."});
}

void C2sConnection::resume_failed(std::optional<std::uint32_t> h) {
  if (wishes_) return establish_bind({stream::sm_failed_element(xmpp::Condition::item_not_found, h)});
  busy_ = false;
  apply(negotiation_->resume_failed(xmpp::Condition::item_not_found, h));
  resume();
}

void C2sConnection::resume_now(std::uint64_t number, const std::string& previd, std::uint32_t h) {
  if (closed_ || managed_ == nullptr || managed_->number() != number) return;
  const storage::Ticket last = storage::later(session_->account().last_write(), token_written_);
  service_.deps_.router.commits().when_decided(last, [&service = service_, id = id_, number, previd, h](bool) {
    C2sConnection* self = service.find(id);
    if (self == nullptr || self->closed_ || self->managed_ == nullptr || self->managed_->number() != number) return;
    service.resumptions_.add();
    const std::uint32_t handled = self->managed_->told(self->managed_->handled());
    if (self->wishes_) {
      self->established({stream::resumed_element(previd, handled)});
      if (self->closed_) return;
    } else {
      self->apply(self->negotiation_->resumed(previd, handled));
      self->negotiation_.reset();
    }
    if (!self->managed_->acknowledge(h)) return self->fail(stream::handled_count_too_high(h, self->managed_->sent()));
    self->schedule(service.deps_.limits.idle_ping_time);
    self->managed_->replay();
    self->busy_ = false;
    self->resume();
  });
}

xml::Element C2sConnection::enable_management(const stream::EnableRequest& request) {
  if (session_ == nullptr || managed_ != nullptr) return stream::sm_failed_element(xmpp::Condition::unexpected_request);
  const std::chrono::seconds most = service_.waiting_time(*session_, service_.deps_.limits.sm_resume_time);
  const std::chrono::seconds time = std::min(most, request.max.value_or(most));
  const bool resumable = request.resume && time.count() > 0;
  // SECURITY: whoever has the id and the account's password takes the session over; only its digest is kept.
  const std::string sm_id = resumable ? service_.deps_.random.token(16) : std::string();
  const std::uint64_t number = ++service_.ids_;
  auto made = std::make_unique<ManagedSession>(service_, number, *session_, *this, time,
                                               resumable ? sha256(sm_id) : std::string());
  managed_ = made.get();
  if (request.max) managed_->ask_for(*request.max);
  service_.managed_.emplace(number, std::move(made));
  session_->set_output(*managed_);
  if (waiting_) {
    const std::unique_ptr<std::deque<Waiting>> before = std::move(waiting_);
    waiting_bytes_ = 0;
    for (Waiting& item : *before)
      managed_->put_before(std::move(item.bytes), std::move(item.bytes_if_failed), item.gate);
  }
  return stream::enabled_element(sm_id, resumable ? std::optional(time) : std::nullopt);
}

void C2sConnection::management(const xml::Element& element) {
  if (element.is("enable", ns::sm)) {
    const bool twice = managed_ != nullptr;
    const xml::Element answer = enable_management(stream::read_enable(element));
    managed_->put_uncounted(answer);
    // XEP-0198 §3: one attempt.
    if (twice) fail({StreamCondition::policy_violation, "Stream management is enabled already."});
  } else if (element.is("r", ns::sm) && managed_ != nullptr) {
    managed_->asked_for_acknowledgement();
  } else if (element.is("a", ns::sm) && managed_ != nullptr) {
    const auto h = stream::read_h(element);
    if (!h) {
      fail({StreamCondition::policy_violation, "An acknowledgement needs a number."});
    } else if (!managed_->acknowledge(*h)) {
      fail(stream::handled_count_too_high(*h, managed_->sent()));
    }
  } else if (element.is("a", ns::sm) || element.is("r", ns::sm) || element.is("resume", ns::sm)) {
    const xml::Element answer = stream::sm_failed_element(xmpp::Condition::unexpected_request);
    if (managed_ != nullptr) {
      managed_->put_uncounted(answer);
    } else {
      write_element(answer);
    }
  } else {
    fail({StreamCondition::unsupported_stanza_type});
  }
}

void C2sConnection::lose(const StreamError& error) {
  if (closed_) return;
  if (managed_ != nullptr && managed_->resumable() && !holding_) {
    session_ = nullptr;
    busy_ = true;
    std::exchange(managed_, nullptr)->hibernate();
  }
  fail(error);
}

void C2sConnection::put_waiting(std::string bytes, std::string bytes_if_failed, storage::Ticket gate) {
  if (closed_) return;
  const bool queued = waiting_ && !waiting_->empty();
  if (!waiting_) waiting_ = std::make_unique<std::deque<Waiting>>();
  waiting_bytes_ += bytes.size() + bytes_if_failed.size();
  waiting_->push_back({.bytes = std::move(bytes), .bytes_if_failed = std::move(bytes_if_failed), .gate = gate});
  if (!queued) wait_for_head();
}

void C2sConnection::do_bind(stream::Bind bind) {
  note_facts();
  const xmpp::BareJid account = negotiation_->account();  // by value: once bound, the negotiation goes
  router::Router::OutputFinder output = [&service = service_, id = id_]() -> module::SessionOutput* {
    C2sConnection* self = service.find(id);
    return self == nullptr || self->closed_ ? nullptr : self;
  };
  service_.deps_.router.bind(account, std::move(bind.resource), std::move(output), facts_,
                             [&service = service_, id = id_](router::Router::BindResult result) {
                               C2sConnection* self = service.find(id);
                               if (self == nullptr || self->closed_) {
                                 if (result) service.deps_.router.unbind(**result);
                                 return;
                               }
                               self->busy_ = false;
                               if (result) {
                                 self->bound(*result);
                               } else {
                                 self->apply(self->negotiation_->bind_refused(result.error()));
                               }
                               self->resume();
                             });
}

void C2sConnection::bound(module::Session* session) {
  session_ = session;
  apply(negotiation_->bound(session->jid()));
  negotiation_.reset();
  schedule(service_.deps_.limits.idle_ping_time);
}

void C2sConnection::on_secure() {
  if (closed_ || !negotiation_) return;
  const net::TlsFacts* facts = transport_->tls();
  sasl::ChannelBindings bindings(facts->channel_bindings.begin(), facts->channel_bindings.end());
  apply(negotiation_->secured(std::move(bindings), facts->sni));
  schedule(service_.deps_.limits.login_time);
}

// --- the end
// ---------------------------------------------------------------------------------------------------------------

void C2sConnection::finish_stream() {
  if (closed_) return;
  if (session_ != nullptr && managed_ == nullptr && !finishing_) {
    module::SessionEnding event{*session_};
    service_.deps_.router.hooks().run(event);
  }
  finishing_ = true;
  unbind();
  if (waiting_ && !waiting_->empty()) {
    // Answers that wait for the disk still leave; flush_waiting() comes back here, or the timer.
    schedule(farewell_time);
    return;
  }
  if (last_word_) {
    fail(*last_word_);
    return;
  }
  closed_ = true;
  // RFC 6120 §4.4: a closing tag is answered by one. A client that never opened a stream gets nothing to close.
  if (!negotiation_ || negotiation_->header_sent()) transport_->write(closing_tag);
  transport_->close();
  schedule(farewell_time);
}

/// Ends the stream with an error for no fault of the client's: answers that wait for the disk leave before it.
void C2sConnection::end(const StreamError& error) {
  if (closed_ || finishing_) return;
  if (overflowed_ || !waiting_ || waiting_->empty()) {
    fail(error);
    return;
  }
  last_word_ = std::make_unique<StreamError>(error);
  finish_stream();
}

void C2sConnection::fail(const StreamError& error) {
  if (closed_) return;
  closed_ = true;
  service_.deps_.events.counter("kith_stream_errors_total", "Streams that the server ended with an error.").add();
  std::string out;
  if (negotiation_ && !negotiation_->header_sent()) {
    xml::write_stream_open(out, ns::client, negotiation_->header_for_error().attributes);
  }
  xml::write(out, error.to_element(), ns::client);
  out += closing_tag;
  transport_->write(out);
  unbind();
  transport_->close();
  schedule(farewell_time);
}

void C2sConnection::close(const StreamError& error) {
  service_.deps_.shard.post([&service = service_, id = id_, error] {
    if (C2sConnection* self = service.find(id)) self->end(error);
  });
}

void C2sConnection::ended(const StreamError& error) {
  session_ = nullptr;
  managed_ = nullptr;
  busy_ = true;  // Whatever the client has sent and we have not looked at yet is for a session that no longer is.
  close(error);
}

void C2sConnection::unbind() {
  if (session_ == nullptr) return;
  busy_ = true;
  module::Session* const leaving = std::exchange(session_, nullptr);
  if (managed_ != nullptr) {
    managed_->finish();
  } else {
    service_.deps_.router.unbind(*leaving);
  }
}

void C2sConnection::on_closed(net::CloseReason reason) {
  if (reason == net::CloseReason::tls_failed) service_.deps_.events.record(LogLevel::debug, "tls_failed");
  closed_ = true;
  lost_ = true;
  timer_.cancel();
  pause_.cancel();
  // Who never heard of its session won't come back for it.
  if (managed_ != nullptr && managed_->resumable() && !holding_) {
    session_ = nullptr;
    std::exchange(managed_, nullptr)->hibernate();
  }
  unbind();
  service_.remove_soon(id_);
}

void C2sConnection::schedule(Duration after) { service_.deps_.timers.schedule(timer_, after); }

void C2sConnection::on_timer() {
  if (closed_) {
    // The peer did not take the end of the stream in time.
    transport_->abort();
    service_.remove_soon(id_);
    return;
  }
  if (session_ == nullptr) {
    if (finishing_) {
      waiting_.reset();
      finish_stream();
    } else {
      fail({StreamCondition::connection_timeout});
    }
    return;
  }
  const Limits& limits = service_.deps_.limits;
  const MonotonicTime now = service_.deps_.clock.now();
  // SECURITY: a byte now and then is no sign of life: what has come of an element is held in memory until it is whole.
  if (element_since_ && now - *element_since_ >= limits.idle_ping_time + limits.idle_answer_time) {
    return fail({StreamCondition::connection_timeout, "An element took too long."});
  }
  const Duration silent = now - last_bytes_;
  if (silent < limits.idle_ping_time) {
    schedule(limits.idle_ping_time - silent);
  } else if (!pinged_) {
    // RFC 6120 §4.6.3, XEP-0199 §4.4: is anybody there?
    pinged_ = true;
    xml::Element iq("iq", ns::client);
    iq.set("type", "get").set("id", "ping-" + service_.deps_.random.token(6));
    iq.set("from", std::string(session_->jid().domainpart())).set("to", session_->jid().text());
    iq.add(xml::Element("ping", ns::ping));
    session_->output().send(xmpp::Stanza::make(std::move(iq)), {}, nullptr);
    schedule(limits.idle_answer_time);
  } else {
    lose({StreamCondition::connection_timeout});
  }
}

// --- bytes out
// -------------------------------------------------------------------------------------------------------------

void C2sConnection::write_element(const xml::Element& element) {
  std::string& out = service_.scratch_;
  out.clear();
  xml::write(out, element, ns::client);
  write_scratch();
}

void C2sConnection::write_stanza(const xmpp::Stanza& stanza) {
  std::string& out = service_.scratch_;
  out.clear();
  stanza.write_to(out);
  write_scratch();
}

void C2sConnection::write_scratch() {
  taken_bytes_ += service_.scratch_.size();
  transport_->write(service_.scratch_);
  check_outbox();
}

std::uint64_t C2sConnection::left_bytes() const {
  std::uint64_t queued = transport_->unsent();
  if (waiting_) {
    for (const Waiting& item : *waiting_) queued += item.bytes.size();
  }
  return lost_ || queued > taken_bytes_ ? 0 : taken_bytes_ - queued;
}

void C2sConnection::send(const xmpp::Stanza& stanza, storage::Ticket gate, const xmpp::Stanza* if_failed) {
  if (closed_ || finishing_ || overflowed_) return;
  const router::CommitWaiters& commits = service_.deps_.router.commits();
  const bool queued = holding_ || (waiting_ && !waiting_->empty());
  if (!queued && commits.decided(gate)) {
    if (!gate || !commits.log().failed(gate)) {
      write_stanza(stanza);
    } else if (if_failed != nullptr) {
      write_stanza(*if_failed);
    }
    return;
  }
  if (!waiting_) waiting_ = std::make_unique<std::deque<Waiting>>();
  Waiting item{.bytes = {}, .bytes_if_failed = {}, .gate = gate};
  stanza.write_to(item.bytes);
  if (if_failed != nullptr) if_failed->write_to(item.bytes_if_failed);
  waiting_bytes_ += item.bytes.size() + item.bytes_if_failed.size();
  taken_bytes_ += item.bytes.size();
  waiting_->push_back(std::move(item));
  if (!queued) wait_for_head();
  check_outbox();
}

void C2sConnection::wait_for_head() {
  service_.deps_.router.commits().when_decided(waiting_->front().gate, [&service = service_, id = id_](bool) {
    if (C2sConnection* self = service.find(id)) self->flush_waiting();
  });
}

void C2sConnection::flush_waiting() {
  if (closed_ || holding_ || !waiting_) return;
  const router::CommitWaiters& commits = service_.deps_.router.commits();
  while (!waiting_->empty() && commits.decided(waiting_->front().gate)) {
    const Waiting& item = waiting_->front();
    transport_->write(item.gate && commits.log().failed(item.gate) ? item.bytes_if_failed : item.bytes);
    waiting_bytes_ -= item.bytes.size() + item.bytes_if_failed.size();
    waiting_->pop_front();
  }
  if (!waiting_->empty()) {
    wait_for_head();
    return;
  }
  waiting_.reset();
  if (finishing_) finish_stream();
}

void C2sConnection::check_outbox() {
  const Limits& limits = service_.deps_.limits;
  const std::size_t most = session_ != nullptr ? limits.outbox_bytes_after_login : limits.outbox_bytes_before_login;
  if (closed_ || overflowed_ || transport_->unsent() + waiting_bytes_ <= most) return;
  overflowed_ = true;
  service_.deps_.events.limit_hit("outbox_bytes");
  // A client that does not read is let go; posted, because whoever sends is in the middle of something.
  close({StreamCondition::resource_constraint, "The client does not read what is sent to it."});
}

bool C2sConnection::park_if_idle(MonotonicTime now) {
  if (closed_) return true;
  if (now - last_bytes_ < parser_idle_time && service_.hot_.size() < 1024) return false;
  if (busy_ || throttled_ || !parser_.park()) return false;
  hot_ = false;
  return true;
}

}  // namespace kith::session
