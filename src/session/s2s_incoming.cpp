#include "session/s2s_incoming.h"

#include <optional>
#include <utility>
#include <variant>

#include "stream/dialback.h"
#include "stream/management.h"
#include "xml/writer.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;
using xmpp::StreamCondition;
using xmpp::StreamError;

namespace {
constexpr Duration farewell_time = std::chrono::seconds(5);
}  // namespace

S2sIncoming::S2sIncoming(S2sService& service, std::uint64_t id, std::unique_ptr<net::Transport> transport,
                         std::unique_ptr<Admission> admission)
    : service_(service),
      id_(id),
      transport_(std::move(transport)),
      admission_(std::move(admission)),
      machine_(service.surroundings_),
      parser_(service.deps_.limits.xml_before_login),
      bytes_(service.deps_.limits.bytes_before_login, service.deps_.clock.now()),
      timer_([this] { on_timer(); }),
      pause_([this] {
        if (!closed_) transport_->resume_reading();
      }),
      last_bytes_(service.deps_.clock.now()),
      heard_(service, [this](std::uint32_t handled) { tell(handled); }) {
  service_.deps_.timers.schedule(timer_, service_.deps_.limits.login_time);
}

S2sIncoming::~S2sIncoming() {
  for (const std::string& domain : domains_) service_.drop_stream_of(domain);
}

void S2sIncoming::on_bytes(std::string_view bytes) {
  if (closed_ || parting_) return;
  last_bytes_ = service_.deps_.clock.now();
  const Duration wait = bytes_.take_in_debt(static_cast<double>(bytes.size()), last_bytes_);
  if (wait > Duration::zero() && !pause_.waiting()) {
    service_.deps_.events.limit_hit("bytes_from_server");
    transport_->pause_reading();
    service_.deps_.timers.schedule(pause_, wait);
  }
  parser_.feed(bytes);
  while (!closed_ && !parting_) {
    std::expected<xml::StreamEvent, xml::ParseError> event = parser_.next();
    if (!event) return fail(stream::stream_error_of(event.error()));
    if (std::holds_alternative<xml::NeedMore>(*event)) return;
    if (auto* open = std::get_if<xml::StreamOpen>(&*event)) {
      apply(machine_.opened(*open));
    } else if (auto* element = std::get_if<xml::Element>(&*event)) {
      apply(machine_.received(std::move(*element)));
    } else {
      close();
    }
  }
}

// --- stream management
// ---------------------------------------------------------------------------------------------------

void S2sIncoming::manage(const xml::Element& element) {
  if (element.name() == "enable" && !heard_.enabled()) {
    heard_.enable();
    write(stream::enabled_element({}, std::nullopt));
  } else if (element.name() == "r" && heard_.enabled()) {
    heard_.acknowledge();
  } else if (element.name() == "enable" || element.name() == "resume") {
    write(stream::sm_failed_element(xmpp::Condition::unexpected_request));
  }
  // An <a/> is about what we send, and that is nothing that counts.
}

void S2sIncoming::tell(std::uint32_t handled) {
  if (closed_) return;
  write(stream::acknowledgement(handled));
  if (!parting_) return;
  if (heard_.owes()) return heard_.acknowledge();
  say_farewell();
}

void S2sIncoming::close() {
  parting_ = true;
  service_.deps_.timers.schedule(timer_, farewell_time);
  if (heard_.owes()) return heard_.acknowledge();
  say_farewell();
}

void S2sIncoming::say_farewell() {
  if (parting_with_) return fail(*std::exchange(parting_with_, std::nullopt));
  closed_ = true;
  if (machine_.header_sent()) transport_->write("</stream:stream>");
  transport_->close();
  service_.deps_.timers.schedule(timer_, farewell_time);
}

void S2sIncoming::end_after_acknowledging(StreamError error) {
  if (closed_ || parting_) return;
  parting_with_ = std::move(error);
  close();
}

void S2sIncoming::on_secure() {
  if (closed_) return;
  apply(machine_.secured(
      [this](std::string_view domain) { return transport_->certifies(xmpp::domain_to_ascii(domain)); }));
}

