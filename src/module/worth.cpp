#include "module/worth.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "xmpp/namespaces.h"

namespace kith::module {

namespace {

constexpr std::string_view hints = "urn:xmpp:hints";

/// Of no use to who comes back later, or of no use alone.
bool is_passing(const xml::Element& child) {
  static constexpr std::array passing_namespaces{
      std::string_view("http://jabber.org/protocol/chatstates"),    // XEP-0085
      hints,                                                        // XEP-0334
      std::string_view("urn:xmpp:sid:0"),                           // XEP-0359
      std::string_view("http://jabber.org/protocol/nick"),          // XEP-0172
      std::string_view("http://jabber.org/protocol/pubsub#event"),  // XEP-0060: the node has it
      std::string_view("jabber:x:event"),                           // XEP-0022, the elder chat states
      xmpp::ns::delay,
      xmpp::ns::delay_legacy,
  };
  if (child.is("thread", xmpp::ns::client)) return true;
  // An empty body says nothing.
  if (child.is("body", xmpp::ns::client)) return child.text().empty();
  return std::ranges::find(passing_namespaces, child.ns()) != passing_namespaces.end();
}

}  // namespace

Worth judge(const xmpp::Stanza& message) {
  if (message.type() != xmpp::StanzaType::chat && message.type() != xmpp::StanzaType::normal) return Worth::refuse;
  const xml::Element& element = message.content();
  bool lasting = element.child("store", hints) != nullptr;
  element.for_each_child([&](const xml::Element& child) { lasting = lasting || !is_passing(child); });
  if (element.child("no-store", hints) != nullptr) return lasting ? Worth::refuse : Worth::drop;
  return lasting ? Worth::keep : Worth::drop;
}

}  // namespace kith::module
