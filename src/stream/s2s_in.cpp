#include "stream/s2s_in.h"

#include <optional>

#include "base/encoding.h"
#include "stream/management.h"
#include "stream/version.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::stream {

using xmpp::StreamCondition;
using xmpp::StreamError;

std::string domain_in(const xml::Element& element, std::string_view attribute) {
  const std::optional<xmpp::Jid> jid = xmpp::Jid::parse(element.attribute(attribute).value_or(""));
  if (!jid || jid->has_localpart() || !jid->is_bare()) return {};
  return std::string(jid->domainpart());
}

namespace {

/// XEP-0220 §4.3: why the other side's domain was not proven.
xml::Element dialback_error(const DomainPair& pair, xmpp::Condition condition) {
  xml::Element answer = dialback_element("result", pair.local, pair.remote, "error");
  xml::Element error = xmpp::StanzaError::of(condition).to_element();
  error.replace_namespace(xmpp::ns::client, xmpp::ns::server);
  answer.add(std::move(error));
  return answer;
}

}  // namespace

S2sInActions S2sIn::fail(StreamCondition condition, std::string text) {
  dead_ = true;
  S2sInActions actions;
  actions.emplace_back(Close{{condition, std::move(text)}});
  return actions;
}

SendOpen S2sIn::header_for_error() const {
  SendOpen open;
  open.attributes.emplace_back("xmlns:db", ns::dialback);
  if (!local_.empty()) open.attributes.emplace_back("from", local_);
  open.attributes.emplace_back("id", surroundings_->random->token());
  open.attributes.emplace_back("version", "1.0");
  return open;
}

S2sInActions S2sIn::opened(const xml::StreamOpen& open) {
  if (open_) return fail(StreamCondition::bad_format, "A stream header inside a stream.");
  header_sent_ = false;
  if (!open.header.is("stream", xmpp::ns::streams)) return fail(StreamCondition::invalid_namespace);
  if (open.default_ns != xmpp::ns::server) return fail(StreamCondition::invalid_namespace);
  if (open.header.attribute("to")) {
    local_ = domain_in(open.header, "to");
    if (local_.empty() || !surroundings_->is_local(local_)) {
      local_.clear();
      return fail(StreamCondition::host_unknown);
    }
  } else if (local_.empty()) {
    return fail(StreamCondition::improper_addressing);
  }
  if (open.header.attribute("from")) {
    const std::string from = domain_in(open.header, "from");
    // SECURITY: nobody else is one of ours; and what was said in the clear is not taken back under TLS.
    if (from.empty() || surroundings_->is_local(from)) return fail(StreamCondition::invalid_from);
    if (external_ && from != remote_) return fail(StreamCondition::invalid_from);
    if (surroundings_->is_blocked(from))
      return fail(StreamCondition::policy_violation, "This server does not talk to yours.");
    remote_ = from;
  }
  if (!version_is_supported(open.header.attribute("version"))) return fail(StreamCondition::unsupported_version);
  open_ = true;
  header_sent_ = true;
  id_ = surroundings_->random->token();
  SendOpen reply;
  reply.attributes.emplace_back("xmlns:db", ns::dialback);
  reply.attributes.emplace_back("from", local_);
  if (!remote_.empty()) reply.attributes.emplace_back("to", remote_);
  reply.attributes.emplace_back("id", id_);
  reply.attributes.emplace_back("version", "1.0");
  S2sInActions actions;
  actions.emplace_back(std::move(reply));
  xml::Element features("features", xmpp::ns::streams);
  if (!tls_) {
    features.append_child(xml::Element("starttls", xmpp::ns::tls)).add(xml::Element("required", xmpp::ns::tls));
  } else {
    if (!external_ && !remote_.empty() && certified_ && certified_(remote_)) {
      features.append_child(xml::Element("mechanisms", xmpp::ns::sasl)).add_text_child("mechanism", "EXTERNAL");
    }
    features.append_child(xml::Element("dialback", ns::dialback_feature))
        .add(xml::Element("errors", ns::dialback_feature));
    features.append_child(xml::Element("sm", xmpp::ns::sm));
  }
  actions.emplace_back(Send{std::move(features)});
  return actions;
}

