#include "session/s2s_probe.h"

#include <utility>
#include <variant>

#include "stream/dialback.h"
#include "xml/writer.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;

namespace {
constexpr Duration most_time = std::chrono::seconds(25);

std::string text_of(const S2sTarget& target) {
  if (!target.host.empty()) return target.host + ":" + std::to_string(target.port) + " (by the proxy)";
  const bool v6 = target.address.find(':') != std::string::npos;
  return (v6 ? "[" + target.address + "]" : target.address) + ":" + std::to_string(target.port) +
         (target.direct_tls ? " (direct TLS)" : "") + (target.pins != nullptr ? " (DANE)" : "");
}
}  // namespace

S2sProbe::S2sProbe(S2sService& service, std::uint64_t number, stream::DomainPair pair, S2sService::Checked then)
    : service_(service), number_(number), pair_(std::move(pair)), then_(std::move(then)), timer_([this] {
        note(false, step_, "no answer in time");
        finish();
      }) {}

S2sProbe::~S2sProbe() = default;

void S2sProbe::note(bool good, std::string step, std::string words) {
  steps_.push_back({.good = good, .step = std::move(step), .words = std::move(words)});
}

void S2sProbe::begin() {
  service_.deps_.timers.schedule(timer_, most_time);
  if (service_.blocks(pair_.remote)) {
    note(false, "policy", "this server does not talk to " + pair_.remote + ": it was blocked by an administrator");
  }
  service_.deps_.resolve(pair_.remote, [&service = service_, number = number_](S2sDeps::Targets targets) {
    const auto self = service.probes_.find(number);
    if (self != service.probes_.end() && !self->second->finished_) self->second->found(std::move(targets));
  });
}

void S2sProbe::found(S2sDeps::Targets targets) {
  if (!targets) {
    note(false, step_, targets.error().why);
    return finish();
  }
  std::string all;
  for (const S2sTarget& target : *targets) all += (all.empty() ? "" : ", ") + text_of(target);
  note(true, step_, all.empty() ? "no address" : all);
  step_ = "connection";
  race_ = std::make_unique<S2sRace>(
      service_, pair_, *std::move(targets),
      [this](std::unique_ptr<net::Transport> transport, const S2sTarget& target, std::string_view said) {
        heard(std::move(transport), target, said);
      },
      [this](const std::string&) { finish(); },
      [this](const S2sTarget& target, const std::string& why) { note(false, step_, text_of(target) + ": " + why); });
  race_->begin();
}

void S2sProbe::heard(std::unique_ptr<net::Transport> transport, const S2sTarget& target, std::string_view said) {
  transport_ = std::move(transport);
  transport_->set_handler(this);
  note(true, step_, text_of(target) + " answers");
  step_ = "stream";
  machine_.emplace(pair_, stream::S2sOut::Policy{.secret = &service_.deps_.secret,
                                                 .require_certificates = service_.deps_.require_certificates});
  parser_.emplace(service_.deps_.limits.xml_before_login);
  proven_by_address_ = target.proven;
  if (target.direct_tls) return on_secure();
  machine_->start();  // The header was sent before anybody was heard.
  on_bytes(said);
}

void S2sProbe::on_bytes(std::string_view bytes) {
  if (finished_) return;
  parser_->feed(bytes);
  while (!finished_) {
    std::expected<xml::StreamEvent, xml::ParseError> event = parser_->next();
    if (event && std::holds_alternative<xml::NeedMore>(*event)) return;
    if (!event) {
      note(false, step_, "it sent what is no XML");
      finish();
    } else if (auto* open = std::get_if<xml::StreamOpen>(&*event)) {
      apply(machine_->opened(*open));
    } else if (auto* element = std::get_if<xml::Element>(&*event)) {
      apply(machine_->received(std::move(*element)));
    } else {
      note(false, step_, "it closed the stream");
      finish();
    }
  }
}

void S2sProbe::on_secure() {
  if (finished_) return;
  const net::TlsFacts* facts = transport_->tls();
  note(true, "TLS", facts == nullptr ? "established" : facts->version + ", " + facts->cipher);
  step_ = "certificate";
  std::string problem = transport_->certificate_problem(xmpp::domain_to_ascii(pair_.remote));
  if (proven_by_address_) {
    problem.clear();
    note(true, step_, "it does not matter: nobody else can answer at that address");
  } else if (problem.empty()) {
    note(true, step_,
         transport_->pinned() ? "it is one that its DNS names (DANE)" : "it is trusted, and for " + pair_.remote);
  } else {
    const bool required = service_.deps_.require_certificates || transport_->pinned();
    note(false, step_,
         problem + (required ? "" : "; this server is content with dialback (require_certificates = false)"));
    if (required) return finish();
  }
  step_ = "login";
  apply(machine_->secured(problem.empty(), transport_->pinned()));
}

void S2sProbe::apply(stream::S2sOutActions actions) {
  for (stream::S2sOutAction& action : actions) {
    if (finished_) return;
    std::string out;
    if (auto* open = std::get_if<stream::SendOpen>(&action)) {
      xml::write_stream_open(out, ns::server, open->attributes);
      transport_->write(out);
    } else if (auto* send = std::get_if<stream::Send>(&action)) {
      if (send->element.is("auth", ns::sasl)) proof_ = "our certificate";
      if (send->element.is("result", stream::ns::dialback)) proof_ = "dialback";
      stream::write_between_servers(out, send->element);
      transport_->write(out);
    } else if (auto* secure = std::get_if<stream::StartTlsTo>(&action)) {
      step_ = "TLS";
      parser_->restart();
      transport_->start_tls_to(secure->remote, xmpp::domain_to_ascii(pair_.local));
    } else if (std::holds_alternative<stream::RestartStream>(action)) {
      parser_->restart();
    } else if (std::holds_alternative<stream::Ready>(action)) {
      note(true, step_, "it takes stanzas from " + pair_.local + ", which it believes by " + proof_);
      finish();
    } else if (auto* given_up = std::get_if<stream::GivenUp>(&action)) {
      note(false, step_, given_up->why);
      finish();
    }
  }
}

void S2sProbe::on_closed(net::CloseReason) {
  cut_ = true;
  if (!finished_) {
    const std::string_view why = transport_->failure();
    note(false, step_, why.empty() ? "the connection broke" : std::string(why));
  }
  finish();
}

void S2sProbe::finish() {
  if (std::exchange(finished_, true)) return;
  timer_.cancel();
  if (race_) race_->stop();
  if (transport_ && !cut_) {
    transport_->write("</stream:stream>");
    transport_->close();
  }
  auto then = std::exchange(then_, nullptr);
  then(std::move(steps_));
  // Whoever asks is still inside one of its functions; and what it said last is still to leave.
  service_.deps_.shard.post([&service = service_, number = number_] { service.probe_done(number); });
}

}  // namespace kith::session
