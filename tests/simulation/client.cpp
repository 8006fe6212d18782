#include "client.h"

#include <utility>
#include <variant>

#include "base/encoding.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::simulation {

namespace ns = xmpp::ns;

namespace {

net::LinkOptions link_options(const Login& login, const LinkWeather& weather) {
  net::LinkOptions options;
  options.direct_tls = login.direct_tls;
  options.window_bytes = weather.window_bytes;
  return options;
}

std::string local_of(const std::string& jid) { return jid.substr(0, jid.find('@')); }

}  // namespace

Client::Client(Scheduler& scheduler, House& house, History& history, Login login, const LinkWeather& weather)
    : scheduler_(scheduler),
      house_(house),
      history_(history),
      login_(std::move(login)),
      weather_(weather),
      stream_(history.open(login_.account)),
      domain_(house.domain()) {
  // What leaves the server may be larger than what it took: '<' is written as '&lt;'.
  limits_.element_bytes = std::size_t{16} * 1024 * 1024;
  limits_.attribute_value_bytes = std::size_t{1} * 1024 * 1024;
  limits_.depth = 64;
  limits_.children = 100'000;
  limits_.tree_bytes = std::size_t{64} * 1024 * 1024;
  connect();
}

void Client::connect() {
  state_ = login_.direct_tls ? State::mechanisms : State::tls;
  parser_.reset();
  link_ = std::make_unique<ClientLink>(
      scheduler_, house_.connect(link_options(login_, weather_)), weather_,
      [this](std::string_view bytes) { on_bytes(bytes); }, [this] { on_closed(); });
  open_stream();
}

void Client::calm() {
  weather_ = {};
  link_->set_reading(true);
  link_->calm();
}

void Client::come_back(std::string password) {
  if (!lost()) return;
  login_.password = std::move(password);
  history_.stream(stream_).error.clear();
  connect();
}

void Client::abandon(const std::string& why) {
  link_->cut();
  history_.ended(stream_, End::cut, why);
}

void Client::lose(const std::string& how) {
  state_ = State::lost;
  history_.add(What::lost, stream_, how);
}

void Client::open_stream() {
  // What came behind the last element belongs to the stream that begins.
  const std::string rest = parser_ ? parser_->take_rest() : std::string();
  parser_.emplace(limits_);
  fed_ = rest;
  parser_->feed(fed_);
  link_->send(
      "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
      "xmlns:stream='http://etherx.jabber.org/streams' to='" +
      domain_ + "' version='1.0'>");
}

void Client::send(const std::string& stanza) {
  if (over() || leaving_) return;
  const auto element = xml::parse_element(stanza, ns::client);
  if (!element) {
    history_.fault("simulation", "a client's stanza is no XML: " + stanza);
    return;
  }
  const Facts facts = facts_of(*element);
  history_.add(What::sent, stream_, stanza, facts);
  if (counting_) unacknowledged_.push_back({facts.id, stanza});
  if (state_ != State::lost) link_->send(stanza);
}

void Client::ask() {
  if (counting_ && state_ == State::bound && !leaving_) link_->send("<r xmlns='urn:xmpp:sm:3'/>");
}

