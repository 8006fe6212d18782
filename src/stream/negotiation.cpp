#include "stream/negotiation.h"

#include <algorithm>

#include "base/encoding.h"
#include "stream/management.h"
#include "stream/version.h"
#include "xmpp/namespaces.h"

namespace kith::stream {

namespace ns = xmpp::ns;
using xmpp::StreamCondition;

namespace {

xml::Element limits_element(std::size_t max_bytes, std::chrono::seconds idle) {
  xml::Element limits("limits", ns::stream_limits);
  limits.add_text_child("max-bytes", std::to_string(max_bytes));
  if (idle.count() > 0) limits.add_text_child("idle-seconds", std::to_string(idle.count()));
  return limits;
}

bool is_stanza_name(std::string_view name) { return name == "message" || name == "presence" || name == "iq"; }

}  // namespace

Negotiation::Negotiation(const Surroundings& surroundings, Security security)
    : surroundings_(&surroundings), security_(security) {}

Actions Negotiation::fail(StreamCondition condition, std::string text) {
  phase_ = Phase::dead;
  Actions actions;
  if (!header_sent_) {
    actions.emplace_back(header_for_error());
    header_sent_ = true;
  }
  actions.emplace_back(Close{{condition, std::move(text)}});
  return actions;
}

SendOpen Negotiation::header_for_error() const {
  SendOpen open;
  if (!domain_.empty()) open.attributes.emplace_back("from", domain_);
  open.attributes.emplace_back("id", surroundings_->random->token());
  open.attributes.emplace_back("version", "1.0");
  open.attributes.emplace_back("xml:lang", "en");
  return open;
}

Actions Negotiation::opened(const xml::StreamOpen& open) {
  if (phase_ != Phase::header) return fail(StreamCondition::bad_format, "A stream header inside a stream.");
  header_sent_ = false;

  // RFC 6120 §4.8.1, §4.8.2: the stream namespace and the content namespace must be the right ones.
  if (open.header.ns() != ns::streams) return fail(StreamCondition::invalid_namespace);
  if (open.header.name() != "stream") return fail(StreamCondition::bad_format);
  if (open.default_ns != ns::client) return fail(StreamCondition::invalid_namespace);

  // §4.7.2: the address that the client wants to talk to. A client that leaves it out may have said it by SNI.
  const std::optional<std::string_view> to = open.header.attribute("to");
  std::optional<std::string> domain;
  if (to) {
    const std::optional<xmpp::Jid> jid = xmpp::Jid::parse(*to);
    if (!jid || jid->has_localpart() || jid->is_full()) return fail(StreamCondition::improper_addressing);
    domain = std::string(jid->domainpart());
  } else if (!sni_.empty()) {
    domain = sni_;
  } else {
    return fail(StreamCondition::improper_addressing, "The stream header has no 'to'.");
  }
  if (!surroundings_->is_local(*domain)) return fail(StreamCondition::host_unknown);
  // SECURITY: one stream speaks for one domain; a restart may not change it once keys were exchanged for it.
  if (account_ && *domain != domain_) return fail(StreamCondition::improper_addressing);
  domain_ = *domain;

  if (!version_is_supported(open.header.attribute("version"))) return fail(StreamCondition::unsupported_version);
  if (const auto from = open.header.attribute("from")) {
    peer_from_ = xmpp::Jid::parse(*from);
    if (!peer_from_) return fail(StreamCondition::invalid_from);
    // §4.7.1: once the client has proved who it is, it may not claim to be another.
    if (account_ && peer_from_->bare_text() != account_->text()) return fail(StreamCondition::invalid_from);
  }

  Actions actions;
  SendOpen reply;
  reply.attributes.emplace_back("from", domain_);
  // SECURITY: the address is repeated only under TLS, where nobody else reads it (RFC 6120 §4.7.1).
  if (peer_from_ && tls_) reply.attributes.emplace_back("to", std::string(peer_from_->bare_text()));
  reply.attributes.emplace_back("id", surroundings_->random->token());
  reply.attributes.emplace_back("version", "1.0");
  reply.attributes.emplace_back("xml:lang", lang_);
  actions.emplace_back(std::move(reply));
  header_sent_ = true;
  phase_ = account_ ? Phase::bind : Phase::features;
  append_features(actions);
  return actions;
}

void Negotiation::append_features(Actions& actions) const {
  xml::Element features("features", ns::streams);
  const bool clear = security_ == Security::clear_on_loopback;
  if (!tls_ && !clear) {
    // SECURITY: nothing but STARTTLS is offered in the clear, so that there is nothing to strip or to downgrade to.
    xml::Element starttls("starttls", ns::tls);
    starttls.add(xml::Element("required", ns::tls));
    features.add(std::move(starttls));
  } else if (!account_) {
    xml::Element mechanisms("mechanisms", ns::sasl);
    for (const std::string& name : sasl::offered_mechanisms(tls_, bindings_))
      mechanisms.add_text_child("mechanism", name);
    features.add(std::move(mechanisms));
    if (tls_) {
      xml::Element bind_inline("inline", ns::bind2);
      bind_inline.add(xml::Element("feature", ns::bind2).set("var", std::string(ns::sm)));
      surroundings_->add_bind_features(bind_inline);
      const auto token_mechanisms =
          surroundings_->fast ? sasl::offered_token_mechanisms(bindings_) : std::vector<std::string>();
      features.add(
          authentication_feature(sasl::offered_mechanisms(tls_, bindings_), token_mechanisms, std::move(bind_inline)));
    }
    if (!bindings_.empty()) {
      // XEP-0440 §3: which bindings the server can check.
      xml::Element types("sasl-channel-binding", ns::sasl_channel_binding);
      for (const auto& [type, data] : bindings_) {
        if (!sasl::is_announced(type)) continue;
        xml::Element binding("channel-binding", ns::sasl_channel_binding);
        binding.set("type", type);
        types.add(std::move(binding));
      }
      features.add(std::move(types));
    }
    surroundings_->add_features(domain_, tls_, false, features);
  } else {
    if (phase_ != Phase::bound) features.add(xml::Element("bind", ns::bind));
    features.add(xml::Element("sm", ns::sm));
    if (phase_ != Phase::bound) {
      // COMPAT(clients of RFC 3921, 2004, drop when none asks): a session request is answered and has no effect.
      xml::Element session("session", ns::session);
      session.add(xml::Element("optional", ns::session));
      features.add(std::move(session));
    }
    surroundings_->add_features(domain_, tls_, true, features);
  }
  features.add(limits_element(account_ ? surroundings_->max_bytes_after_login : surroundings_->max_bytes_before_login,
                              account_ ? surroundings_->idle_time : std::chrono::seconds(0)));
  actions.emplace_back(Send{std::move(features)});
}

Actions Negotiation::received(xml::Element element) {
  if (phase_ == Phase::dead || phase_ == Phase::header) return {};
  if (element.ns() == ns::streams) {
    // A client's <stream:error/> ends its stream; anything else of that namespace has no business here.
    if (element.name() == "error") return fail(StreamCondition::undefined_condition);
    return fail(StreamCondition::unsupported_stanza_type);
  }
  if (element.ns() == ns::tls) {
    if (!element.is("starttls", ns::tls)) return fail(StreamCondition::unsupported_stanza_type);
    if (tls_ || security_ != Security::starttls_required || account_ || mechanism_) {
      // RFC 6120 §5.4.2.2: a request that can't be met is a failure, and the stream ends.
      Actions actions;
      actions.emplace_back(Send{xml::Element("failure", ns::tls)});
      for (Action& action : fail(StreamCondition::policy_violation)) actions.push_back(std::move(action));
      return actions;
    }
    Actions actions;
    actions.emplace_back(Send{xml::Element("proceed", ns::tls)});
    actions.emplace_back(StartTls{xmpp::domain_to_ascii(domain_)});
    phase_ = Phase::header;
    header_sent_ = false;
    return actions;
  }
  if (element.ns() == ns::sasl) return received_sasl(element);
  if (element.ns() == ns::sasl2) return received_sasl2(element);
  if (element.ns() == ns::sm) return received_management(element);
  if (is_stanza_name(element.name())) {
    if (element.ns() != ns::client) return fail(StreamCondition::invalid_namespace);
    return received_stanza(std::move(element));
  }
  return fail(StreamCondition::unsupported_stanza_type);
}

Actions Negotiation::received_stanza(xml::Element element) {
  const bool may_ask = (tls_ || security_ == Security::clear_on_loopback);
  if (!account_) {
    // RFC 6120 §4.9.3.12: nothing before login, but an iq that a feature takes (in-band registration).
    if (!may_ask || element.name() != "iq" || phase_ != Phase::features) return fail(StreamCondition::not_authorized);
    std::expected<xmpp::Stanza, xmpp::StanzaError> stanza = xmpp::Stanza::from_element(std::move(element));
    if (!stanza || !stanza->is_iq_request()) return fail(StreamCondition::not_authorized);
    Actions actions;
    actions.emplace_back(IqBeforeLogin{std::move(*stanza)});
    return actions;
  }
  if (phase_ != Phase::bind) return fail(StreamCondition::not_authorized);
  // RFC 6120 §7.1: until a resource is bound, nothing but the request for it.
  const xml::Element* bind = element.child("bind", ns::bind);
  if (element.name() != "iq" || element.attribute("type") != "set" || bind == nullptr) {
    return fail(StreamCondition::not_authorized);
  }
  bind_id_ = element.attribute("id").value_or("");
  if (!element.attribute("id"))
    return bind_refused(xmpp::StanzaError::of(xmpp::Condition::bad_request, "An iq needs an id."));
  std::optional<std::string> resource;
  if (const xml::Element* wanted = bind->child("resource", ns::bind); wanted != nullptr && !wanted->text().empty()) {
    resource = xmpp::prepare_resourcepart(wanted->text());
    if (!resource) return bind_refused(xmpp::StanzaError::of(xmpp::Condition::bad_request));
  }
  phase_ = Phase::binding;
  Actions actions;
  actions.emplace_back(Bind{bind_id_, std::move(resource)});
  return actions;
}

Actions Negotiation::bound(const xmpp::FullJid& jid) {
  phase_ = Phase::bound;
  xml::Element bind("bind", ns::bind);
  bind.add_text_child("jid", jid.text());
  xml::Element iq("iq", ns::client);
  iq.set("type", "result").set("id", bind_id_);
  iq.add(std::move(bind));
  bind_id_ = {};
  Actions actions;
  actions.emplace_back(Send{std::move(iq)});
  return actions;
}

Actions Negotiation::bind_refused(const xmpp::StanzaError& error) {
  phase_ = Phase::bind;
  xml::Element iq("iq", ns::client);
  iq.set("type", "error");
  if (!bind_id_.empty()) iq.set("id", bind_id_);
  iq.add(error.to_element());
  Actions actions;
  actions.emplace_back(Send{std::move(iq)});
  return actions;
}

// XEP-0198 §3, §5: nothing but <resume/> before a resource is bound.
Actions Negotiation::received_management(const xml::Element& element) {
  if (!tls_ && security_ != Security::clear_on_loopback) return fail(StreamCondition::not_authorized);
  if (!element.is("resume", ns::sm) || phase_ != Phase::bind) {
    Actions actions;
    actions.emplace_back(Send{sm_failed_element(xmpp::Condition::unexpected_request)});
    return actions;
  }
  const auto previd = element.attribute("previd");
  const auto h = read_h(element);
  if (!previd || !h) return resume_failed(xmpp::Condition::bad_request);
  phase_ = Phase::binding;
  Actions actions;
  actions.emplace_back(Resume{std::string(*previd), *h});
  return actions;
}

Actions Negotiation::resumed(std::string_view previd, std::uint32_t h) {
  phase_ = Phase::bound;
  Actions actions;
  actions.emplace_back(Send{resumed_element(previd, h)});
  return actions;
}

Actions Negotiation::resume_failed(xmpp::Condition condition, std::optional<std::uint32_t> h) {
  phase_ = Phase::bind;
  Actions actions;
  actions.emplace_back(Send{sm_failed_element(condition, h)});
  return actions;
}

Actions Negotiation::secured(sasl::ChannelBindings bindings, std::string sni) {
  tls_ = true;
  bindings_ = std::move(bindings);
  if (const auto domain = xmpp::prepare_domainpart(sni)) sni_ = *domain;
  header_sent_ = false;
  return {};
}

// --- SASL (RFC 6120 §6)
// --------------------------------------------------------------------------------------------------

Actions Negotiation::received_sasl(const xml::Element& element) {
  if (account_ || (!tls_ && security_ != Security::clear_on_loopback)) {
    if (account_) return fail(StreamCondition::unsupported_stanza_type);
    return sasl_failed(sasl::Failure::encryption_required, {});
  }
  if (phase_ == Phase::waiting || upgrading_ || (mechanism_ && sasl2_)) return fail(StreamCondition::policy_violation);
  sasl2_ = false;

  if (element.name() == "abort") return sasl_failed(sasl::Failure::aborted, {});
  const bool first = element.name() == "auth";
  if (!first && element.name() != "response") return fail(StreamCondition::unsupported_stanza_type);
  if (first == (mechanism_ != nullptr)) return sasl_failed(sasl::Failure::malformed_request, {});

  if (first && !begin_mechanism(std::string(element.attribute("mechanism").value_or(""))))
    return sasl_failed(sasl::Failure::invalid_mechanism, {});
  const std::string text = element.text();
  if (first && text.empty()) return step(mechanism_->respond(std::nullopt));
  // §6.4.2: a single '=' is an initial response of no bytes.
  return response(text == "=" ? std::string_view() : text);
}

// XEP-0388
Actions Negotiation::received_sasl2(const xml::Element& element) {
  // §1, §4.8: under TLS only, and once.
  if (account_ || !tls_) return fail(account_ ? StreamCondition::policy_violation : StreamCondition::not_authorized);
  if (phase_ == Phase::waiting || (mechanism_ && !sasl2_)) return fail(StreamCondition::policy_violation);
  if (upgrading_) return received_task(element);
  sasl2_ = true;
  if (element.name() == "abort") return sasl_failed(sasl::Failure::aborted, {});
  if (element.name() == "response") {
    if (!mechanism_) return sasl_failed(sasl::Failure::malformed_request, {});
    return response(element.text());
  }
  if (element.name() != "authenticate") return fail(StreamCondition::unsupported_stanza_type);
  if (mechanism_) return fail(StreamCondition::policy_violation);
  auto read = read_authenticate(element);
  if (!read) return sasl_failed(read.error(), {});
  wishes_ = std::move(read->wishes);
  const auto for_tokens = surroundings_->fast ? sasl::offered_token_mechanisms(bindings_) : std::vector<std::string>();
  // XEP-0484 §3.2: one of those that were offered, of a client that says which it is; else there is no token.
  if (wishes_.token_mechanism &&
      (wishes_.agent.id.empty() || std::ranges::find(for_tokens, *wishes_.token_mechanism) == for_tokens.end()))
    wishes_.token_mechanism.reset();
  if (wishes_.fast && for_tokens.empty()) return sasl_failed(sasl::Failure::invalid_mechanism, {});
  if (!begin_mechanism(std::move(read->mechanism))) return sasl_failed(sasl::Failure::invalid_mechanism, {});
  if (!read->initial_response) return step(mechanism_->respond(std::nullopt));
  return response(*read->initial_response);
}

bool Negotiation::begin_mechanism(std::string name) {
  sasl::MechanismContext context{
      .domain = domain_, .tls = tls_, .bindings = bindings_, .offered = sasl::offered_mechanisms(tls_, bindings_)};
  mechanism_name_ = std::move(name);
  mechanism_ = sasl2_ && wishes_.fast
                   ? sasl::make_token_mechanism(mechanism_name_, std::move(context))
                   : sasl::make_mechanism(mechanism_name_, std::move(context), *surroundings_->random);
  if (!mechanism_) return false;
  phase_ = Phase::sasl;
  return true;
}

Actions Negotiation::response(std::string_view base64) {
  const std::optional<std::string> bytes = base64_decode(base64);
  if (!bytes) return sasl_failed(sasl::Failure::incorrect_encoding, {});
  return step(mechanism_->respond(*bytes));
}

Actions Negotiation::credentials(const sasl::Credentials& credentials, bool known) {
  if (!mechanism_) return {};
  phase_ = Phase::sasl;
  return step(mechanism_->credentials(credentials, known));
}

Actions Negotiation::password_checked(bool right) {
  if (!mechanism_) return {};
  phase_ = Phase::sasl;
  return step(mechanism_->password_checked(right));
}

Actions Negotiation::tokens(const std::vector<sasl::Token>& tokens) {
  if (!mechanism_) return {};
  phase_ = Phase::sasl;
  return step(mechanism_->tokens(tokens));
}

Actions Negotiation::login_unavailable() { return sasl_failed(sasl::Failure::temporary_auth_failure, {}); }

Actions Negotiation::step(sasl::Step step) {
  Actions actions;
  if (auto* challenge = std::get_if<sasl::Challenge>(&step)) {
    xml::Element element("challenge", sasl2_ ? ns::sasl2 : ns::sasl);
    element.add_text(base64_encode(challenge->bytes));
    actions.emplace_back(Send{std::move(element)});
  } else if (auto* wanted = std::get_if<sasl::NeedCredentials>(&step)) {
    phase_ = Phase::waiting;
    actions.emplace_back(LookUpCredentials{wanted->bare});
  } else if (auto* check = std::get_if<sasl::NeedPasswordCheck>(&step)) {
    phase_ = Phase::waiting;
    actions.emplace_back(CheckPassword{check->bare, std::move(check->password)});
  } else if (auto* by_token = std::get_if<sasl::NeedTokens>(&step)) {
    phase_ = Phase::waiting;
    actions.emplace_back(LookUpTokens{by_token->bare, wishes_.agent.id});
  } else if (auto* success = std::get_if<sasl::Success>(&step)) {
    return succeeded(*success);
  } else {
    auto& failed = std::get<sasl::Failed>(step);
    return sasl_failed(failed.failure, std::move(failed.bare));
  }
  return actions;
}

Actions Negotiation::succeeded(sasl::Success& success) {
  // RFC 6120 §4.7.1, XEP-0388 §2.3: a client says who it is in one way only. With SASL there is a header to come that
  // is looked at.
  if (sasl2_ && peer_from_ && peer_from_->bare_text() != success.bare.text())
    return sasl_failed(sasl::Failure::invalid_authzid, success.bare);
  mechanism_.reset();
  if (!sasl2_) return logged_in(success);
  additional_data_ = std::move(success.bytes);
  // SECURITY: a token is no password: who has stolen one must not make a key of it that outlives it.
  if (wishes_.fast || wishes_.upgrades.empty()) return logged_in(success);
  upgrading_ = std::make_unique<Upgrading>(std::move(success), Upgrades(std::exchange(wishes_.upgrades, {})));
  phase_ = Phase::upgrading;
  Actions actions;
  // What the mechanism had to say goes with the first of them (XEP-0388 §2.6.3).
  actions.emplace_back(Send{upgrading_->tasks.next(std::exchange(additional_data_, {}))});
  return actions;
}

// XEP-0480 §2.3
Actions Negotiation::received_task(const xml::Element& element) {
  // XEP-0388 §4.8: only one mechanism is an authentication.
  if (element.name() == "authenticate" || element.name() == "response") return fail(StreamCondition::policy_violation);
  Upgrades::Step step = upgrading_->tasks.received(element, *surroundings_->random);
  if (const auto* failure = std::get_if<sasl::Failure>(&step)) {
    const xmpp::BareJid bare = upgrading_->success.bare;
    return sasl_failed(*failure, bare);
  }
  Actions actions;
  if (auto* answer = std::get_if<xml::Element>(&step)) {
    actions.emplace_back(Send{std::move(*answer)});
  } else {
    phase_ = Phase::waiting;
    actions.emplace_back(AddKeys{upgrading_->success.bare, std::get<xmpp::Credentials>(std::move(step)), wishes_.salt});
  }
  return actions;
}

Actions Negotiation::keys_added(bool stored) {
  if (!upgrading_) return {};
  if (!stored) return login_unavailable();
  upgrading_->tasks.stored();
  if (!upgrading_->tasks.done()) {
    phase_ = Phase::upgrading;
    Actions actions;
    actions.emplace_back(Send{upgrading_->tasks.next({})});
    return actions;
  }
  sasl::Success success = std::move(upgrading_->success);
  upgrading_.reset();
  return logged_in(success);
}

void Negotiation::found_keys(const xmpp::Credentials& credentials) {
  wishes_.salt = xmpp::salt_of(credentials);
  std::erase_if(wishes_.upgrades, [&](sasl::Hash hash) { return sasl::keys_of(credentials, hash).has_value(); });
}

Actions Negotiation::logged_in(sasl::Success& success) {
  bindings_.clear();
  account_ = success.bare;
  Actions actions;
  actions.emplace_back(LoggedIn{success.bare, mechanism_name_, wishes_.agent});
  if (!sasl2_) {
    xml::Element element("success", ns::sasl);
    if (!success.bytes.empty()) element.add_text(base64_encode(success.bytes));
    actions.emplace_back(Send{std::move(element)});
    actions.emplace_back(RestartStream{});
    phase_ = Phase::header;
    header_sent_ = false;  // A new stream: an error before its header was read needs a header of its own (§4.9.1.2).
    return actions;
  }
  phase_ = Phase::binding;
  wishes_.token_fresh = success.token_fresh;
  wishes_.token_due = success.token_due;
  wishes_.token_noted = success.token_noted;
  if (wishes_.any()) {
    actions.emplace_back(Establish{std::exchange(wishes_, {})});
  } else {
    for (Action& action : established({}, {})) actions.push_back(std::move(action));
  }
  return actions;
}

Actions Negotiation::established(const std::optional<xmpp::FullJid>& jid, std::vector<xml::Element> inner) {
  phase_ = jid ? Phase::bound : Phase::bind;
  Actions actions;
  actions.emplace_back(Send{success_element(additional_data_, jid ? jid->text() : account_->text(), std::move(inner))});
  append_features(actions);
  return actions;
}

Actions Negotiation::sasl_failed(sasl::Failure failure, std::optional<xmpp::BareJid> bare) {
  mechanism_.reset();
  upgrading_.reset();
  phase_ = Phase::features;
  ++failures_;
  wishes_ = {};
  xml::Element answer("failure", sasl2_ ? ns::sasl2 : ns::sasl);
  answer.add(xml::Element(sasl::wire_word(failure), ns::sasl));
  Actions actions;
  actions.emplace_back(LoginFailed{std::move(bare), failure, std::move(answer)});
  // RFC 6120 §6.4.5: a number of tries, then the stream is closed.
  if (failures_ >= surroundings_->failed_logins) {
    for (Action& action : fail(StreamCondition::policy_violation, "Too many failed logins."))
      actions.push_back(std::move(action));
  }
  return actions;
}

xmpp::StreamError stream_error_of(xml::ParseError error) {
  switch (error) {
    case xml::ParseError::not_well_formed:
      return {StreamCondition::not_well_formed};
    case xml::ParseError::bad_format:
      return {StreamCondition::bad_format};
    case xml::ParseError::restricted_xml:
      return {StreamCondition::restricted_xml};
    case xml::ParseError::unsupported_encoding:
      return {StreamCondition::unsupported_encoding};
    case xml::ParseError::limit_bytes:
      return {StreamCondition::policy_violation, "A stanza is larger than the limit."};
    case xml::ParseError::limit_structure:
      return {StreamCondition::policy_violation, "A stanza is more deeply nested or has more parts than the limit."};
  }
  return {StreamCondition::not_well_formed};
}

}  // namespace kith::stream
