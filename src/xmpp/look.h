// How a text looks (UTS #39 §4, "confusables"): names that nobody can tell apart must not be two people's. Any thread:
// ICU's tables are immutable.
#pragma once

#include <string>
#include <string_view>

namespace kith::xmpp {

/// What all texts that look like `text` have in common: letters of other scripts become the ASCII letters that they
/// resemble (Cyrillic `а` is `a`), what shows nothing is a space. ASCII stays as it is: `rn` and `m`, or `1` and `l`,
/// are two names, as they always were. Of text that is no UTF-8: the text.
std::string look(std::string_view text);

}  // namespace kith::xmpp
