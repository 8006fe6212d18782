#include "stream/s2s_out.h"

#include <utility>

#include "base/encoding.h"
#include "stream/version.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::stream {

S2sOutActions S2sOut::give_up(std::string why, std::optional<xmpp::StreamCondition> condition) {
  phase_ = Phase::dead;
  S2sOutActions actions;
  actions.emplace_back(GivenUp{std::move(why), condition});
  return actions;
}

SendOpen header_to(const DomainPair& pair) {
  SendOpen open;
  open.attributes.emplace_back("xmlns:db", ns::dialback);
  open.attributes.emplace_back("from", pair.local);
  open.attributes.emplace_back("to", pair.remote);
  open.attributes.emplace_back("version", "1.0");
  return open;
}

S2sOutActions S2sOut::start() {
  S2sOutActions actions;
  actions.emplace_back(header_to(pair_));
  phase_ = Phase::header;
  return actions;
}

S2sOutActions S2sOut::opened(const xml::StreamOpen& open) {
  if (phase_ != Phase::header) return give_up("it sent a stream header inside a stream");
  if (!open.header.is("stream", xmpp::ns::streams) || open.default_ns != xmpp::ns::server) {
    return give_up("what answers there is no XMPP server");
  }
  if (!version_is_supported(open.header.attribute("version")))
    return give_up("it speaks XMPP before version 1.0, without TLS");
  id_ = open.header.attribute("id").value_or("");
  phase_ = Phase::features;
  return {};
}

S2sOutActions S2sOut::secured(bool certified, bool pinned) {
  tls_ = true;
  if (pinned && !certified) return give_up("its certificate is none of those that its DNS names (DANE)");
  if (policy_.require_certificates && !certified) {
    return give_up("its certificate is not trusted, or does not name " + pair_.remote);
  }
  return start();
}

S2sOutActions S2sOut::received(xml::Element element) {
  if (phase_ == Phase::dead) return {};
  if (element.is("error", xmpp::ns::streams)) {
    const xml::Element* condition = element.child_in(xmpp::ns::stream_errors);
    return give_up("it ended the stream with " + std::string(condition == nullptr ? "an error" : condition->name()));
  }
  if (element.ns() == ns::dialback && !element.attribute("type")) return asked(element);
  if (element.is("verify", ns::dialback)) {
    S2sOutActions actions;
    // SECURITY: the answer must be about the domains that this stream is between.
    const bool ours = domain_in(element, "from") == pair_.remote && domain_in(element, "to") == pair_.local;
    const std::string id(element.attribute("id").value_or(""));
    if (!ours || !may_ask_) return actions;
    // XEP-0220 §4.3: whoever is asked may not be the one to ask.
    if (element.attribute("type") == "error") {
      actions.emplace_back(KeyVerified{id, std::unexpected(xmpp::Condition::remote_server_not_found)});
    } else {
      actions.emplace_back(KeyVerified{id, element.attribute("type") == "valid"});
    }
    return actions;
  }
  if (bidi_ && phase_ == Phase::ready && element.ns() == xmpp::ns::server) return stanza(std::move(element));
  switch (phase_) {
    case Phase::features:
      if (element.is("features", xmpp::ns::streams)) return features(element);
      break;
    case Phase::tls:
      if (element.is("proceed", xmpp::ns::tls)) {
        S2sOutActions actions;
        actions.emplace_back(StartTlsTo{xmpp::domain_to_ascii(pair_.remote)});
        return actions;
      }
      return give_up("it refused to begin TLS");
    case Phase::sasl:
      if (element.is("success", xmpp::ns::sasl)) {
        external_ = true;
        S2sOutActions actions;
        actions.emplace_back(RestartStream{});
        for (S2sOutAction& action : start()) actions.push_back(std::move(action));
        return actions;
      }
      // XEP-0178 §3: who does not believe the certificate may believe whom it asks.
      if (element.is("failure", xmpp::ns::sasl)) return prove_by_dialback();
      return give_up("it did not accept our certificate");
    case Phase::dialback:
      if (element.is("result", ns::dialback) && domain_in(element, "from") == pair_.remote &&
          domain_in(element, "to") == pair_.local) {
        if (element.attribute("type") == "error") {
          const xml::Element* error = element.child("error", xmpp::ns::server);
          const xml::Element* condition = error == nullptr ? nullptr : error->child_in(xmpp::ns::stanza_errors);
          return give_up("it could not make sure of us by dialback" +
                         (condition == nullptr ? "" : ": " + std::string(condition->name())));
        }
        if (element.attribute("type") != "valid") return give_up("it did not accept our dialback key");
        phase_ = Phase::ready;
        S2sOutActions actions;
        actions.emplace_back(Ready{});
        return actions;
      }
      break;
    case Phase::header:
    case Phase::ready:
    case Phase::dead:
      break;
  }
  // What else it says on a stream of ours is nothing that we wait for.
  return {};
}

