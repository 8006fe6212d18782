#include "xml/stream_parser.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/random.h"
#include "xml/scanner.h"
#include "xml/tree_parser.h"
#include "xml/writer.h"

namespace kith::xml {
namespace {

/// Longer stream headers are not worth a parser at rest of their own.
constexpr std::size_t longest_kept_header = 1024;
/// Deeper trees would make recursive walks over them unsafe, whatever the configuration says.
constexpr std::size_t deepest = 512;

std::string_view raw_name(std::string_view start_tag) {
  return start_tag.substr(1, start_tag.find_first_of(" \t\r\n/>", 1) - 1);
}

/// A start tag of that (prefixed) name, with these declarations and nothing else.
std::string header_text(std::string_view name, const std::vector<std::pair<std::string, std::string>>& declared) {
  std::string text("<");
  text += name;
  for (const auto& [prefix, ns] : declared) {
    text += prefix.empty() ? " xmlns" : " xmlns:";
    text.append(prefix).append("='");
    escape_attribute(text, ns);
    text += '\'';
  }
  text += '>';
  text.shrink_to_fit();
  return text;
}

}  // namespace

struct ExpatPool::Entry {
  explicit Entry(const HashSalt& salt) : tree(salt) {}
  TreeParser tree;
};

ExpatPool::ExpatPool(std::size_t keep) : keep_(keep) { SystemRandom().fill(std::as_writable_bytes(std::span(salt_))); }

ExpatPool::~ExpatPool() = default;

std::unique_ptr<ExpatPool::Entry> ExpatPool::lend(std::string_view header) {
  std::unique_ptr<Entry> entry;
  const auto same = std::ranges::find_if(idle_, [&](const auto& idle) { return idle->tree.header() == header; });
  if (same != idle_.end()) {
    entry = std::move(*same);
    *same = std::move(idle_.back());
    idle_.pop_back();
    ++lent_;
    return entry;
  }
  if (idle_.empty()) {
    entry = std::make_unique<Entry>(salt_);
  } else {
    entry = std::move(idle_.back());
    idle_.pop_back();
  }
  if (!entry->tree.start(header)) return nullptr;
  ++lent_;
  return entry;
}

void ExpatPool::give_back(std::unique_ptr<Entry> entry, bool reusable) {
  --lent_;
  const TreeParser& tree = entry->tree;
  if (!reusable || idle_.size() >= keep_ || tree.worn() || tree.bloated()) return;
  if (tree.header().empty() || tree.header().size() > longest_kept_header) return;
  idle_.push_back(std::move(entry));
}

struct StreamParser::Impl {
  Impl(ExpatPool& lender, const XmlLimits& l) : pool(&lender) { set_limits(l); }
  ~Impl() { drop(false); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void set_limits(const XmlLimits& l) {
    limits = l;
    limits.depth = std::min(limits.depth, deepest);
  }
  void drop(bool reusable) {
    if (entry != nullptr) pool->give_back(std::move(entry), reusable);
    inside = false;
  }
  std::unexpected<ParseError> die(ParseError error) {
    dead = error;
    drop(false);
    pending = {};
    owned = {};
    held = {};
    return std::unexpected(error);
  }

  std::expected<void, ParseError> give(std::string_view bytes);
  std::expected<void, ParseError> give_scanned(const Scanner::Result& result, std::string_view bytes);
  std::expected<StreamEvent, ParseError> next();
  std::expected<StreamEvent, ParseError> opened(bool closed_too);

  ExpatPool* pool;
  XmlLimits limits;
  Scanner scanner;
  std::unique_ptr<ExpatPool::Entry> entry;  // null while parked
  std::string_view pending;                 // fed, and not yet scanned
  std::string owned;                        // what `pending` points into, if the caller's bytes could not stay
  std::string held;                         // an unfinished token: scanned, and not yet given to expat
  std::string header;                       // the stream's start tag, to be given to the next parser
  std::string root_name;                    // its name as written, until `header` is made
  bool inside = false;                      // the parser has been given a part of an element
  bool close_next = false;
  std::optional<ParseError> dead;
};

std::expected<void, ParseError> StreamParser::Impl::give(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (entry == nullptr) {
    entry = pool->lend(header);
    if (entry == nullptr) return std::unexpected(ParseError::not_well_formed);
  } else if (!inside && entry->tree.worn() && !entry->tree.start(header)) {
    return std::unexpected(ParseError::not_well_formed);
  }
  inside = true;
  return entry->tree.give(bytes, limits);
}

/// Gives expat what is whole of the bytes that were scanned, and holds the unfinished token at their end.
std::expected<void, ParseError> StreamParser::Impl::give_scanned(const Scanner::Result& result,
                                                                 std::string_view bytes) {
  std::size_t from = result.begin;
  if (!held.empty()) {
    if (result.first_end == Scanner::none) {
      if (result.found == Scanner::Found::need_more) held.append(bytes);
      return {};
    }
    held.append(bytes.substr(0, result.first_end));
    if (header.empty()) root_name = raw_name(held);
    const auto given = give(held);
    held = {};
    if (!given) return given;
    from = result.first_end;
  } else if (header.empty() && result.found == Scanner::Found::header) {
    root_name = raw_name(bytes.substr(from));
  }
  const auto given = give(bytes.substr(from, result.safe - from));
  if (given && result.found == Scanner::Found::need_more) held.assign(bytes.substr(result.safe));
  return given;
}

std::expected<StreamEvent, ParseError> StreamParser::Impl::opened(bool closed_too) {
  inside = false;
  std::optional<Element> root = entry->tree.take_header();
  if (!root || entry->tree.closed() != closed_too) return die(ParseError::not_well_formed);
  StreamOpen open{.header = std::move(*root), .default_ns = {}};
  for (const auto& [prefix, ns] : entry->tree.declared()) {
    if (prefix.empty()) open.default_ns = ns;
  }
  header = header_text(root_name, entry->tree.declared());
  root_name = {};
  entry->tree.set_header(header);
  close_next = closed_too;
  if (closed_too) drop(false);
  return open;
}

std::expected<StreamEvent, ParseError> StreamParser::Impl::next() {
  if (dead) return std::unexpected(*dead);
  if (close_next) {
    close_next = false;
    return StreamClose{};
  }
  for (;;) {
    const Scanner::Result result = scanner.scan(pending, limits);
    const std::string_view bytes = pending.substr(0, result.used);
    pending.remove_prefix(result.used);
    if (result.found == Scanner::Found::declaration) {
      held.append(bytes.substr(result.begin));
      const std::optional<ParseError> wrong = check_declaration(held);
      held = {};
      if (wrong) return die(*wrong);
      continue;
    }
    if (const auto given = give_scanned(result, bytes); !given) return die(given.error());
    switch (result.found) {
      case Scanner::Found::need_more:
        pending = {};
        owned = {};
        return NeedMore{};
      case Scanner::Found::header:
        return opened(result.closed_too);
      case Scanner::Found::element: {
        inside = false;
        std::optional<Element> element = entry->tree.take_element();
        if (!element || entry->tree.closed()) return die(ParseError::not_well_formed);
        return std::move(*element);
      }
      case Scanner::Found::close: {
        const bool closed = entry->tree.closed();
        drop(false);
        if (!closed) return die(ParseError::not_well_formed);
        return StreamClose{};
      }
      case Scanner::Found::declaration:
      case Scanner::Found::error:
        return die(result.error);
    }
  }
}

StreamParser::StreamParser(ExpatPool& pool, const XmlLimits& limits) : impl_(std::make_unique<Impl>(pool, limits)) {}
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
  std::string rest;
  // Inside an element the unfinished token stays, because what was before it has been used.
  if (impl.scanner.rewind()) rest = std::exchange(impl.held, {});
  rest += impl.pending;
  impl.pending = {};
  impl.owned = {};
  return rest;
}

void StreamParser::restart() {
  Impl& impl = *impl_;
  std::string rest = take_rest();
  impl.drop(!impl.inside);
  impl.scanner = Scanner();
  impl.header = {};
  impl.held = {};
  impl.close_next = false;
  impl.dead.reset();
  impl.owned = std::move(rest);
  impl.pending = impl.owned;
}

void StreamParser::set_limits(const XmlLimits& limits) { impl_->set_limits(limits); }

bool StreamParser::park() {
  if (!impl_->inside) impl_->drop(true);
  return impl_->entry == nullptr;
}

void StreamParser::set_pool(ExpatPool& pool) { impl_->pool = &pool; }

bool StreamParser::inside_element() const { return !impl_->scanner.outside(); }

std::expected<Element, ParseError> parse_element(std::string_view text, std::string_view default_ns,
                                                 const XmlLimits& limits) {
  if (text.starts_with("<?xml")) {
    const std::size_t end = text.find("?>");
    if (end == std::string_view::npos) return std::unexpected(ParseError::not_well_formed);
    if (const auto wrong = check_declaration(text.substr(0, end + 2))) return std::unexpected(*wrong);
    text.remove_prefix(end + 2);
  }
  ExpatPool pool(0);
  StreamParser parser(pool, limits);
  parser.impl_->header =
      header_text("stream:stream", {{"", std::string(default_ns)}, {"stream", "http://etherx.jabber.org/streams"}});
  parser.impl_->scanner.enter_stream();
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

}  // namespace kith::xml
