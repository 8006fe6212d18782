// One bookmark in the two forms that there are: an item of its own (XEP-0402 §3) and one of many in a list (XEP-0048
// §3). Values only. What a form has no place for is kept: unknown elements go into <extensions/>, unknown attributes
// stay attributes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "xml/element.h"

namespace kith::modules {

inline constexpr std::string_view ns_bookmark_list = "storage:bookmarks";

/// The address that a room's bookmark is known by: a bare JID, prepared; nothing if `text` is none.
std::optional<std::string> bookmark_key(std::string_view text);
/// Of a list's `<conference jid=''/>`.
std::optional<std::string> bookmark_key(const xml::Element& listed);

/// `<conference xmlns='storage:bookmarks' jid=''/>` of an item's payload. Source: XEP-0402 §6.3.1.
xml::Element listed_bookmark(std::string_view jid, const xml::Element& conference);

/// The item's payload `conference` as a list wants it now. Name, nick, password and autojoin become the list's; of
/// <extensions/> what the list does not name stays, since clients that know lists only drop what they do not know.
/// Equal to `conference` if the list says the same.
xml::Element updated_bookmark(const xml::Element& conference, const xml::Element& listed);

}  // namespace kith::modules