void Client::tell() {
  history_.add(What::told, stream_, "has " + std::to_string(handled_));
  link_->send("<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(handled_) + "'/>");
}

void Client::send_raw(std::string_view bytes, const std::string& note) {
  if (over() || leaving_) return;
  history_.add(What::note, stream_, note);
  link_->send(bytes);
}

void Client::deserve(std::string condition) { history_.stream(stream_).deserves.push_back(std::move(condition)); }

void Client::cut() {
  link_->cut();
  if (leaving_ || !may_resume()) return history_.ended(stream_, End::cut, "cut by the client's side");
  lose("cut by the client's side");
}

void Client::half_close() {
  if (over() || leaving_) return;
  history_.add(What::note, stream_, "closes its sending side");
  leaving_ = true;
  link_->set_reading(true);
  link_->half_close();
}

void Client::close(End end) {
  if (over() || leaving_) return;
  history_.add(What::note, stream_, "ends its stream");
  if (may_resume() && state_ == State::bound) tell();
  link_->send("</stream:stream>");
  link_->set_reading(true);
  leaving_ = true;
  leaving_how_ = end;
}

void Client::on_closed() {
  if (over()) return;
  Stream& stream = history_.stream(stream_);
  if (leaving_) return history_.ended(stream_, leaving_how_, "over, as the client wished");
  // What ends the connection, but not the session: the server stops, crashed, is busy, or takes the client for gone.
  const bool busy = state_ == State::resuming && stream.error == "resource-constraint";
  const bool passing =
      stream.error.empty() || stream.error == "system-shutdown" || stream.error == "connection-timeout";
  if (may_resume() && (busy || passing))
    return lose("the connection ended: " + (stream.error.empty() ? "no word" : stream.error));
  history_.ended(stream_, End::by_server, "ended by the server: " + (stream.error.empty() ? "no word" : stream.error));
}

void Client::on_bytes(std::string_view bytes) {
  if (over()) return;
  fed_ = bytes;
  parser_->feed(fed_);
  for (;;) {
    auto event = parser_->next();
    if (!event) {
      history_.fault("well-formed", "the server's stream is no XML: " + std::string(bytes.substr(0, 200)));
      return;
    }
    if (std::holds_alternative<xml::NeedMore>(*event)) return;
    if (std::holds_alternative<xml::StreamClose>(*event)) {
      // RFC 6120 §4.4: a closing tag is answered by one, then this side is closed.
      if (!leaving_) link_->send("</stream:stream>");
      link_->half_close();
      return;
    }
    if (auto* element = std::get_if<xml::Element>(&*event)) on_element(std::move(*element));
    if (over()) return;
  }
}

void Client::on_element(xml::Element element) {
  if (element.is("error", ns::streams)) {
    const Facts facts = facts_of(element);
    history_.stream(stream_).error = facts.error;
    history_.add(What::received, stream_, xml::to_string(element, ns::client), facts);
  } else if (element.ns() == ns::sm && state_ != State::resuming) {
    management(element);
  } else if (state_ == State::bound) {
    stanza(element);
  } else {
    negotiate(element);
  }
}

void Client::negotiate(const xml::Element& element) {
  switch (state_) {
    case State::tls:
      if (element.name() != "features") break;
      state_ = State::proceed;
      return link_->send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    case State::proceed:
      if (element.name() != "proceed") break;
      state_ = State::mechanisms;
      return open_stream();
    case State::mechanisms:
      if (element.name() != "features") break;
      return authenticate();
    case State::challenge:
      if (element.name() == "challenge") return answer_challenge(element);
      [[fallthrough]];
    case State::success:
      if (element.name() != "success") break;
      state_ = State::bind;
      return open_stream();
    case State::bind:
      if (element.name() != "features") break;
      if (may_resume()) {
        state_ = State::resuming;
        return link_->send("<resume xmlns='urn:xmpp:sm:3' previd='" + session_id_ + "' h='" + std::to_string(handled_) +
                           "'/>");
      }
      state_ = State::binding;
      return link_->send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
                         (login_.resource.empty() ? "" : "<resource>" + login_.resource + "</resource>") +
                         "</bind></iq>");
    case State::binding: {
      const xml::Element* bind = element.child("bind", ns::bind);
      const xml::Element* full = bind == nullptr ? nullptr : bind->child("jid", ns::bind);
      if (full == nullptr) break;
      state_ = State::bound;
      history_.bound(stream_, full->text());
      if (login_.managed) {
        counting_ = true;
        link_->send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
      }
      if (on_bound) on_bound();
      return;
    }
    case State::resuming:
      return resumed(element);
    case State::bound:
    case State::lost:
      return;
  }
  // A login that failed, or a server that is in trouble: this client goes away and another one comes.
  const std::string text = xml::to_string(element, ns::client);
  const bool refused = element.name() == "failure" || element.attribute("type") == "error";
  if (!refused) history_.fault("negotiation", "unexpected: " + text);
  history_.add(What::note, stream_, "refused: " + text);
  if (may_resume()) return give_up("could not log in again");
  close();
}

