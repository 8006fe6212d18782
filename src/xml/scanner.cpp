#include "xml/scanner.h"

#include <algorithm>

namespace kith::xml {
namespace {

constexpr std::size_t longest_declaration = 256;
constexpr std::string_view cdata_opening = "[CDATA[";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// True for a byte that cannot begin a character of XML text.
bool never_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || (byte >= 0x80 && byte < 0xc2) || byte > 0xf4;
}

}  // namespace

/// One call of scan().
struct Scanner::Pass {
  const XmlLimits& limits;
  std::string_view bytes;
  std::size_t at = 0;
  std::size_t stop = 0;          // where the bytes end, or the element's share of them
  std::size_t element_from = 0;  // where the current element begins, or 0 if it began in an earlier call
  bool held;                     // a token began in an earlier call and has not ended
  bool done = false;
  Result result{};

  void limit_from(std::size_t from, std::size_t already) {
    const std::size_t left = limits.element_bytes > already ? limits.element_bytes - already : 0;
    element_from = from;
    stop = bytes.size() - from > left ? from + left : bytes.size();
  }
  void token_begins() { result.safe = at; }
  void token_ends() {
    if (held) result.first_end = at;
    held = false;
    result.safe = at;
  }
  void found(Found what) {
    result.found = what;
    done = true;
  }
  void fail(ParseError error) {
    result.error = error;
    found(Found::error);
  }
};

Scanner::Result Scanner::scan(std::string_view bytes, const XmlLimits& limits) {
  Pass pass{.limits = limits, .bytes = bytes, .held = !safe_state()};
  if (outside()) {
    pass.stop = bytes.size();
  } else {
    pass.limit_from(0, counted_);
  }
  while (!pass.done && pass.at < pass.stop) {
    switch (state_) {
      case State::outside:
      case State::closed:
        in_outside(pass);
        break;
      case State::less_than:
        in_less_than(pass);
        break;
      case State::start_tag:
        in_start_tag(pass);
        break;
      case State::value:
        in_value(pass);
        break;
      case State::end_tag:
        in_end_tag(pass);
        break;
      case State::bang:
        in_bang(pass);
        break;
      case State::declaration:
        in_declaration(pass);
        break;
      case State::text:
        in_text(pass);
        break;
      case State::reference:
        in_reference(pass);
        break;
      case State::cdata:
        in_cdata(pass);
        break;
    }
  }
  if (state_ == State::text || state_ == State::cdata) pass.result.safe = pass.at;
  if (!pass.done && pass.stop < bytes.size()) pass.fail(ParseError::limit_bytes);
  pass.result.used = pass.at;
  if (outside()) {
    // Before the first byte that counts, and after the last, there is only white space.
    if (pass.result.found == Found::need_more) pass.result.begin = pass.result.safe = pass.at;
    counted_ = 0;
  } else {
    counted_ += pass.at - pass.element_from;
  }
  return pass.result;
}

bool Scanner::rewind() {
  if (level_ > 1) return false;
  if (!outside()) state_ = State::outside;
  counted_ = 0;
  return true;
}

void Scanner::in_outside(Pass& pass) {
  const std::string_view bytes = pass.bytes;
  std::size_t at = pass.at;
  if (!begun_ && (bytes[at] == '\xff' || bytes[at] == '\xfe' || bytes[at] == '\0')) {
    return pass.fail(ParseError::unsupported_encoding);  // a UTF-16 or UTF-32 byte order mark, or such text without
  }
  begun_ = true;
  while (at < pass.stop && is_space(bytes[at])) ++at;
  pass.at = at;
  if (at == pass.stop) return;
  if (state_ == State::closed) return pass.fail(ParseError::not_well_formed);
  const char c = bytes[at];
  if (c != '<') return pass.fail(level_ == 0 || never_text(c) ? ParseError::not_well_formed : ParseError::bad_format);
  pass.result.begin = at;
  pass.limit_from(at, 0);
  counted_ = 0;
  children_ = 0;
  pass.token_begins();
  state_ = State::less_than;
  // A limit of no bytes at all is told by scan(), which finds that nothing may follow.
  if (pass.stop > at) ++pass.at;
}

