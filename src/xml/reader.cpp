#include "xml/reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "xml/declaration.h"

namespace kith::xml {
namespace {

constexpr std::size_t longest_declaration = 256;
constexpr std::string_view cdata_opening = "[CDATA[";
/// Buffers that one element has made larger are not kept for the next.
constexpr std::size_t largest_kept = 4096;

bool is_space(char c) { return is_a(c, white_space); }

std::string_view between(const char* from, const char* to) { return {from, static_cast<std::size_t>(to - from)}; }

/// True for a byte that cannot begin a character of XML text.
bool never_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || (byte >= 0x80 && byte < 0xc2) || byte > 0xf4;
}

/// The character that XML itself names so, or 0.
char predefined(std::string_view name) {
  if (name == "lt") return '<';
  if (name == "gt") return '>';
  if (name == "amp") return '&';
  if (name == "quot") return '"';
  if (name == "apos") return '\'';
  return 0;
}

}  // namespace

/// One call of read().
struct Reader::Pass {
  const XmlLimits& limits;
  const char* at;
  const char* end;           // of the bytes
  const char* stop;          // of the bytes, or of the element's share of them
  const char* element_from;  // where the current element begins, or the bytes if it began in an earlier call
  const char* token_from;    // the same for a token at the first level
  Found found = Found::need_more;
  bool done = false;
  ParseError error = ParseError::not_well_formed;

  bool more() const { return at != stop; }
  void limit_from(const char* from, std::size_t already) {
    const std::size_t left = limits.element_bytes > already ? limits.element_bytes - already : 0;
    element_from = from;
    stop = static_cast<std::size_t>(end - from) > left ? from + left : end;
  }
  void tell(Found what) {
    found = what;
    done = true;
  }
  void fail(ParseError why) {
    error = why;
    tell(Found::error);
  }
};

Reader::Found Reader::read(std::string_view& bytes, const XmlLimits& limits) {
  const char* const begin = bytes.data();
  Pass pass{.limits = limits,
            .at = begin,
            .end = begin + bytes.size(),
            .stop = begin + bytes.size(),
            .element_from = begin,
            .token_from = begin};
  if (!outside()) pass.limit_from(begin, counted_);
  while (!pass.done && pass.more()) step(pass);
  if (!pass.done && pass.stop != pass.end) pass.fail(ParseError::limit_bytes);
  error_ = pass.error;
  if (outside()) {
    counted_ = 0;
  } else {
    counted_ += static_cast<std::size_t>(pass.at - pass.element_from);
    if (pass.found == Found::need_more && level_ <= 1) work_->token.append(pass.token_from, pass.at);
  }
  bytes.remove_prefix(static_cast<std::size_t>(pass.at - begin));
  return pass.found;
}

void Reader::enter_stream(StreamScope scope) {
  level_ = 1;
  scope_ = std::move(scope);
}

std::string Reader::take_token() {
  if (outside() || level_ > 1) return {};
  state_ = State::outside;
  character_ = {};
  counted_ = 0;
  std::string token = std::move(work_->token);
  work_.reset();
  return token;
}

bool Reader::rest() {
  if (!outside()) return false;
  work_.reset();
  return true;
}

void Reader::step(Pass& pass) {
  switch (state_) {
    case State::outside:
    case State::closed:
      return in_outside(pass);
    case State::less_than:
      return in_less_than(pass);
    case State::tag_name:
      return in_tag_name(pass);
    case State::tag_space:
      return in_tag_space(pass);
    case State::attribute_name:
      return in_attribute_name(pass);
    case State::equals:
      return in_equals(pass);
    case State::quote:
      return in_quote(pass);
    case State::value:
      return in_value(pass);
    case State::value_ends:
      return in_value_ends(pass);
    case State::slash:
      return in_slash(pass);
    case State::end_tag_name:
      return in_end_tag_name(pass);
    case State::end_tag_space:
      return in_end_tag_space(pass);
    case State::bang:
      return in_bang(pass);
    case State::declaration:
      return in_declaration(pass);
    case State::text:
      return in_text(pass);
    case State::reference:
      return in_reference(pass);
    case State::cdata:
      return in_cdata(pass);
  }
}

// --- between the elements, and the first bytes of a token ---------------------------------------------------------

