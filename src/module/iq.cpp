#include "module/iq.h"

namespace kith::module {

namespace {

// An iq without `to` was for the requester's own account, and its answer comes from there (RFC 6120 §8.1.2.1).
void address_from_account(xmpp::Stanza& reply, const xmpp::Stanza& request) {
  if (!reply.from()) reply.set_from(xmpp::BareJid::of(*request.from()));
}

}  // namespace

void IqRequest::reply(std::optional<xml::Element> payload, storage::Ticket gate) {
  Delivery* delivery = std::exchange(delivery_, nullptr);
  if (delivery == nullptr) return;
  gate = storage::later(gate, floor_);
  xmpp::Stanza result = xmpp::result_reply(stanza_, std::move(payload));
  address_from_account(result, stanza_);
  std::optional<xmpp::Stanza> if_failed;
  if (gate) {
    if_failed = xmpp::error_reply(stanza_, xmpp::StanzaError::storage_failed());
    if (if_failed) address_from_account(*if_failed, stanza_);
  }
  delivery->route(std::move(result), gate, std::move(if_failed));
  open_.reset();
}

void IqRequest::fail(const xmpp::StanzaError& error, storage::Ticket gate) {
  Delivery* delivery = std::exchange(delivery_, nullptr);
  if (delivery == nullptr) return;
  std::optional<xmpp::Stanza> reply = xmpp::error_reply(stanza_, error);
  if (!reply) return;
  address_from_account(*reply, stanza_);
  gate = storage::later(gate, floor_);
  std::optional<xmpp::Stanza> if_failed;
  if (gate) {
    if_failed = xmpp::error_reply(stanza_, xmpp::StanzaError::storage_failed());
    if (if_failed) address_from_account(*if_failed, stanza_);
  }
  delivery->route(std::move(*reply), gate, std::move(if_failed));
  open_.reset();
}

}  // namespace kith::module