S2sInActions S2sIn::secured(std::function<bool(std::string_view)> certified) {
  tls_ = true;
  open_ = false;
  certified_ = std::move(certified);
  return {};
}

S2sInActions S2sIn::received(xml::Element element) {
  if (dead_) return {};
  if (!open_) return fail(StreamCondition::bad_format);
  if (element.is("error", xmpp::ns::streams)) {
    const xml::Element* condition = element.child_in(xmpp::ns::stream_errors);
    S2sInActions actions;
    dead_ = true;
    actions.emplace_back(PeerEnded{std::string(condition == nullptr ? "an error" : condition->name())});
    return actions;
  }
  if (!tls_) {
    if (!element.is("starttls", xmpp::ns::tls)) {
      return fail(StreamCondition::policy_violation, "TLS first.");
    }
    S2sInActions actions;
    actions.emplace_back(Send{xml::Element("proceed", xmpp::ns::tls)});
    actions.emplace_back(StartTls{local_});
    return actions;
  }
  if (element.is("auth", xmpp::ns::sasl)) return external(element);
  if (element.is("result", ns::dialback)) return dialback_result(element);
  if (element.is("verify", ns::dialback)) return dialback_verify(element);
  if (element.ns() == xmpp::ns::sm) {
    S2sInActions actions;
    if (!proven_.empty()) {
      actions.emplace_back(Management{std::move(element)});
    } else {
      actions.emplace_back(Send{sm_failed_element(xmpp::Condition::unexpected_request)});
    }
    return actions;
  }
  if (element.ns() == xmpp::ns::server &&
      (element.name() == "message" || element.name() == "presence" || element.name() == "iq")) {
    return stanza(std::move(element));
  }
  return fail(StreamCondition::unsupported_stanza_type);
}

// XEP-0178 §3
S2sInActions S2sIn::external(const xml::Element& auth) {
  S2sInActions actions;
  const auto refuse = [&](std::string_view condition) {
    xml::Element failure("failure", xmpp::ns::sasl);
    failure.add(xml::Element(condition, xmpp::ns::sasl));
    actions.emplace_back(Send{std::move(failure)});
    actions.emplace_back(Close{{StreamCondition::not_authorized}});
    dead_ = true;
    return actions;
  };
  if (auth.attribute("mechanism") != "EXTERNAL") return refuse("invalid-mechanism");
  if (external_ || remote_.empty() || !certified_ || !certified_(remote_)) return refuse("not-authorized");
  const std::string text = auth.text();
  if (!text.empty() && text != "=") {
    // An authorization identity is the domain of the header, or nobody's.
    const std::optional<std::string> claimed = base64_decode(text);
    const std::optional<xmpp::Jid> jid = claimed ? xmpp::Jid::parse(*claimed) : std::nullopt;
    if (!jid || jid->text() != remote_) return refuse("invalid-authzid");
  }
  external_ = true;
  open_ = false;
  const DomainPair pair{remote_, local_};
  proven_.insert(pair);
  actions.emplace_back(Send{xml::Element("success", xmpp::ns::sasl)});
  actions.emplace_back(RestartStream{});
  actions.emplace_back(Proven{pair, "certificate"});
  return actions;
}

