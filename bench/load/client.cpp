#include "client.h"

#include <sys/epoll.h>

#include "stanza.h"

namespace kith::bench {

namespace {

constexpr std::size_t most_unfinished_bytes = 4 * 1024 * 1024;  // a roster or a stanza that is larger is a fault
constexpr std::size_t shown_bytes = 300;

}  // namespace

Client::Client(World& world, Wanted wanted) : world_(world), wanted_(std::move(wanted)) {
  full_jid_ = bare_jid() + "/" + wanted_.resource;
}

std::string_view Client::step_of(State state) {
  switch (state) {
    case State::connecting:
      return "connecting";
    case State::header:
      return "opening the stream";
    case State::features:
      return "waiting for the stream's features";
    case State::proceed:
      return "asking for TLS";
    case State::handshake:
      return "the TLS handshake";
    case State::challenge:
    case State::success:
      return "SCRAM-SHA-1";
    case State::authenticated:
      return "SASL2";
    case State::binding:
      return "binding a resource";
    case State::roster:
      return "asking for the roster";
    case State::presence:
      return "becoming available";
    case State::online:
      return "being online";
    case State::leaving:
      return "logging out";
    case State::closed:
      return "being closed";
  }
  return "";
}

void Client::fail(const std::string& what) {
  world_.loop.fail(wanted_.user + "/" + wanted_.resource + " " + what + " (at " + std::string(step_of(state_)) + ")");
}

void Client::connect() {
  const std::string refused = link_.connect(world_.endpoint);
  if (!refused.empty()) return fail("could not connect: " + refused);
  watched_ = EPOLLIN | EPOLLOUT;
  world_.loop.add(link_.descriptor(), watched_, *this);
}

void Client::open_stream() {
  queue("<?xml version='1.0'?><stream:stream to='" + world_.domain +
        "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
  state_ = State::header;
}

void Client::watch() {
  const std::uint32_t wanted = EPOLLIN | (link_.wants_write() ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  if (wanted == watched_ || state_ == State::closed) return;
  watched_ = wanted;
  world_.loop.change(link_.descriptor(), watched_, *this);
}

void Client::flush() {
  if (state_ == State::connecting || state_ == State::handshake || state_ == State::closed) return;
  if (link_.flush() == Link::Progress::failed && state_ != State::leaving)
    return fail("could not write: the server closed the connection");
  watch();
}

void Client::on_ready(std::uint32_t /*events*/) {
  if (state_ == State::closed) return;
  if (state_ == State::connecting) on_connected();
  if (state_ == State::handshake) on_handshake();
  if (state_ == State::connecting || state_ == State::handshake) return watch();
  const bool ended = link_.read(in_) == Link::Progress::failed;
  consume();
  if (ended) return on_end();
  flush();
}

void Client::on_connected() {
  const std::string refused = link_.connected();
  if (!refused.empty()) return fail("could not connect: " + refused);
  if (!world_.forwarder) return open_stream();
  link_.begin_tls(world_.tls.get(), world_.domain);
  state_ = State::handshake;
}

void Client::on_handshake() {
  switch (link_.handshake()) {
    case Link::Progress::waiting:
      return;
    case Link::Progress::failed:
      return fail("got no TLS 1.3");
    case Link::Progress::done:
      break;
  }
  if (world_.forwarder) return become_online();
  open_stream();
  if (wanted_.returning == nullptr) return;
  // What the server offers is known from the last time: one round trip for all.
  queue(authenticate_request(wanted_.user, world_.password, *wanted_.returning, link_.channel_binding()));
}

void Client::on_end() {
  if (state_ == State::closed) return;
  if (state_ != State::leaving) return fail("was left: the server closed the connection");
  state_ = State::closed;
  if (on_closed) on_closed();
}

bool Client::skip_header() {
  const std::size_t at = in_.find("<stream:stream");
  const std::size_t end = at == std::string::npos ? at : in_.find('>', at);
  if (end == std::string::npos) return false;
  in_.erase(0, end + 1);
  state_ = State::features;
  return true;
}

void Client::consume() {
  if (state_ == State::header && !skip_header()) return;
  std::size_t taken = 0;
  const std::string_view all = in_;
  while (const std::size_t size = element_size(all.substr(taken))) {
    std::string_view element = all.substr(taken, size);
    element.remove_prefix(std::min(element.find('<'), element.size()));
    taken += size;
    if (state_ == State::online) {
      if (element.starts_with("<stream:error") || element.starts_with("</")) {
        fail("was told: " + std::string(element.substr(0, shown_bytes)));
      } else if (on_stanza) {
        on_stanza(element);
      }
      continue;
    }
    on_element(element);
    if (state_ == State::header || state_ == State::handshake) break;  // nothing follows before we have written
  }
  in_.erase(0, taken);
  if (in_.size() > most_unfinished_bytes) fail("was sent an element without an end");
}

void Client::on_element(std::string_view element) {
  if (state_ == State::leaving) return element.starts_with("</") ? on_end() : void();
  if (element.starts_with("<stream:error") || element.starts_with("<failure"))
    return fail("was refused: " + std::string(element.substr(0, shown_bytes)));
  switch (state_) {
    case State::features:
      return on_features();
    case State::proceed:
      if (!element.starts_with("<proceed"))
        return fail("was refused TLS: " + std::string(element.substr(0, shown_bytes)));
      link_.begin_tls(world_.tls.get(), world_.domain,
                      wanted_.returning == nullptr ? nullptr : wanted_.returning->tls.get());
      state_ = State::handshake;
      return on_handshake();
    case State::challenge:
      return on_challenge(element);
    case State::success:
      if (!element.starts_with("<success")) return fail("was refused: " + std::string(element.substr(0, shown_bytes)));
      authenticated_ = true;
      return open_stream();
    case State::authenticated:
      return on_authenticated(element);
    case State::binding:
      return on_bound(element);
    case State::roster:
      if (element.starts_with("<iq") && attribute(element, "id") == "r") on_roster_or_bound();
      break;
    case State::presence:
      if (element.starts_with("<presence") && attribute(element, "from") == full_jid_) become_online();
      break;
    default:
      break;
  }
  if (on_stanza) on_stanza(element);
}

void Client::on_features() {
  if (!link_.secure()) {
    queue("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    state_ = State::proceed;
  } else if (wanted_.returning != nullptr) {
    state_ = State::authenticated;
  } else if (!authenticated_) {
    scram_.emplace(wanted_.user);
    queue("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>" + scram_->first() + "</auth>");
    state_ = State::challenge;
  } else {
    queue("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + wanted_.resource +
          "</resource></bind></iq>");
    state_ = State::binding;
  }
}

void Client::on_challenge(std::string_view stanza) {
  const std::string_view text = stanza.substr(std::min(stanza.find('>') + 1, stanza.size()));
  const auto answer = scram_->final(text.substr(0, text.find('<')), world_.password, world_.passwords);
  if (!answer) return fail("got an odd challenge: " + std::string(stanza.substr(0, shown_bytes)));
  queue("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + *answer + "</response>");
  scram_.reset();
  state_ = State::success;
}

void Client::on_bound(std::string_view stanza) {
  const std::string_view jid = leaf_text(stanza, "<jid>");
  if (jid.empty()) return fail("got no resource: " + std::string(stanza.substr(0, shown_bytes)));
  full_jid_ = jid;
  if (!wanted_.roster) return on_roster_or_bound();
  ask_for_roster();
}

void Client::on_authenticated(std::string_view stanza) {
  full_jid_ = take_success(stanza, *wanted_.returning);
  if (full_jid_.empty()) return fail("was refused: " + std::string(stanza.substr(0, shown_bytes)));
  if (wanted_.returning->tls && !link_.tls_resumed()) return fail("had to make a full TLS handshake");
  wanted_.returning->tls = link_.tls_session();
  if (!wanted_.roster) return on_roster_or_bound();
  ask_for_roster();
}

void Client::ask_for_roster() {
  queue("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
  state_ = State::roster;
}

void Client::on_roster_or_bound() {
  if (!wanted_.presence) return become_online();
  queue("<presence/>");
  state_ = State::presence;
}

void Client::become_online() {
  state_ = State::online;
  if (on_online) on_online();
}

void Client::log_out() {
  queue("<presence type='unavailable'/></stream:stream>");
  state_ = State::leaving;
  flush();
}

}  // namespace kith::bench