void S2sIncoming::apply(stream::S2sInActions actions) {
  for (stream::S2sInAction& action : actions) {
    if (closed_) return;
    if (auto* open = std::get_if<stream::SendOpen>(&action)) {
      std::string out;
      xml::write_stream_open(out, ns::server, open->attributes);
      transport_->write(out);
    } else if (auto* send = std::get_if<stream::Send>(&action)) {
      write(send->element);
    } else if (auto* secure = std::get_if<stream::StartTls>(&action)) {
      // SECURITY: what came in the clear behind <starttls/> may be somebody else's; as for clients, it ends the stream.
      if (!parser_.take_rest().empty()) {
        service_.deps_.events.record(LogLevel::warning, "starttls_injection");
        closed_ = true;
        transport_->abort();
        service_.remove_soon(id_);
        return;
      }
      parser_.restart();
      transport_->start_tls(xmpp::domain_to_ascii(secure->domain));
    } else if (std::holds_alternative<stream::RestartStream>(action)) {
      parser_.restart();
    } else if (auto* question = std::get_if<stream::VerifyKey>(&action)) {
      verify(std::move(*question));
    } else if (auto* proven = std::get_if<stream::Proven>(&action)) {
      service_.deps_.events.record(LogLevel::info, "server_proven",
                                   {{"domain", proven->pair.remote}, {"how", std::string(proven->how)}});
      // Whoever can speak can most likely hear.
      service_.deps_.crossroads.at(service_.deps_.router.owner_of_domain(proven->pair.remote),
                                   [remote = proven->pair.remote](router::Router& there) {
                                     if (there.remote_servers() != nullptr) there.remote_servers()->awake(remote);
                                   });
      if (!domains_.contains(proven->pair.remote)) {
        if (!service_.add_stream_of(proven->pair.remote)) {
          service_.deps_.events.limit_hit("s2s_streams_per_domain");
          return fail({StreamCondition::resource_constraint, "Too many streams of this domain."});
        }
        domains_.insert(proven->pair.remote);
      }
      if (admission_) admission_->logged_in();
      parser_.set_limits(service_.deps_.limits.xml_after_login);
      bytes_ = TokenBucket(service_.deps_.limits.bytes_from_server, service_.deps_.clock.now());
      service_.deps_.timers.schedule(timer_, service_.deps_.limits.s2s_idle_time);
    } else if (auto* stanza = std::get_if<stream::FromPeer>(&action)) {
      take(std::move(stanza->element));
    } else if (auto* management = std::get_if<stream::Management>(&action)) {
      manage(management->element);
    } else if (auto* ended = std::get_if<stream::PeerEnded>(&action)) {
      service_.deps_.events.record(LogLevel::info, "server_ended_stream",
                                   {{"domain", machine_.remote()}, {"condition", ended->condition}});
      close();
    } else {
      fail(std::get<stream::Close>(action).error);
    }
  }
}

void S2sIncoming::verify(stream::VerifyKey question) {
  const unsigned here = service_.deps_.router.shard();
  const unsigned owner = service_.deps_.router.owner_of_domain(question.pair.remote);
  // The answer finds the stream again by its number: it may be gone by then.
  auto answer = [&roads = service_.deps_.crossroads, here, &service = service_, id = id_,
                 pair = question.pair](router::RemoteServers::KeyAnswer valid) {
    roads.at(here, [&service, id, pair, valid](router::Router&) {
      if (S2sIncoming* self = service.find(id)) self->verified(pair, valid);
    });
  };
  service_.deps_.crossroads.at(
      owner, [question = std::move(question), answer = std::move(answer)](router::Router& there) mutable {
        if (there.remote_servers() == nullptr) return answer(std::unexpected(xmpp::Condition::resource_constraint));
        there.remote_servers()->verify(std::move(question.pair.remote), std::move(question.pair.local),
                                       std::move(question.stream_id), std::move(question.key), std::move(answer));
      });
}

void S2sIncoming::verified(const stream::DomainPair& pair, router::RemoteServers::KeyAnswer valid) {
  if (!closed_) apply(machine_.verified(pair, valid));
}

void S2sIncoming::take(xml::Element element) {
  service_.received_.add();
  element.replace_namespace(ns::server, ns::client);
  service_.deps_.router.from_server(std::move(element));
  heard_.count();
}

void S2sIncoming::write(const xml::Element& element) {
  std::string& out = service_.scratch_;
  out.clear();
  stream::write_between_servers(out, element);
  transport_->write(out);
  if (transport_->unsent() <= service_.deps_.limits.outbox_bytes_before_login) return;
  service_.deps_.events.limit_hit("outbox_bytes");
  fail({StreamCondition::resource_constraint});
}

void S2sIncoming::fail(const StreamError& error) {
  if (closed_) return;
  closed_ = true;
  service_.deps_.events.record(LogLevel::info, "server_stream_ended",
                               {{"domain", machine_.remote()}, {"condition", std::string(wire_word(error.condition))}});
  std::string out;
  if (!machine_.header_sent()) xml::write_stream_open(out, ns::server, machine_.header_for_error().attributes);
  xml::write(out, error.to_element(), ns::server);
  out += "</stream:stream>";
  transport_->write(out);
  transport_->close();
  service_.deps_.timers.schedule(timer_, farewell_time);
}

void S2sIncoming::on_closed(net::CloseReason reason) {
  if (reason == net::CloseReason::tls_failed) {
    service_.deps_.events.record(LogLevel::info, "server_tls_failed", {{"why", std::string(transport_->failure())}});
  }
  closed_ = true;
  timer_.cancel();
  pause_.cancel();
  heard_.stop();
  service_.remove_soon(id_);
}

void S2sIncoming::on_timer() {
  if (closed_) {
    transport_->abort();
    service_.remove_soon(id_);
    return;
  }
  if (parting_) return say_farewell();
  const Duration silent = service_.deps_.clock.now() - last_bytes_;
  if (machine_.proven() && silent < service_.deps_.limits.s2s_idle_time) {
    service_.deps_.timers.schedule(timer_, service_.deps_.limits.s2s_idle_time - silent);
    return;
  }
  fail({StreamCondition::connection_timeout});
}

}  // namespace kith::session
