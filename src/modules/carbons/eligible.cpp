#include "modules/carbons/eligible.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "modules/carbons/carbons.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

using xmpp::StanzaType;

namespace {

constexpr std::string_view muc_user = "http://jabber.org/protocol/muc#user";

/// "Payload elements typically used in IM": those of §6.1, and what conversations have come to consist of since.
bool is_instant_messaging(const xml::Element& child) {
  static constexpr std::array namespaces{
      std::string_view("urn:xmpp:receipts"),                      // XEP-0184
      std::string_view("http://jabber.org/protocol/chatstates"),  // XEP-0085
      std::string_view("urn:xmpp:chat-markers:0"),                // XEP-0333
      std::string_view("jabber:x:conference"),                    // XEP-0249
      std::string_view("urn:xmpp:jingle-message:0"),              // XEP-0353: answered on one, it stops ringing on all
      std::string_view("eu.siacs.conversations.axolotl"),         // XEP-0384, as most clients speak it
      std::string_view("urn:xmpp:omemo:2"),                       // XEP-0384
      std::string_view("urn:xmpp:openpgp:0"),                     // XEP-0373
      std::string_view("urn:xmpp:eme:0"),                         // XEP-0380: any other encryption
      std::string_view("urn:xmpp:reactions:0"),                   // XEP-0444
      std::string_view("urn:xmpp:message-correct:0"),             // XEP-0308
      std::string_view("urn:xmpp:message-retract:1"),             // XEP-0424
  };
  return std::ranges::find(namespaces, child.ns()) != namespaces.end();
}

bool is_excluded(const xmpp::Stanza& message) {
  if (message.type() == StanzaType::groupchat || message.type() == StanzaType::error) return true;
  const xml::Element& element = message.content();
  return element.child("private", Carbons::ns_carbons) != nullptr ||
         element.child("no-copy", "urn:xmpp:hints") != nullptr;
}

bool is_eligible(const xmpp::Stanza& message, const xml::Element* room) {
  if (message.type() == StanzaType::chat) return true;
  if (message.type() == StanzaType::normal && message.content().child("body", xmpp::ns::client) != nullptr) return true;
  // XEP-0045 §7.8.2
  if (room != nullptr && room->child("invite", muc_user) != nullptr) return true;
  bool found = false;
  message.content().for_each_child([&](const xml::Element& child) { found = found || is_instant_messaging(child); });
  return found;
}

}  // namespace

bool is_eligible_when_sent(const xmpp::Stanza& message) {
  return !is_excluded(message) && is_eligible(message, message.content().child("x", muc_user));
}

bool is_eligible_when_received(const xmpp::Stanza& message) {
  if (is_excluded(message)) return false;
  const xml::Element* room = message.content().child("x", muc_user);
  const bool invites = room != nullptr && room->child("invite", muc_user) != nullptr;
  if (room != nullptr && !invites && message.from() && message.from()->is_full()) return false;
  return is_eligible(message, room);
}

}  // namespace kith::modules