S2sOutActions S2sOut::features(const xml::Element& features) {
  S2sOutActions actions;
  if (!tls_) {
    if (features.child("starttls", xmpp::ns::tls) == nullptr) return give_up("it offers no TLS");
    phase_ = Phase::tls;
    actions.emplace_back(Send{xml::Element("starttls", xmpp::ns::tls)});
    return actions;
  }
  may_ask_ = true;
  offers_management_ = features.child("sm", xmpp::ns::sm) != nullptr;
  ask(actions);
  if (external_) {
    phase_ = Phase::ready;
    actions.emplace_back(Ready{});
    return actions;
  }
  // XEP-0288 §2.2: before either proof.
  if (policy_.bidi && features.child("bidi", ns::bidi_feature) != nullptr) {
    bidi_ = true;
    actions.emplace_back(Send{xml::Element("bidi", ns::bidi)});
  }
  bool offered = false;
  if (const xml::Element* mechanisms = features.child("mechanisms", xmpp::ns::sasl)) {
    mechanisms->for_each_child([&](const xml::Element& mechanism) {
      if (mechanism.is("mechanism", xmpp::ns::sasl) && mechanism.text() == "EXTERNAL") offered = true;
    });
  }
  if (offered) {
    xml::Element auth("auth", xmpp::ns::sasl);
    auth.set("mechanism", "EXTERNAL").add_text(base64_encode(pair_.local));
    phase_ = Phase::sasl;
    actions.emplace_back(Send{std::move(auth)});
    return actions;
  }
  for (S2sOutAction& action : prove_by_dialback()) actions.push_back(std::move(action));
  return actions;
}

S2sOutActions S2sOut::prove_by_dialback() {
  if (id_.empty()) return give_up("its stream has no id, and so there can be no dialback");
  xml::Element result = dialback_element("result", pair_.local, pair_.remote);
  result.add_text(dialback_key(*policy_.secret, pair_.remote, pair_.local, id_));
  phase_ = Phase::dialback;
  S2sOutActions actions;
  actions.emplace_back(Send{std::move(result)});
  return actions;
}

// XEP-0288 §2.2: the other side, too, may use dialback on such a stream.
S2sOutActions S2sOut::asked(const xml::Element& question) {
  S2sOutActions actions;
  if (!bidi_ || !may_ask_) return actions;
  const std::string from = domain_in(question, "from");
  const std::string to = domain_in(question, "to");
  if (from.empty() || to.empty())
    return give_up("its dialback names no domains", xmpp::StreamCondition::improper_addressing);
  const std::string id(question.attribute("id").value_or(""));
  if (question.name() == "verify") {
    const bool valid = to == pair_.local && is_dialback_key(*policy_.secret, from, to, id, question.text());
    xml::Element answer = dialback_element("verify", to, from, valid ? "valid" : "invalid");
    answer.set("id", id);
    actions.emplace_back(Send{std::move(answer)});
  } else if (question.name() == "result") {
    // Other domains of that server have streams of their own.
    xml::Element answer = dialback_element("result", to, from, "error");
    xml::Element error = xmpp::StanzaError::of(xmpp::Condition::policy_violation).to_element();
    error.replace_namespace(xmpp::ns::client, xmpp::ns::server);
    answer.add(std::move(error));
    actions.emplace_back(Send{std::move(answer)});
  }
  return actions;
}

S2sOutActions S2sOut::stanza(xml::Element element) {
  const std::optional<xmpp::Jid> from = xmpp::Jid::parse(element.attribute("from").value_or(""));
  const std::optional<xmpp::Jid> to = xmpp::Jid::parse(element.attribute("to").value_or(""));
  if (!from || !to) {
    return give_up("it sent what is from nobody or to nobody", xmpp::StreamCondition::improper_addressing);
  }
  // SECURITY: the one domain that was called, and the one of ours that has proven itself to it.
  if (from->domainpart() != pair_.remote || to->domainpart() != pair_.local) {
    return give_up("it spoke for other domains than its own", xmpp::StreamCondition::invalid_from);
  }
  S2sOutActions actions;
  actions.emplace_back(FromPeer{std::move(element)});
  return actions;
}

S2sOutActions S2sOut::verify(std::string stream_id, std::string key) {
  questions_.emplace_back(std::move(stream_id), std::move(key));
  S2sOutActions actions;
  if (may_ask_) ask(actions);
  return actions;
}

void S2sOut::ask(S2sOutActions& actions) {
  for (auto& [id, key] : std::exchange(questions_, {})) {
    xml::Element verify = dialback_element("verify", pair_.local, pair_.remote);
    verify.set("id", id).add_text(key);
    actions.emplace_back(Send{std::move(verify)});
  }
}

}  // namespace kith::stream
