// Expat as the oracle of our own parser: a whole input must be told the same way by both. For tests only.
// What Kith decides otherwise than expat, and on purpose (docs/decisions/0011):
// - Limits: after one was hit, only what came before is compared.
// - The XML declaration: white space may stand before it, no encoding but UTF-8 may stand in it; it is not compared.
// - A byte order mark is refused, and UTF-16, which expat finds out by itself.
// - Comments, processing instructions, DTDs, and text between stanzas are refused: expat's handlers refuse them here.
// - A fault may be told earlier, within a token: then no way to go on may lead expat to an event.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <expat.h>

#include "xml/declaration.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"

namespace kith::xml::oracle {

/// Wide enough for all that a test gives.
inline constexpr XmlLimits no_limits{.element_bytes = 1U << 24U,
                                     .depth = 512,
                                     .attributes = 1U << 20U,
                                     .name_bytes = 1U << 20U,
                                     .attribute_value_bytes = 1U << 24U,
                                     .children = 1U << 20U,
                                     .tree_bytes = 1U << 30U};

/// A stream as expat sees it: the same lines as told() makes.
class ExpatStream {
 public:
  ExpatStream() : parser_(XML_ParserCreateNS("UTF-8", separator)) {
    XML_Parser parser = parser_.get();
    XML_SetReturnNSTriplet(parser, 1);
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetStartNamespaceDeclHandler(parser, on_namespace);
    XML_SetDefaultHandlerExpand(parser, on_bytes);
    XML_SetCdataSectionHandler(
        parser, [](void* self, auto...) { static_cast<ExpatStream*>(self)->refuse_outside(); }, nullptr);
    XML_SetCommentHandler(parser, [](void* self, auto...) { static_cast<ExpatStream*>(self)->refuse(); });
    XML_SetProcessingInstructionHandler(parser, [](void* self, auto...) { static_cast<ExpatStream*>(self)->refuse(); });
    XML_SetStartDoctypeDeclHandler(parser, [](void* self, auto...) { static_cast<ExpatStream*>(self)->refuse(); });
  }
  ExpatStream(const ExpatStream&) = delete;
  ExpatStream& operator=(const ExpatStream&) = delete;

  void give(std::string_view bytes) {
    if (refused_) return;
    const auto size = static_cast<int>(bytes.size());
    if (XML_Parse(parser_.get(), bytes.data(), size, XML_FALSE) != XML_STATUS_OK) refused_ = true;
  }
  const std::vector<std::string>& lines() const { return lines_; }
  bool refused() const { return refused_; }
  /// The end tags of all that is open inside the stream.
  std::string end_tags() const {
    std::string all;
    for (std::size_t i = names_.size(); i-- > 1;) all += "</" + names_[i] + ">";
    return all;
  }

 private:
  static constexpr char separator = '\x01';
  struct Free {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
  };
  struct Name {
    std::string ns;
    std::string local;
    std::string raw;
  };
  static Name split(const XML_Char* text) {
    std::vector<std::string> parts{""};
    for (const char* at = text; *at != 0; ++at) {
      if (*at == separator) {
        parts.emplace_back();
      } else {
        parts.back() += *at;
      }
    }
    if (parts.size() == 1) return {.ns = "", .local = parts[0], .raw = parts[0]};
    return {.ns = parts[0], .local = parts[1], .raw = parts.size() > 2 ? parts[2] + ":" + parts[1] : parts[1]};
  }
  void refuse() {
    refused_ = true;
    XML_StopParser(parser_.get(), XML_FALSE);
  }
  void refuse_outside() {
    if (names_.size() <= 1) refuse();
  }
  static void on_start(void* data, const XML_Char* name, const XML_Char** attributes) {
    auto& self = *static_cast<ExpatStream*>(data);
    if (self.refused_) return;
    const Name split_name = split(name);
    Element element(std::string_view(split_name.local), std::string_view(split_name.ns));
    for (; *attributes != nullptr; attributes += 2) {
      const Name attribute = split(attributes[0]);
      element.append_attribute(
          {.name = std::string_view(attribute.local), .ns = std::string_view(attribute.ns), .value = attributes[1]});
    }
    if (self.names_.empty()) {
      self.lines_.push_back("open " + self.default_ns_ + " " + to_string(element));
    } else {
      self.open_.push_back(std::move(element));
    }
    self.names_.push_back(split_name.raw);
  }
  static void on_end(void* data, const XML_Char*) {
    auto& self = *static_cast<ExpatStream*>(data);
    if (self.refused_) return;
    self.names_.pop_back();
    if (self.open_.empty()) {
      self.lines_.emplace_back("close");
      return;
    }
    Element element = std::move(self.open_.back());
    self.open_.pop_back();
    if (self.open_.empty()) {
      self.lines_.push_back(to_string(element));
    } else {
      self.open_.back().add(std::move(element));
    }
  }
  static void on_text(void* data, const XML_Char* text, int size) {
    auto& self = *static_cast<ExpatStream*>(data);
    if (self.refused_) return;
    const std::string_view told(text, static_cast<std::size_t>(size));
    if (!self.open_.empty()) {
      self.open_.back().add_text(told);
    } else if (told.find_first_not_of(" \t\r\n") != std::string_view::npos) {
      self.refuse();
    } else {
      XML_DefaultCurrent(self.parser_.get());  // "&#32;" is no white space between stanzas
    }
  }
  /// Is given the bytes as they stand in the stream.
  static void on_bytes(void* data, const XML_Char* bytes, int size) {
    auto& self = *static_cast<ExpatStream*>(data);
    if (size != 0 && *bytes == '&' && self.open_.empty()) self.refuse();
  }
  static void on_namespace(void* data, const XML_Char* prefix, const XML_Char* ns) {
    auto& self = *static_cast<ExpatStream*>(data);
    if (self.names_.empty() && prefix == nullptr && ns != nullptr) self.default_ns_ = ns;
  }