void Scanner::in_less_than(Pass& pass) {
  const char c = pass.bytes[pass.at];
  run_ = 0;
  switch (c) {
    case '/':
      if (level_ == 0) return pass.fail(ParseError::not_well_formed);
      state_ = State::end_tag;
      ++pass.at;
      return;
    case '!':
      matched_ = 0;
      state_ = State::bang;
      ++pass.at;
      return;
    case '?':
      if (level_ != 0 || declared_) return pass.fail(ParseError::restricted_xml);
      matched_ = 0;
      run_ = 2;
      state_ = State::declaration;
      ++pass.at;
      return;
    case '\0':
      if (level_ == 0 && !declared_) return pass.fail(ParseError::unsupported_encoding);  // "<" in UTF-16
      break;
    default:
      break;
  }
  if (level_ > pass.limits.depth) return pass.fail(ParseError::limit_structure);
  if (level_ > 1 && ++children_ > pass.limits.children) return pass.fail(ParseError::limit_structure);
  attributes_ = 0;
  slash_ = false;
  state_ = State::start_tag;
}

void Scanner::in_start_tag(Pass& pass) {
  std::size_t at = pass.at;
  std::size_t run = run_;
  for (; at < pass.stop; ++at) {
    const char c = pass.bytes[at];
    switch (c) {
      case ' ':
      case '\t':
      case '\n':
      case '\r':
      case '=':
        run = 0;
        slash_ = false;
        break;
      case '/':
        run = 0;
        slash_ = true;
        break;
      case '"':
      case '\'':
        pass.at = at + 1;
        if (++attributes_ > pass.limits.attributes) return pass.fail(ParseError::limit_structure);
        run_ = 0;
        slash_ = false;
        quote_ = c;
        state_ = State::value;
        return;
      case '>':
        pass.at = at + 1;
        return end_start_tag(pass);
      case '<':
        return pass.fail(ParseError::not_well_formed);
      default:
        slash_ = false;
        if (++run > pass.limits.name_bytes) return pass.fail(ParseError::limit_bytes);
    }
  }
  pass.at = at;
  run_ = run;
}

void Scanner::in_value(Pass& pass) {
  const std::size_t left =
      pass.limits.attribute_value_bytes > run_ ? pass.limits.attribute_value_bytes - run_ : std::size_t{0};
  // One byte more than may be in the value: its closing quote.
  const std::size_t end = pass.stop - pass.at > left ? pass.at + left + 1 : pass.stop;
  std::size_t at = pass.at;
  const char quote = quote_;
  while (at < end && pass.bytes[at] != quote && pass.bytes[at] != '<') ++at;
  run_ += at - pass.at;
  pass.at = at;
  if (at == end) {
    if (run_ > pass.limits.attribute_value_bytes) pass.fail(ParseError::limit_bytes);
    return;
  }
  if (pass.bytes[at] == '<') return pass.fail(ParseError::not_well_formed);
  ++pass.at;
  run_ = 0;
  state_ = State::start_tag;
}

void Scanner::in_end_tag(Pass& pass) {
  for (; pass.at < pass.stop; ++pass.at) {
    const char c = pass.bytes[pass.at];
    if (c == '>') {
      ++pass.at;
      return end_end_tag(pass);
    }
    if (c == '<') return pass.fail(ParseError::not_well_formed);
    if (is_space(c)) {
      run_ = 0;
    } else if (++run_ > pass.limits.name_bytes) {
      return pass.fail(ParseError::limit_bytes);
    }
  }
}

void Scanner::in_bang(Pass& pass) {
  const char c = pass.bytes[pass.at];
  if (matched_ == 0 && c != '[') {
    // A comment, a DOCTYPE or another declaration of a DTD.
    const bool restricted = c == '-' || (c >= 'A' && c <= 'Z');
    return pass.fail(restricted ? ParseError::restricted_xml : ParseError::not_well_formed);
  }
  if (c != cdata_opening[matched_] || level_ == 0) return pass.fail(ParseError::not_well_formed);
  ++pass.at;
  if (++matched_ < cdata_opening.size()) return;
  if (level_ == 1) return pass.fail(ParseError::bad_format);
  matched_ = 0;
  state_ = State::cdata;
  pass.token_ends();
}

void Scanner::in_declaration(Pass& pass) {
  for (; pass.at < pass.stop; ++pass.at) {
    const char c = pass.bytes[pass.at];
    if (++run_ > longest_declaration) return pass.fail(ParseError::not_well_formed);
    if (c == '>' && matched_ == 1) {
      ++pass.at;
      declared_ = true;
      state_ = State::outside;
      pass.token_ends();
      return pass.found(Found::declaration);
    }
    matched_ = c == '?' ? 1 : 0;
  }
}

