// Server dialback (XEP-0220 v1.1.1): the keys (XEP-0185 v1.0) and the elements. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/secret.h"
#include "xml/element.h"

namespace kith::stream {

namespace ns {
inline constexpr std::string_view dialback = "jabber:server:dialback";
inline constexpr std::string_view dialback_feature = "urn:xmpp:features:dialback";
inline constexpr std::string_view bidi = "urn:xmpp:bidi";
inline constexpr std::string_view bidi_feature = "urn:xmpp:features:bidi";
}  // namespace ns

/// The key that `originating` shows `receiving` on the stream with this id. Nothing is remembered: whoever has the
/// secret can check it. Source: XEP-0185 §2.
std::string dialback_key(const Secret& secret, std::string_view receiving, std::string_view originating,
                         std::string_view stream_id);
/// SECURITY: in constant time.
bool is_dialback_key(const Secret& secret, std::string_view receiving, std::string_view originating,
                     std::string_view stream_id, std::string_view key);

/// `<db:NAME from='' to='' type=''/>`; an empty type is left out.
xml::Element dialback_element(std::string_view name, std::string_view from, std::string_view to,
                              std::string_view type = {});

/// Appends an element of a stream between servers, whose default namespace is jabber:server. XEP-0220 §2: those of
/// dialback have the prefix `db`, which the stream's header has declared.
/// COMPAT(ejabberd 23.01, 2026-11, never): it knows them by that prefix alone.
void write_between_servers(std::string& out, const xml::Element& element);

}  // namespace kith::stream
