// The one place where XML leaves Kith. Escapes & < > " ' and CR, LF, TAB in attributes, & < > and CR in text, so that
// parse(write(x)) == x. SECURITY: bytes that came in are never forwarded; everything is written from the tree.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xml/element.h"

namespace kith::xml {

/// Appends `element` to `out`. `default_ns` is the namespace that the surrounding stream declared as default (it is not
/// declared again), for example jabber:client. The prefix `stream` is bound to http://etherx.jabber.org/streams on
/// every stream, and elements of that namespace are written with it when `stream_prefix` is true.
void write(std::string& out, const Element& element, std::string_view default_ns, bool stream_prefix = true);
std::string to_string(const Element& element, std::string_view default_ns = {});

/// Appends `<?xml version='1.0'?><stream:stream xmlns='…' xmlns:stream='http://etherx.jabber.org/streams' …>`; each
/// attribute is written under the name given ("to", "id", "version", "xml:lang"), its value escaped (RFC 6120 §4.7).
void write_stream_open(std::string& out, std::string_view default_ns,
                       const std::vector<std::pair<std::string_view, std::string>>& attributes);
/// Appends `</stream:stream>`.
void write_stream_close(std::string& out);

/// Appends `text` escaped for an attribute value / for character data.
void escape_attribute(std::string& out, std::string_view text);
void escape_text(std::string& out, std::string_view text);

}  // namespace kith::xml
