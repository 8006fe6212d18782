// The namespaces that more than one room needs. A namespace of one feature only stands in that feature's header.
#pragma once

#include <string_view>

namespace kith::xmpp::ns {

inline constexpr std::string_view client = "jabber:client";
inline constexpr std::string_view server = "jabber:server";
inline constexpr std::string_view streams = "http://etherx.jabber.org/streams";
inline constexpr std::string_view stream_errors = "urn:ietf:params:xml:ns:xmpp-streams";
inline constexpr std::string_view stanza_errors = "urn:ietf:params:xml:ns:xmpp-stanzas";
inline constexpr std::string_view tls = "urn:ietf:params:xml:ns:xmpp-tls";
inline constexpr std::string_view sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
inline constexpr std::string_view sasl_channel_binding = "urn:xmpp:sasl-cb:0";
inline constexpr std::string_view sasl2 = "urn:xmpp:sasl:2";
inline constexpr std::string_view fast = "urn:xmpp:fast:0";
inline constexpr std::string_view bind2 = "urn:xmpp:bind:0";
inline constexpr std::string_view bind = "urn:ietf:params:xml:ns:xmpp-bind";
inline constexpr std::string_view session = "urn:ietf:params:xml:ns:xmpp-session";
inline constexpr std::string_view roster = "jabber:iq:roster";
inline constexpr std::string_view roster_versioning = "urn:xmpp:features:rosterver";
inline constexpr std::string_view pre_approval = "urn:xmpp:features:pre-approval";
inline constexpr std::string_view stream_limits = "urn:xmpp:stream-limits:0";
inline constexpr std::string_view bookmarks = "urn:xmpp:bookmarks:1";
inline constexpr std::string_view commands = "http://jabber.org/protocol/commands";
inline constexpr std::string_view disco_info = "http://jabber.org/protocol/disco#info";
inline constexpr std::string_view disco_items = "http://jabber.org/protocol/disco#items";
inline constexpr std::string_view caps = "http://jabber.org/protocol/caps";
inline constexpr std::string_view data_forms = "jabber:x:data";
inline constexpr std::string_view delay = "urn:xmpp:delay";
inline constexpr std::string_view delay_legacy = "jabber:x:delay";
inline constexpr std::string_view stanza_ids = "urn:xmpp:sid:0";
inline constexpr std::string_view sm = "urn:xmpp:sm:3";
inline constexpr std::string_view ping = "urn:xmpp:ping";

}  // namespace kith::xmpp::ns
