// Reads the bytes of a stream, each once and in order, finds the tokens in them, checks them and hands them to the
// builder of the tree. Internal to xml/: stream_parser.h is the room's face.
// Everything that a token needs across a cut is in its state, so that bytes may be cut anywhere: what is found, and
// which fault comes first, depends on the bytes alone. No recursion, no I/O; one thread at a time.
// Source: XML 1.0 (names by its fourth edition, see characters.h), Namespaces in XML 1.0, RFC 6120 §11.
// SECURITY: DTDs, comments and processing instructions are refused at the first byte that tells, and every limit of
// XmlLimits before more than it is stored.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "xml/characters.h"
#include "xml/parse_error.h"
#include "xml/tree_builder.h"

namespace kith::xml {

class Reader {
 public:
  enum class Found : std::uint8_t {
    need_more,
    header,   ///< the stream's start tag
    element,  ///< a whole first-level element
    close,    ///< the stream's end tag
    error,
  };

  /// Goes on with `bytes` until something is found, and takes what was used away from their front.
  Found read(std::string_view& bytes, const XmlLimits& limits);
  ParseError error() const { return error_; }
  Element take_element() { return work_->tree.take_element(); }
  /// The stream's start tag, once. What it declares is kept.
  Element take_header() { return work_->tree.take_header(scope_); }
  const Symbol& default_ns() const { return scope_.default_ns; }
  /// The header was `<stream:stream/>`.
  bool closed() const { return state_ == State::closed; }

  /// As if a stream header had been seen that declares this.
  void enter_stream(StreamScope scope);
  /// Gives back the bytes of an unfinished token at the first level or before, as if they had not been read.
  std::string take_token();
  /// Frees what is needed only while an element is in work. False, and nothing is freed, if one is.
  bool rest();
  /// True between two elements, before the header, and after the close.
  bool outside() const { return state_ == State::outside || state_ == State::closed; }
  bool between_elements() const { return level_ <= 1; }

 private:
  enum class State : std::uint8_t {
    outside,
    less_than,
    tag_name,
    tag_space,  // white space in a start tag: an attribute may follow
    attribute_name,
    equals,
    quote,
    value,
    value_ends,
    slash,
    end_tag_name,
    end_tag_space,
    bang,
    declaration,
    text,
    reference,
    cdata,
    closed,
  };
  enum class Reference : std::uint8_t { begins, name, number, decimal, hexadecimal };
  struct Pass;
  /// What is in memory only from the first byte of an element to its last.
  struct Work {
    TreeBuilder tree;
    std::string name;   // the part of a name that an earlier call has seen
    std::string value;  // of an attribute that does not lie in one piece
    std::string token;  // an unfinished token at the first level, as read
  };

  void step(Pass& pass);
  void in_outside(Pass& pass);
  void in_less_than(Pass& pass);
  void in_tag_name(Pass& pass);
  void in_tag_space(Pass& pass);
  void in_attribute_name(Pass& pass);
  void in_equals(Pass& pass);
  void in_quote(Pass& pass);
  void in_value(Pass& pass);
  void in_value_ends(Pass& pass);
  void in_slash(Pass& pass);
  void in_end_tag_name(Pass& pass);
  void in_end_tag_space(Pass& pass);
  void in_bang(Pass& pass);
  void in_declaration(Pass& pass);
  void in_text(Pass& pass);
  void in_reference(Pass& pass);
  void in_cdata(Pass& pass);

  bool read_name(Pass& pass, RawName& name);
  bool go_on_in_name(Pass& pass, const char* from, const char*& at);
  bool take_part(const char*& at);
  void begin_name(State state);
  void begin_reference(State after);
  bool reference_goes_on(char c);
  bool end_reference(Pass& pass);
  void end_value(Pass& pass, const char* from, const char* to);
  void after_name_in_tag(Pass& pass);
  void end_start_tag(Pass& pass, bool empty);
  void end_element(Pass& pass);
  void begin_text();

  State state_ = State::outside;
  State after_reference_ = State::text;
  Reference reference_ = Reference::begins;
  ParseError error_ = ParseError::not_well_formed;
  char quote_ = 0;
  bool begun_ = false;  // any byte has been seen
  bool declared_ = false;
  bool name_begins_ = false;       // the next byte has to begin a name, or its part behind a colon
  bool after_return_ = false;      // the byte before was a carriage return: a line feed belongs to it
  std::uint8_t matched_ = 0;       // how much of "[CDATA[", "]]>" or "?>"
  PartialCharacter character_;     // that a cut has gone through, or that is in a name
  std::array<char, 4> letters_{};  // of a reference's name
  char32_t number_ = 0;            // of a character reference
  std::uint32_t level_ = 0;        // open elements, the stream itself included
  std::size_t run_ = 0;            // bytes of the current name or reference
  std::size_t colon_ = 0;          // where it stands in the current name, or 0
  std::size_t value_run_ = 0;      // bytes of the current value
  std::size_t attributes_ = 0;     // of the current tag
  std::size_t children_ = 0;       // elements inside the current first-level element
  std::size_t counted_ = 0;        // bytes of the current first-level element in earlier calls
  StreamScope scope_;
  std::unique_ptr<Work> work_;
};

}  // namespace kith::xml