void Scanner::in_text(Pass& pass) {
  std::size_t at = pass.at;
  while (at < pass.stop && pass.bytes[at] != '<' && pass.bytes[at] != '&') ++at;
  pass.at = at;
  if (at == pass.stop) return;
  pass.token_begins();
  ++pass.at;
  run_ = 0;
  state_ = pass.bytes[at] == '<' ? State::less_than : State::reference;
}

void Scanner::in_reference(Pass& pass) {
  for (; pass.at < pass.stop; ++pass.at) {
    const char c = pass.bytes[pass.at];
    if (c == ';') {
      ++pass.at;
      state_ = State::text;
      return pass.token_ends();
    }
    if (is_space(c) || c == '<' || c == '>' || c == '&') return pass.fail(ParseError::not_well_formed);
    if (++run_ > pass.limits.name_bytes) return pass.fail(ParseError::limit_bytes);
  }
}

void Scanner::in_cdata(Pass& pass) {
  for (; pass.at < pass.stop; ++pass.at) {
    const char c = pass.bytes[pass.at];
    if (c == ']') {
      matched_ = matched_ < 2 ? matched_ + 1 : 2;
    } else if (c == '>' && matched_ == 2) {
      ++pass.at;
      state_ = State::text;
      return;
    } else {
      matched_ = 0;
    }
  }
}

void Scanner::end_start_tag(Pass& pass) {
  pass.token_ends();
  if (level_ == 0) {
    pass.result.closed_too = slash_;
    level_ = slash_ ? 0 : 1;
    state_ = slash_ ? State::closed : State::outside;
    return pass.found(Found::header);
  }
  if (!slash_) {
    ++level_;
    state_ = State::text;
  } else if (level_ == 1) {
    state_ = State::outside;
    pass.found(Found::element);
  } else {
    state_ = State::text;
  }
}

void Scanner::end_end_tag(Pass& pass) {
  pass.token_ends();
  --level_;
  if (level_ == 0) {
    state_ = State::closed;
    pass.found(Found::close);
  } else if (level_ == 1) {
    state_ = State::outside;
    pass.found(Found::element);
  } else {
    state_ = State::text;
  }
}

namespace {

/// Reads `name = 'value'` with white space before it; true and the value if it is there.
bool take_pseudo_attribute(std::string_view& rest, std::string_view name, std::string_view& value) {
  std::string_view text = rest;
  const auto skip_space = [&text] {
    const std::size_t before = text.size();
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    return text.size() != before;
  };
  if (!skip_space() || !text.starts_with(name)) return false;
  text.remove_prefix(name.size());
  skip_space();
  if (!text.starts_with('=')) return false;
  text.remove_prefix(1);
  skip_space();
  if (text.empty() || (text.front() != '"' && text.front() != '\'')) return false;
  const std::size_t end = text.find(text.front(), 1);
  if (end == std::string_view::npos) return false;
  value = text.substr(1, end - 1);
  rest = text.substr(end + 1);
  return true;
}

bool equal_without_case(std::string_view a, std::string_view upper) {
  return std::ranges::equal(a, upper, [](char x, char y) { return (x >= 'a' && x <= 'z' ? x - 'a' + 'A' : x) == y; });
}

}  // namespace

std::optional<ParseError> check_declaration(std::string_view declaration) {
  constexpr std::string_view opening = "<?xml";
  constexpr std::string_view closing = "?>";
  if (!declaration.starts_with(opening) || !declaration.ends_with(closing)) return ParseError::restricted_xml;
  std::string_view rest = declaration.substr(opening.size(), declaration.size() - opening.size() - closing.size());
  if (rest.empty()) return ParseError::not_well_formed;
  if (!is_space(rest.front())) return ParseError::restricted_xml;  // <?xml-stylesheet …?>
  std::string_view value;
  if (!take_pseudo_attribute(rest, "version", value) || !value.starts_with("1.")) return ParseError::not_well_formed;
  if (take_pseudo_attribute(rest, "encoding", value) && !equal_without_case(value, "UTF-8")) {
    return ParseError::unsupported_encoding;
  }
  if (take_pseudo_attribute(rest, "standalone", value) && value != "yes" && value != "no") {
    return ParseError::not_well_formed;
  }
  if (!std::ranges::all_of(rest, is_space)) return ParseError::not_well_formed;
  return std::nullopt;
}

}  // namespace kith::xml
