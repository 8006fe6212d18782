// Stanzas as the generator sees them: stretches of bytes. It must cost far less than the server that it measures, so it
// finds where a stanza ends and reads an attribute or two, and builds no tree. It relies on what servers write: `<` and
// `>` stand in text and attributes as &lt; and &gt;.
#pragma once

#include <cstddef>
#include <string_view>

namespace kith::bench {

/// How many bytes the first whole element at the head of `text` takes; 0 if it is not whole yet. White space before it
/// counts along. The end of the stream, `</stream:stream>`, is an element by itself.
std::size_t element_size(std::string_view text);

/// An attribute of the stanza's own start tag, in either kind of quotes; empty if it has none. Escapes stay as they
/// are.
std::string_view attribute(std::string_view stanza, std::string_view name);

/// What stands between `open` and the next `<`: the text of a leaf, as in leaf_text(stanza, "<jid>"). Empty without.
std::string_view leaf_text(std::string_view stanza, std::string_view open);

}  // namespace kith::bench