void Client::give_up(const std::string& how) {
  history_.ended(stream_, End::cut, how);
  link_->send("</stream:stream>");
  link_->half_close();
}

// --- stream management
// --------------------------------------------------------------------------------------------------------

void Client::management(const xml::Element& element) {
  if (element.name() == "enabled") {
    session_id_ = std::string(element.attribute("id").value_or(""));
    Stream& stream = history_.stream(stream_);
    handled_ = 0;
    stream.managed_at = history_.add(What::note, stream_, "is managed from here on");
    if (session_id_.empty()) history_.fault("resumption", "it was not granted", "s" + std::to_string(stream_));
  } else if (element.name() == "r") {
    if (!leaving_) tell();
  } else if (element.name() != "a" || !take_acknowledgement(element)) {
    history_.fault("resumption", "unexpected: " + xml::to_string(element, ns::client), "s" + std::to_string(stream_));
  }
}

bool Client::take_acknowledgement(const xml::Element& element) {
  const auto h = parse_number<std::uint32_t>(element.attribute("h").value_or(""));
  if (!h || *h - acknowledged_ > unacknowledged_.size()) return false;
  for (; acknowledged_ != *h; ++acknowledged_) {
    Facts facts;
    facts.id = unacknowledged_.front().id;
    facts.type = state_ == State::resuming ? "resumption" : "";
    history_.add(What::acknowledged, stream_, facts.id, facts);
    unacknowledged_.pop_front();
  }
  return true;
}

void Client::resumed(const xml::Element& element) {
  if (element.is("failed", ns::sm)) return give_up("not resumed: " + xml::to_string(element, ns::client));
  if (!element.is("resumed", ns::sm) || element.attribute("previd") != session_id_ || !take_acknowledgement(element)) {
    history_.fault("resumption", "unexpected: " + xml::to_string(element, ns::client), "s" + std::to_string(stream_));
    return give_up("an odd answer");
  }
  state_ = State::bound;
  history_.add(What::resumed, stream_, "resumed");
  for (const Sent& again : unacknowledged_) link_->send(again.stanza);
}

void Client::authenticate() {
  const std::string name = local_of(login_.account);
  std::string first;
  if (login_.mechanism == "PLAIN") {
    first = std::string(1, '\0') + name + std::string(1, '\0') + login_.password;
    state_ = State::success;
  } else {
    const bool plus = login_.mechanism.ends_with("-PLUS");
    scram_.emplace(sasl::ScramClient::Options{
        .hash = login_.mechanism.starts_with("SCRAM-SHA-1") ? sasl::Hash::sha1 : sasl::Hash::sha256,
        .name = name,
        .password = login_.password,
        .gs2_header = plus ? "p=tls-exporter,," : "n,,",
        .binding_data = plus ? std::string(32, 'x') : std::string(),
        .nonce = history_.fresh("nonce")});
    first = scram_->first();
    state_ = State::challenge;
  }
  link_->send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + login_.mechanism + "'>" +
              base64_encode(first) + "</auth>");
}

void Client::answer_challenge(const xml::Element& challenge) {
  const auto text = base64_decode(challenge.text());
  const auto answer = text ? scram_->final(*text) : std::nullopt;
  if (!answer) {
    history_.fault("negotiation", "a bad challenge: " + challenge.text());
    return close();
  }
  state_ = State::success;
  link_->send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + base64_encode(*answer) + "</response>");
}

void Client::stanza(const xml::Element& element) {
  const Facts facts = facts_of(element);
  ++handled_;
  history_.add(What::received, stream_, xml::to_string(element, ns::client), facts);
  if (facts.name == "iq" && (facts.type == "get" || facts.type == "set")) {
    // From the server itself (a ping, a roster push) or from another client.
    const std::string to = facts.from.empty() ? std::string() : " to='" + facts.from + "'";
    send("<iq type='result' id='" + facts.id + "'" + to + "/>");
  }
  if (on_stanza) on_stanza(facts);
}

}  // namespace kith::simulation