// XEP-0220 §2.1.1, §2.4
S2sInActions S2sIn::dialback_result(const xml::Element& result) {
  S2sInActions actions;
  const DomainPair pair{domain_in(result, "from"), domain_in(result, "to")};
  if (pair.remote.empty() || pair.local.empty() || result.attribute("type")) {
    return fail(StreamCondition::improper_addressing);
  }
  if (surroundings_->is_local(pair.remote)) return fail(StreamCondition::invalid_from);
  const auto refuse = [&](xmpp::Condition condition) {
    actions.emplace_back(Send{dialback_error(pair, condition)});
    return actions;
  };
  if (!surroundings_->is_local(pair.local)) return refuse(xmpp::Condition::item_not_found);
  if (surroundings_->is_blocked(pair.remote)) return refuse(xmpp::Condition::policy_violation);
  const bool proof_required =
      surroundings_->require_certificates && !surroundings_->proves_itself_when_asked(pair.remote);
  if (proof_required && !(certified_ && certified_(pair.remote))) {
    return refuse(xmpp::Condition::not_authorized);
  }
  if (remote_.empty()) remote_ = pair.remote;
  if (proven_.contains(pair)) {
    actions.emplace_back(Send{dialback_element("result", pair.local, pair.remote, "valid")});
    return actions;
  }
  if (proven_.size() + pending_.size() + unproven_ >= most_proofs) return refuse(xmpp::Condition::resource_constraint);
  if (!pending_.insert(pair).second) return {};
  // COMPAT(Prosody 0.12, 2026-11, when it answers): asked about an empty key, it fails and says nothing.
  if (result.text().empty()) return verified(pair, false);
  actions.emplace_back(VerifyKey{pair, id_, result.text()});
  return actions;
}

S2sInActions S2sIn::verified(const DomainPair& pair, std::expected<bool, xmpp::Condition> valid) {
  if (dead_ || pending_.erase(pair) == 0) return {};
  S2sInActions actions;
  if (!valid) {
    // XEP-0220 §4.3: not the end of the stream, on which other domains may be proven, or this one later.
    ++unproven_;
    actions.emplace_back(Send{dialback_error(pair, valid.error())});
    return actions;
  }
  actions.emplace_back(Send{dialback_element("result", pair.local, pair.remote, *valid ? "valid" : "invalid")});
  if (*valid) {
    proven_.insert(pair);
    actions.emplace_back(Proven{pair, "dialback"});
  } else {
    // §2.1.2: who shows a wrong key is not talked to any longer.
    dead_ = true;
    actions.emplace_back(Close{{StreamCondition::not_authorized, "The dialback key is not valid."}});
  }
  return actions;
}

// XEP-0220 §2.2.2: from the receiving server, about a key of ours.
S2sInActions S2sIn::dialback_verify(const xml::Element& verify) {
  const std::string receiving = domain_in(verify, "from");
  const std::string originating = domain_in(verify, "to");
  const std::string id(verify.attribute("id").value_or(""));
  if (receiving.empty() || originating.empty() || id.empty()) return fail(StreamCondition::improper_addressing);
  const bool valid = surroundings_->is_local(originating) &&
                     is_dialback_key(*surroundings_->secret, receiving, originating, id, verify.text());
  xml::Element answer = dialback_element("verify", originating, receiving, valid ? "valid" : "invalid");
  answer.set("id", id);
  S2sInActions actions;
  actions.emplace_back(Send{std::move(answer)});
  return actions;
}

S2sInActions S2sIn::stanza(xml::Element element) {
  // RFC 6120 §8.1.1.2, §8.1.2.2: between servers both addresses are there.
  const std::optional<xmpp::Jid> from = xmpp::Jid::parse(element.attribute("from").value_or(""));
  const std::optional<xmpp::Jid> to = xmpp::Jid::parse(element.attribute("to").value_or(""));
  if (!from || !to) return fail(StreamCondition::improper_addressing);
  if (proven_.empty()) return fail(StreamCondition::not_authorized);
  // SECURITY: RFC 6120 §4.9.3.9: only what the other side has proven to be.
  if (!proven_.contains({std::string(from->domainpart()), std::string(to->domainpart())})) {
    return fail(StreamCondition::invalid_from);
  }
  S2sInActions actions;
  actions.emplace_back(FromPeer{std::move(element)});
  return actions;
}

}  // namespace kith::stream