void Reader::in_outside(Pass& pass) {
  const char* at = pass.at;
  if (!begun_ && (*at == '\xff' || *at == '\xfe' || *at == '\0')) {
    return pass.fail(ParseError::unsupported_encoding);  // a UTF-16 or UTF-32 byte order mark, or such text without
  }
  begun_ = true;
  while (at != pass.stop && is_space(*at)) ++at;
  pass.at = at;
  if (at == pass.stop) return;
  if (state_ == State::closed) return pass.fail(ParseError::not_well_formed);
  if (*at != '<') {
    return pass.fail(level_ == 0 || never_text(*at) ? ParseError::not_well_formed : ParseError::bad_format);
  }
  pass.limit_from(at, 0);
  pass.token_from = at;
  counted_ = 0;
  children_ = 0;
  if (work_ == nullptr) work_ = std::make_unique<Work>();
  work_->token.clear();
  state_ = State::less_than;
  // A limit of no bytes at all is told by read(), which finds that nothing may follow.
  if (pass.stop != at) ++pass.at;
}

void Reader::in_less_than(Pass& pass) {
  switch (*pass.at) {
    case '/':
      if (level_ == 0) return pass.fail(ParseError::not_well_formed);
      run_ = 0;
      state_ = State::end_tag_name;
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
  begin_name(State::tag_name);
  in_tag_name(pass);
}

void Reader::in_bang(Pass& pass) {
  const char c = *pass.at;
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
  after_return_ = false;
  state_ = State::cdata;
}

void Reader::in_declaration(Pass& pass) {
  for (; pass.more(); ++pass.at) {
    if (++run_ > longest_declaration) return pass.fail(ParseError::not_well_formed);
    if (*pass.at == '>' && matched_ == 1) {
      ++pass.at;
      work_->token.append(pass.token_from, pass.at);
      const auto wrong = check_declaration(std::exchange(work_->token, {}));
      if (wrong) return pass.fail(*wrong);
      declared_ = true;
      state_ = State::outside;
      pass.stop = pass.end;  // the declaration's share ends with it
      return;
    }
    matched_ = *pass.at == '?' ? 1 : 0;
  }
}

// --- names ----------------------------------------------------------------------------------------------------------

void Reader::begin_name(State state) {
  run_ = 0;
  colon_ = 0;
  name_begins_ = true;
  state_ = state;
}

/// Takes a byte of a name that is not ASCII; false if it cannot stand there.
bool Reader::take_part(const char*& at) {
  if (!character_.take(*at)) return false;
  if (!character_.unfinished()) {
    const char32_t point = character_.point();
    if (name_begins_ ? !is_name_start(point) : !is_name_part(point)) return false;
    name_begins_ = false;
  }
  ++at;
  return true;
}

/// Moves `at` to the end of the name that goes on at `from`, or of the bytes; false if it meets what no name has.
bool Reader::go_on_in_name(Pass& pass, const char* from, const char*& at) {
  while (at != pass.stop) {
    if (character_.unfinished() || !is_ascii(*at)) {
      if (!take_part(at)) return false;
    } else if (name_begins_) {
      if (!is_a(*at, name_start)) return false;
      name_begins_ = false;
      ++at;
    } else if (is_a(*at, name_part)) {
      do {
        ++at;
      } while (at != pass.stop && is_a(*at, name_part));
    } else if (*at == ':') {
      if (colon_ != 0) return false;
      colon_ = run_ + static_cast<std::size_t>(at - from);
      name_begins_ = true;
      ++at;
    } else {
      return true;
    }
  }
  return true;
}

/// True when the name's end is there; `name` holds until the next call. What is longer than a name may be is a limit
/// hit whatever comes behind it, so that a fault there is not told first.
bool Reader::read_name(Pass& pass, RawName& name) {
  const char* const from = pass.at;
  const char* at = from;
  const bool good = go_on_in_name(pass, from, at);
  run_ += static_cast<std::size_t>(at - from);
  pass.at = at;
  if (run_ > pass.limits.name_bytes) {
    pass.fail(ParseError::limit_bytes);
    return false;
  }
  if (!good) {
    pass.fail(ParseError::not_well_formed);
    return false;
  }
  std::string& begun = work_->name;
  if (at == pass.stop) {
    begun.append(from, at);
    return false;
  }
  if (begun.empty()) {
    name = {.text = between(from, at), .colon = colon_};
  } else {
    begun.append(from, at);
    name = {.text = begun, .colon = colon_};
  }
  return true;
}

// --- start tags -----------------------------------------------------------------------------------------------------

void Reader::in_tag_name(Pass& pass) {
  RawName name;
  if (!read_name(pass, name)) return;
  work_->tree.tag_name(name);
  work_->name.clear();
  in_value_ends(pass);
}

/// Behind the tag's name or a value: white space, or the tag's end.
void Reader::in_value_ends(Pass& pass) {
  const char c = *pass.at++;
  if (is_space(c)) {
    state_ = State::tag_space;
  } else if (c == '>') {
    end_start_tag(pass, false);
  } else if (c == '/') {
    state_ = State::slash;
  } else {
    pass.fail(ParseError::not_well_formed);
  }
}

void Reader::in_tag_space(Pass& pass) {
  while (pass.more() && is_space(*pass.at)) ++pass.at;
  if (!pass.more()) return;
  if (*pass.at == '>' || *pass.at == '/') return in_value_ends(pass);
  begin_name(State::attribute_name);
  in_attribute_name(pass);
}

void Reader::in_slash(Pass& pass) {
  if (*pass.at++ != '>') return pass.fail(ParseError::not_well_formed);
  end_start_tag(pass, true);
}

void Reader::in_attribute_name(Pass& pass) {
  RawName name;
  if (!read_name(pass, name)) return;
  work_->tree.attribute_name(name);
  work_->name.clear();
  state_ = State::equals;
  in_equals(pass);
}

void Reader::in_equals(Pass& pass) {
  const char c = *pass.at++;
  if (c == '=') {
    state_ = State::quote;
  } else if (!is_space(c)) {
    pass.fail(ParseError::not_well_formed);
  }
}

void Reader::in_quote(Pass& pass) {
  const char c = *pass.at++;
  if (is_space(c)) return;
  if (c != '"' && c != '\'') return pass.fail(ParseError::not_well_formed);
  if (++attributes_ > pass.limits.attributes) return pass.fail(ParseError::limit_structure);
  quote_ = c;
  value_run_ = 0;
  after_return_ = false;
  state_ = State::value;
}

/// XML 1.0 §2.11 and §3.3.3: white space, and a line's end of whatever kind, is one space.
void Reader::in_value(Pass& pass) {
  const std::size_t most = pass.limits.attribute_value_bytes;
  const std::size_t left = most > value_run_ ? most - value_run_ : 0;
  const char* const begin = pass.at;
  const char* const end = static_cast<std::size_t>(pass.stop - begin) > left ? begin + left : pass.stop;
  const char* from = begin;  // what is before it is in `value`
  const char* at = begin;
  std::string& value = work_->value;
  const auto leave = [&] {
    value_run_ += static_cast<std::size_t>(at - begin);
    pass.at = at;
  };
  while (at != end) {
    const char c = *at;
    if (std::exchange(after_return_, false) && c == '\n') {
      from = ++at;
    } else if (character_.unfinished()) {
      if (!character_.take(c)) return pass.fail(ParseError::not_well_formed);
      ++at;
    } else if (is_a(c, plain_value)) {
      do {
        ++at;
      } while (at != end && is_a(*at, plain_value));
    } else if (!is_ascii(c)) {
      const std::size_t size = whole_character(at, end);
      if (size == 0 && !character_.take(c)) return pass.fail(ParseError::not_well_formed);
      at += std::max(size, std::size_t{1});
    } else if (c == quote_) {
      end_value(pass, from, at);
      return;
    } else if (c == '"' || c == '\'') {
      ++at;
    } else if (is_space(c)) {
      value.append(from, at);
      value += ' ';
      after_return_ = c == '\r';
      from = ++at;
    } else if (c == '&') {
      value.append(from, at++);
      leave();
      return begin_reference(State::value);
    } else {
      return pass.fail(ParseError::not_well_formed);
    }
  }
  // The byte behind the longest value has to be its closing quote.
  if (at != pass.stop) {
    if (*at != quote_ || character_.unfinished()) return pass.fail(ParseError::limit_bytes);
    return end_value(pass, from, at);
  }
  value.append(from, at);
  leave();
}

void Reader::end_value(Pass& pass, const char* from, const char* to) {
  pass.at = to + 1;
  std::string& value = work_->value;
  std::string_view whole = between(from, to);
  if (!value.empty()) whole = value.append(whole);
  if (const auto wrong = work_->tree.attribute_value(whole, pass.limits)) return pass.fail(*wrong);
  value.clear();
  state_ = State::value_ends;
}

void Reader::end_start_tag(Pass& pass, bool empty) {
  if (const auto wrong = work_->tree.end_start_tag(scope_, pass.limits)) return pass.fail(*wrong);
  if (level_ == 0) {
    level_ = empty ? 0 : 1;
    state_ = empty ? State::closed : State::outside;
    return pass.tell(Found::header);
  }
  ++level_;
  if (empty) return end_element(pass);
  begin_text();
}

// --- end tags -------------------------------------------------------------------------------------------------------

/// XML 1.0 §3, Element Type Match: the first byte that differs is the fault.
void Reader::in_end_tag_name(Pass& pass) {
  const std::string_view expected = level_ == 1 ? std::string_view(scope_.name) : work_->tree.open_name();
  for (; pass.more() && run_ != expected.size(); ++pass.at) {
    if (*pass.at != expected[run_++]) return pass.fail(ParseError::not_well_formed);
  }
  if (!pass.more()) return;
  if (*pass.at != '>' && !is_space(*pass.at)) return pass.fail(ParseError::not_well_formed);
  state_ = State::end_tag_space;
  in_end_tag_space(pass);
}

void Reader::in_end_tag_space(Pass& pass) {
  while (pass.more()) {
    const char c = *pass.at++;
    if (c == '>') return end_element(pass);
    if (!is_space(c)) return pass.fail(ParseError::not_well_formed);
  }
}

void Reader::end_element(Pass& pass) {
  if (--level_ == 0) {
    state_ = State::closed;
    return pass.tell(Found::close);
  }
  work_->tree.end_element();
  if (level_ > 1) return begin_text();
  state_ = State::outside;
  for (std::string* buffer : {&work_->value, &work_->token}) {
    if (buffer->capacity() > largest_kept) *buffer = {};
  }
  pass.tell(Found::element);
}

// --- text -----------------------------------------------------------------------------------------------------------

void Reader::begin_text() {
  matched_ = 0;
  after_return_ = false;
  state_ = State::text;
}

/// XML 1.0 §2.4 and §2.11: no "]]>"; a line's end of whatever kind is a line feed.
void Reader::in_text(Pass& pass) {
  const char* const end = pass.stop;
  const char* from = pass.at;  // what is before it is in the tree
  const char* at = from;
  const auto give = [&] {
    if (from != at) work_->tree.text(between(from, at));
  };
  while (at != end) {
    const char c = *at;
    if (std::exchange(after_return_, false) && c == '\n') {
      from = ++at;
    } else if (character_.unfinished()) {
      if (!character_.take(c)) return pass.fail(ParseError::not_well_formed);
      ++at;
    } else if (c == ']') {
      matched_ = matched_ < 2 ? matched_ + 1 : 2;
      ++at;
    } else if (std::exchange(matched_, 0) == 2 && c == '>') {
      return pass.fail(ParseError::not_well_formed);
    } else if (is_a(c, plain_text)) {
      do {
        ++at;
      } while (at != end && is_a(*at, plain_text));
    } else if (!is_ascii(c)) {
      const std::size_t size = whole_character(at, end);
      if (size == 0 && !character_.take(c)) return pass.fail(ParseError::not_well_formed);
      at += std::max(size, std::size_t{1});
    } else if (c == '<') {
      give();
      pass.at = at + 1;
      state_ = State::less_than;
      return;
    } else if (c == '&') {
      give();
      pass.at = at + 1;
      return begin_reference(State::text);
    } else if (c == '\r') {
      give();
      work_->tree.text("\n");
      after_return_ = true;
      from = ++at;
    } else {
      return pass.fail(ParseError::not_well_formed);
    }
  }
  give();
  pass.at = at;
}

/// `matched_` brackets at its end are not in the tree yet: they may begin "]]>".
void Reader::in_cdata(Pass& pass) {
  const char* const end = pass.stop;
  const char* from = pass.at;
  const char* at = from;
  const auto give = [&] {
    if (from != at) work_->tree.text(between(from, at));
  };
  while (at != end) {
    const char c = *at;
    if (std::exchange(after_return_, false) && c == '\n') {
      from = ++at;
    } else if (character_.unfinished()) {
      if (!character_.take(c)) return pass.fail(ParseError::not_well_formed);
      ++at;
    } else if (c == ']') {
      give();
      if (matched_ == 2) {
        work_->tree.text("]");
      } else {
        ++matched_;
      }
      from = ++at;
    } else if (matched_ == 2 && c == '>') {
      pass.at = at + 1;
      return begin_text();
    } else if (matched_ != 0) {
      work_->tree.text(std::string_view("]]").substr(0, std::exchange(matched_, 0)));
    } else if (is_a(c, plain_cdata)) {
      do {
        ++at;
      } while (at != end && is_a(*at, plain_cdata));
    } else if (!is_ascii(c)) {
      const std::size_t size = whole_character(at, end);
      if (size == 0 && !character_.take(c)) return pass.fail(ParseError::not_well_formed);
      at += std::max(size, std::size_t{1});
    } else if (c == '\r') {
      give();
      work_->tree.text("\n");
      after_return_ = true;
      from = ++at;
    } else {
      return pass.fail(ParseError::not_well_formed);
    }
  }
  give();
  pass.at = at;
}

// --- references -----------------------------------------------------------------------------------------------------

void Reader::begin_reference(State after) {
  after_reference_ = after;
  reference_ = Reference::begins;
  number_ = 0;
  begin_name(State::reference);
}

void Reader::in_reference(Pass& pass) {
  const bool in_value = after_reference_ == State::value;
  while (pass.more()) {
    const char c = *pass.at;
    if (in_value && ++value_run_ > pass.limits.attribute_value_bytes) return pass.fail(ParseError::limit_bytes);
    if (c == ';' && !character_.unfinished()) {
      if (!end_reference(pass)) return;
      ++pass.at;
      state_ = after_reference_;
      return;
    }
    ++run_;
    if (!reference_goes_on(c)) return pass.fail(ParseError::not_well_formed);
    if (run_ > pass.limits.name_bytes) return pass.fail(ParseError::limit_bytes);
    ++pass.at;
  }
}

/// Takes the next byte of a reference, which is its `run_`th; false if it cannot stand there.
bool Reader::reference_goes_on(char c) {
  switch (reference_) {
    case Reference::begins:
      reference_ = c == '#' ? Reference::number : Reference::name;
      if (c == '#') return true;
      break;
    case Reference::name:
      break;
    case Reference::number:
      if (c == 'x') {
        reference_ = Reference::hexadecimal;
        name_begins_ = true;
        return true;
      }
      reference_ = Reference::decimal;
      [[fallthrough]];
    case Reference::decimal:
    case Reference::hexadecimal: {
      const bool hexadecimal = reference_ == Reference::hexadecimal;
      unsigned digit = 16;
      if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
      if (hexadecimal && c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
      if (hexadecimal && c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
      if (digit == 16) return false;
      name_begins_ = false;
      number_ = std::min<char32_t>(number_ * (hexadecimal ? 16 : 10) + digit, 0x110000);
      return true;
    }
  }
  if (character_.unfinished() || !is_ascii(c)) {
    letters_ = {};
    if (!character_.take(c)) return false;
    if (character_.unfinished()) return true;
    const bool good = name_begins_ ? is_name_start(character_.point()) : is_name_part(character_.point());
    name_begins_ = false;
    return good;
  }
  if (!is_a(c, name_begins_ ? name_start : name_part)) return false;
  name_begins_ = false;
  if (run_ <= letters_.size()) letters_[run_ - 1] = c;
  return true;
}

/// Puts what the reference stands for in its place; false, and the fault is told, if that is nothing.
/// RFC 6120 §11.1: references to entities that XML itself does not know are restricted.
bool Reader::end_reference(Pass& pass) {
  std::array<char, 4> bytes{};
  std::size_t size = 1;
  if (name_begins_) {
    pass.fail(ParseError::not_well_formed);
    return false;
  }
  if (reference_ == Reference::name) {
    bytes[0] = run_ <= letters_.size() ? predefined({letters_.data(), run_}) : '\0';
    if (bytes[0] == 0) {
      pass.fail(ParseError::restricted_xml);
      return false;
    }
  } else if (!is_character(number_)) {
    pass.fail(ParseError::not_well_formed);
    return false;
  } else {
    size = to_utf8(number_, bytes);
  }
  if (after_reference_ == State::value) {
    work_->value.append(bytes.data(), size);
  } else {
    work_->tree.text({bytes.data(), size});
  }
  return true;
}

}  // namespace kith::xml
