// What the parts of the publish-subscribe engine (module/pubsub.cpp, module/pubsub_people.cpp) share of reading
// requests and making answers.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "module/node_list.h"
#include "module/pubsub.h"
#include "xml/element.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"
#include "xmpp/pubsub.h"

namespace kith::module {

/// bad-request with a condition of pubsub#errors.
inline xmpp::StanzaError bad_request(std::string_view specific) {
  return xmpp::pubsub_error(xmpp::ErrorType::modify, xmpp::Condition::bad_request, specific);
}

/// The name of the node that `element` is about; empty if it names none.
inline std::string node_of(const xml::Element& element) { return std::string(element.attribute("node").value_or("")); }

/// `<pubsub/>` with one child.
inline xml::Element wrapped(std::string_view ns, xml::Element child) {
  xml::Element pubsub("pubsub", ns);
  pubsub.add(std::move(child));
  return pubsub;
}

/// The node if `from` may change what it is; else the error.
std::expected<Node*, xmpp::StanzaError> owned_node(PubsubOwner& owner, const xmpp::Jid& from,
                                                   const xml::Element& element);

}  // namespace kith::module