  std::unique_ptr<std::remove_pointer_t<XML_Parser>, Free> parser_;
  std::vector<std::string> lines_;
  std::vector<std::string> names_;  // as written, of all that is open
  std::vector<Element> open_;       // all that is open inside the stream
  std::string default_ns_;
  bool refused_ = false;
};

struct Told {
  std::vector<std::string> lines;
  std::optional<ParseError> error;
};

/// What our own parser makes of `bytes`, given at once.
inline Told told(std::string_view bytes) {
  Told all;
  StreamParser parser(no_limits);
  parser.feed(bytes);
  for (;;) {
    auto event = parser.next();
    if (!event) {
      all.error = event.error();
      return all;
    }
    if (std::holds_alternative<NeedMore>(*event)) return all;
    if (const auto* open = std::get_if<StreamOpen>(&*event)) {
      all.lines.push_back("open " + open->default_ns + " " + to_string(open->header));
    } else if (const auto* element = std::get_if<Element>(&*event)) {
      all.lines.push_back(to_string(*element));
    } else {
      all.lines.emplace_back("close");
    }
  }
}

/// True if expat gets one event more from some way to go on after `bytes`.
inline bool expat_can_go_on(std::string_view bytes, std::size_t events) {
  for (const std::string_view more :
       {"",       ">",          "/>",         "a/>",      ":a/>",         "=''/>",   "a=''/>",      ":a=''/>",
        "''/>",   "'/>",        "\"/>",       ";",        ";'/>",         ";\"/>",   "1;",          "1;'/>",
        "lt;",    "lt;'/>",     "t;",         "amp;",     "p;",           "]]>",     "]>",          "[x]]>",
        "\x80",   "\xbf",       "\x80\x80",   "\xbf\xbf", "\x80\x80\x80", "\xbf'/>", "\xbf\xbf'/>", "\x80/>",
        "\xbf/>", "\x80\x80/>", "\xbf\xbf/>", "\x80=''/>"}) {
    ExpatStream stream;
    stream.give(bytes);
    stream.give(more);
    stream.give(stream.end_tags());
    if (stream.lines().size() > events) return true;
  }
  return false;
}

/// Nothing if both tell `bytes` the same way, else what is different.
inline std::optional<std::string> disagreement(std::string_view bytes) {
  const Told ours = told(bytes);
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  std::string for_expat;
  if (first != std::string_view::npos && bytes.substr(first).starts_with("<?")) {
    const std::size_t end = bytes.find("?>", first);
    if (end == std::string_view::npos || check_declaration(bytes.substr(first, end + 2 - first))) return std::nullopt;
    // Expat would look for UTF-16 in what follows, were it the beginning.
    for_expat = "<?xml version='1.0'?>";
    bytes.remove_prefix(end + 2);
  } else if (bytes.starts_with("\xef\xbb\xbf") || ours.error == ParseError::unsupported_encoding) {
    return std::nullopt;
  }
  for_expat += bytes;
  ExpatStream theirs;
  theirs.give(for_expat);
  const bool limited = ours.error == ParseError::limit_bytes || ours.error == ParseError::limit_structure;
  const std::size_t common = limited ? ours.lines.size() : std::max(ours.lines.size(), theirs.lines().size());
  for (std::size_t i = 0; i < common; ++i) {
    const std::string our_line = i < ours.lines.size() ? ours.lines[i] : "nothing";
    const std::string their_line = i < theirs.lines().size() ? theirs.lines()[i] : "nothing";
    if (our_line != their_line) return "ours: " + our_line + "\nexpat's: " + their_line;
  }
  if (limited || ours.error.has_value() == theirs.refused()) return std::nullopt;
  if (!ours.error) return "only expat refuses it";
  if (expat_can_go_on(for_expat, ours.lines.size())) return "only we refuse it";
  return std::nullopt;
}

}  // namespace kith::xml::oracle
