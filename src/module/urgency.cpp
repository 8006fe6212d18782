#include "module/urgency.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "xmpp/namespaces.h"

namespace kith::module {

using xmpp::StanzaKind;
using xmpp::StanzaType;

namespace {

constexpr std::string_view chat_states = "http://jabber.org/protocol/chatstates";
constexpr std::string_view muc_user = "http://jabber.org/protocol/muc#user";
constexpr std::string_view pubsub_event = "http://jabber.org/protocol/pubsub#event";
constexpr std::string_view carbons = "urn:xmpp:carbons:2";

/// Says nothing of its own.
bool is_companion(const xml::Element& child) {
  static constexpr std::array namespaces{std::string_view("urn:xmpp:hints"), std::string_view("urn:xmpp:sid:0"),
                                         std::string_view("http://jabber.org/protocol/nick"), xmpp::ns::delay};
  return child.is("thread", xmpp::ns::client) || child.is("subject", xmpp::ns::client) ||
         std::ranges::find(namespaces, child.ns()) != namespaces.end();
}

/// Tells something of other messages, which can wait for the next one.
bool is_status(const xml::Element& child) {
  return child.ns() == "urn:xmpp:receipts" || child.ns() == "urn:xmpp:chat-markers:0";
}

Urgency judge_message(const xml::Element& message) {
  const std::string_view type = message.attribute("type").value_or("");
  if (type == "error") return Urgency::now;
  // What waited already waits no longer; who keeps it must be able to tell whether it has left.
  if (message.child("delay", xmpp::ns::delay) != nullptr) return Urgency::now;
  // A copy is as urgent as what it is a copy of.
  for (const std::string_view direction : {"received", "sent"}) {
    const xml::Element* copy = message.child(direction, carbons);
    const xml::Element* forwarded = copy == nullptr ? nullptr : copy->child("forwarded", "urn:xmpp:forward:0");
    const xml::Element* inner = forwarded == nullptr ? nullptr : forwarded->child("message", xmpp::ns::client);
    // Copies are not within copies.
    if (inner != nullptr && inner->child_in(carbons) == nullptr) return judge_message(*inner);
  }
  if (const xml::Element* body = message.child("body", xmpp::ns::client); body != nullptr && !body->text().empty())
    return Urgency::now;
  if (type == "headline" || message.child("event", pubsub_event) != nullptr) return Urgency::hold;
  // What is not known is not held: encrypted messages, calls (XEP-0353), answers of the archive, invitations.
  bool other = false;
  bool status = false;
  bool subject = false;
  bool state = false;
  message.for_each_child([&](const xml::Element& child) {
    if (child.ns() == chat_states) {
      state = true;
    } else if (is_status(child)) {
      status = true;
    } else if (child.is("subject", xmpp::ns::client)) {
      subject = true;
    } else if (!is_companion(child) && !(child.is("body", xmpp::ns::client))) {
      other = true;
    }
  });
  if (other) return Urgency::now;
  if (status || subject) return Urgency::hold;
  return state ? Urgency::drop : Urgency::now;
}

/// The room's word that the client itself has come or gone, which it waits for (XEP-0045 §7.2.2).
bool is_about_oneself(const xml::Element& presence) {
  const xml::Element* room = presence.child("x", muc_user);
  bool own = false;
  if (room != nullptr) {
    room->for_each_child([&](const xml::Element& child) {
      own = own || (child.is("status", muc_user) && child.attribute("code") == "110");
    });
  }
  return own;
}

}  // namespace

Urgency judge_urgency(const xmpp::Stanza& stanza) {
  switch (stanza.kind()) {
    case StanzaKind::iq:
      return Urgency::now;
    case StanzaKind::presence:
      if (stanza.type() != StanzaType::available && stanza.type() != StanzaType::unavailable) return Urgency::now;
      return is_about_oneself(stanza.content()) ? Urgency::now : Urgency::presence;
    case StanzaKind::message:
      return judge_message(stanza.content());
  }
  return Urgency::now;
}

bool wakes(const xmpp::Stanza& stanza) {
  if (stanza.kind() != StanzaKind::message || stanza.type() == StanzaType::error) return false;
  if (stanza.content().child("sent", carbons) != nullptr) return false;
  // What says nothing wakes nobody, though it is not held back either.
  return stanza.content().child_element_count() > 0 && judge_urgency(stanza) == Urgency::now;
}

}  // namespace kith::module
