#include "modules/archive/worth.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "xmpp/namespaces.h"

namespace kith::modules {

namespace {

constexpr std::string_view hints = "urn:xmpp:hints";

/// A payload by its name, or any of its namespace if `name` is empty.
struct Payload {
  std::string_view ns;
  std::string_view name{};
};

constexpr std::array lasting_payloads{
    Payload{"eu.siacs.conversations.axolotl", "encrypted"},  // XEP-0384 as first deployed
    Payload{"urn:xmpp:omemo:2", "encrypted"},                // XEP-0384
    Payload{"urn:xmpp:openpgp:0"},                           // XEP-0373
    Payload{"jabber:x:encrypted"},                           // XEP-0027
    Payload{"urn:xmpp:receipts", "received"},                // XEP-0184
    Payload{"urn:xmpp:chat-markers:0", "received"},          // XEP-0333
    Payload{"urn:xmpp:chat-markers:0", "displayed"},
    Payload{"urn:xmpp:chat-markers:0", "acknowledged"},
    Payload{"urn:xmpp:reactions:0"},        // XEP-0444
    Payload{"urn:xmpp:message-retract:0"},  // XEP-0424
    Payload{"urn:xmpp:message-retract:1"},
    Payload{"urn:xmpp:message-correct:0"},           // XEP-0308
    Payload{"urn:xmpp:message-attaching:1"},         // XEP-0367
    Payload{"urn:xmpp:fasten:0"},                    // XEP-0422
    Payload{"urn:xmpp:jingle-message:0"},            // XEP-0353
    Payload{"urn:xmpp:call-invites:0"},              // XEP-0482
    Payload{"jabber:x:conference"},                  // XEP-0249
    Payload{"http://jabber.org/protocol/muc#user"},  // XEP-0045: mediated invitations, private messages
};

bool is_lasting(const xml::Element& child) {
  if (child.is("body", xmpp::ns::client)) return !child.text().empty();
  if (child.is("subject", xmpp::ns::client)) return true;
  return std::ranges::any_of(lasting_payloads, [&](const Payload& payload) {
    return child.ns() == payload.ns && (payload.name.empty() || child.name() == payload.name);
  });
}

}  // namespace

bool worth_archiving(const xmpp::Stanza& message) {
  if (message.type() != xmpp::StanzaType::chat && message.type() != xmpp::StanzaType::normal) return false;
  const xml::Element& element = message.content();
  // XEP-0334 §4.1, §4.2: the sender's wish goes before all else.
  if (element.child("no-store", hints) != nullptr || element.child("no-permanent-store", hints) != nullptr)
    return false;
  bool lasting = element.child("store", hints) != nullptr;
  element.for_each_child([&](const xml::Element& child) { lasting = lasting || is_lasting(child); });
  return lasting;
}

}  // namespace kith::modules
