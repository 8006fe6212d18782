#include "xml/stream_parser.h"

#include <algorithm>
#include <utility>

#include "xml/declaration.h"
#include "xml/reader.h"

namespace kith::xml {
namespace {

/// Deeper trees would make recursive walks over them unsafe, whatever the configuration says.
constexpr std::size_t deepest = 512;

}  // namespace

struct StreamParser::Impl {
  explicit Impl(const XmlLimits& l) { set_limits(l); }

  void set_limits(const XmlLimits& l) {
    limits = l;
    limits.depth = std::min(limits.depth, deepest);
  }
  std::expected<StreamEvent, ParseError> next();
  StreamEvent opened();

  XmlLimits limits;
  Reader reader;
  std::string_view pending;  // fed, and not yet read
  std::string owned;         // what `pending` points into, if the caller's bytes could not stay
  bool close_next = false;
  std::optional<ParseError> dead;
};

StreamEvent StreamParser::Impl::opened() {
  StreamOpen open{.header = reader.take_header(), .default_ns = std::string(reader.default_ns().view())};
  close_next = reader.closed();
  return open;
}

std::expected<StreamEvent, ParseError> StreamParser::Impl::next() {
  if (dead) {
    // What is fed now need not stay where it is, and nobody will read it.
    pending = {};
    owned = {};
    return std::unexpected(*dead);
  }
  if (std::exchange(close_next, false)) return StreamClose{};
  switch (reader.read(pending, limits)) {
    case Reader::Found::need_more:
      pending = {};
      owned = {};
      return NeedMore{};
    case Reader::Found::header:
      return opened();
    case Reader::Found::element:
      return reader.take_element();
    case Reader::Found::close:
      reader.rest();
      return StreamClose{};
    case Reader::Found::error:
      break;
  }
  dead = reader.error();
  reader = Reader();
  pending = {};
  owned = {};
  return std::unexpected(*dead);
}

StreamParser::StreamParser(const XmlLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
StreamParser::~StreamParser() = default;
StreamParser::StreamParser(StreamParser&&) noexcept = default;
StreamParser& StreamParser::operator=(StreamParser&&) noexcept = default;

void StreamParser::feed(std::string_view bytes) {
  if (impl_->pending.empty()) {
    impl_->pending = bytes;
    return;
  }
  std::string all(impl_->pending);
  all += bytes;
  impl_->owned = std::move(all);
  impl_->pending = impl_->owned;
}

std::expected<StreamEvent, ParseError> StreamParser::next() { return impl_->next(); }

std::string StreamParser::take_rest() {
  Impl& impl = *impl_;
  // Inside an element the unfinished token stays, because what was before it has been used.
  std::string rest = impl.reader.take_token();
  rest += impl.pending;
  impl.pending = {};
  impl.owned = {};
  return rest;
}

void StreamParser::restart() {
  Impl& impl = *impl_;
  std::string rest = take_rest();
  impl.reader = Reader();
  impl.close_next = false;
  impl.dead.reset();
  impl.owned = std::move(rest);
  impl.pending = impl.owned;
}

void StreamParser::set_limits(const XmlLimits& limits) { impl_->set_limits(limits); }

bool StreamParser::park() {
  impl_->reader.rest();
  return impl_->reader.between_elements();
}

bool StreamParser::inside_element() const { return !impl_->reader.outside(); }

std::expected<Element, ParseError> parse_element(std::string_view text, std::string_view default_ns,
                                                 const XmlLimits& limits) {
  if (text.starts_with("<?xml")) {
    const std::size_t end = text.find("?>");
    if (end == std::string_view::npos) return std::unexpected(ParseError::not_well_formed);
    if (const auto wrong = check_declaration(text.substr(0, end + 2))) return std::unexpected(*wrong);
    text.remove_prefix(end + 2);
  }
  StreamParser parser(limits);
  parser.impl_->reader.enter_stream({.name = "stream:stream",
                                     .default_ns = default_ns,
                                     .bindings = {{.prefix = "stream", .ns = "http://etherx.jabber.org/streams"}}});
  parser.feed(text);
  auto event = parser.next();
  if (!event) return std::unexpected(event.error());
  auto* element = std::get_if<Element>(&*event);
  if (element == nullptr) return std::unexpected(ParseError::not_well_formed);
  const auto after = parser.next();
  if (!after) return std::unexpected(after.error());
  if (!std::holds_alternative<NeedMore>(*after) || parser.inside_element()) {
    return std::unexpected(ParseError::not_well_formed);
  }
  return std::move(*element);
}

std::expected<Element, ParseError> parse_stored_element(std::string_view text, std::string_view default_ns,
                                                        std::size_t most_bytes) {
  return parse_element(text, default_ns,
                       {.element_bytes = most_bytes,
                        .depth = 512,
                        .attributes = 1024,
                        .name_bytes = 64 * 1024,
                        .attribute_value_bytes = 4 * 1024 * 1024,
                        .children = 1'000'000,
                        .tree_bytes = 1024 * 1024 * 1024});
}

}  // namespace kith::xml
