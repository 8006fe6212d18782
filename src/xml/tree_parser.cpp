#include "xml/tree_parser.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace kith::xml {
namespace {

/// Between namespace and name in what expat says. No character of XML, so no namespace can contain it.
constexpr char separator = '\x01';
/// What expat takes at once; its lengths are ints.
constexpr std::size_t largest_piece = std::size_t{1} << 20U;

struct QualifiedName {
  std::string_view ns;
  std::string_view name;
};

QualifiedName split(const XML_Char* text) {
  const std::string_view whole(text);
  const std::size_t at = whole.find(separator);
  if (at == std::string_view::npos) return {.ns = {}, .name = whole};
  return {.ns = whole.substr(0, at), .name = whole.substr(at + 1)};
}

void set_hash_salt(XML_Parser parser, const HashSalt& salt) {
#if XML_MAJOR_VERSION > 2 || (XML_MAJOR_VERSION == 2 && XML_MINOR_VERSION >= 8)
  XML_SetHashSalt16Bytes(parser, salt.data());
#else
  // COMPAT(expat before 2.8, 2022, drop when Debian 12 is gone): it takes less, and 0 would mean none.
  unsigned long part = 0;
  static_assert(sizeof(part) <= sizeof(salt));
  std::memcpy(&part, salt.data(), sizeof(part));
  XML_SetHashSalt(parser, part | 1U);
#endif
}

}  // namespace

TreeParser::TreeParser(const HashSalt& hash_salt)
    : parser_(XML_ParserCreateNS("UTF-8", separator)), hash_salt_(hash_salt) {
  if (parser_ == nullptr) throw std::bad_alloc();
  install_handlers();
}

void TreeParser::install_handlers() {
  XML_Parser parser = parser_.get();
  // A salt of our own spares a system call each time it starts anew.
  set_hash_salt(parser, hash_salt_);
  XML_SetUserData(parser, this);
  XML_SetElementHandler(parser, on_start, on_end);
  XML_SetCharacterDataHandler(parser, on_text);
  XML_SetStartNamespaceDeclHandler(parser, on_namespace);
  // SECURITY: the scanner lets none of these through; should it ever, they end here and not in expat's entity code.
  XML_SetStartDoctypeDeclHandler(parser, [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    static_cast<TreeParser*>(self)->stop(ParseError::restricted_xml);
  });
  XML_SetProcessingInstructionHandler(parser, [](void* self, const XML_Char*, const XML_Char*) {
    static_cast<TreeParser*>(self)->stop(ParseError::restricted_xml);
  });
  XML_SetCommentHandler(
      parser, [](void* self, const XML_Char*) { static_cast<TreeParser*>(self)->stop(ParseError::restricted_xml); });
}

bool TreeParser::start(std::string_view header) {
  // A new parser need not be reset; one that stands right after the same header neither, but the callers see to that.
  if (given_ != 0) {
    XML_ParserReset(parser_.get(), "UTF-8");
    install_handlers();
  }
  root_.reset();
  declared_.clear();
  element_.reset();
  open_.clear();
  level_ = given_ = element_given_ = ns_bytes_ = 0;
  whole_ = closed_ = false;
  stopped_.reset();
  header_ = header;
  if (header.empty()) return true;
  silent_ = true;
  const bool good = parse(header).has_value() && level_ == 1;
  silent_ = false;
  return good;
}

std::expected<void, ParseError> TreeParser::give(std::string_view bytes, const XmlLimits& limits) {
  longest_ns_ = limits.name_bytes;
  ns_bytes_limit_ = limits.element_bytes;
  element_given_ += bytes.size();
  largest_ = std::max(largest_, element_given_);
  return parse(bytes);
}

std::expected<void, ParseError> TreeParser::parse(std::string_view bytes) {
  given_ += bytes.size();
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, largest_piece);
    bytes.remove_prefix(piece.size());
    if (XML_Parse(parser_.get(), piece.data(), static_cast<int>(piece.size()), XML_FALSE) != XML_STATUS_OK) {
      return std::unexpected(error());
    }
  }
  return {};
}

std::optional<Element> TreeParser::take_header() {
  element_given_ = ns_bytes_ = 0;
  return std::exchange(root_, std::nullopt);
}

std::optional<Element> TreeParser::take_element() {
  if (!whole_) return std::nullopt;
  whole_ = false;
  element_given_ = ns_bytes_ = 0;
  open_.clear();
  return std::exchange(element_, std::nullopt);
}

void TreeParser::stop(ParseError why) {
  if (!stopped_) stopped_ = why;
  XML_StopParser(parser_.get(), XML_FALSE);
}

ParseError TreeParser::error() const {
  if (stopped_) return *stopped_;
  switch (XML_GetErrorCode(parser_.get())) {
    case XML_ERROR_UNDEFINED_ENTITY:
    case XML_ERROR_RECURSIVE_ENTITY_REF:
    case XML_ERROR_BINARY_ENTITY_REF:
    case XML_ERROR_ATTRIBUTE_EXTERNAL_ENTITY_REF:
    case XML_ERROR_EXTERNAL_ENTITY_HANDLING:
    case XML_ERROR_AMPLIFICATION_LIMIT_BREACH:
      return ParseError::restricted_xml;
    case XML_ERROR_UNKNOWN_ENCODING:
    case XML_ERROR_INCORRECT_ENCODING:
      return ParseError::unsupported_encoding;
    default:
      return ParseError::not_well_formed;
  }
}

/// SECURITY: one declaration of a long namespace can be used by thousands of short prefixed names. It is kept once, and
/// because the writer declares it again for each of them, what that will take is counted as if it had been sent.
Element TreeParser::make_element(const XML_Char* name, const XML_Char** attributes) {
  const QualifiedName qualified = split(name);
  const Symbol* ns_around = open_.empty() ? nullptr : &open_.back()->ns_symbol();
  const bool same_ns = ns_around != nullptr && *ns_around == qualified.ns;
  if (!same_ns) ns_bytes_ += qualified.ns.size();
  Element element(qualified.name, same_ns ? *ns_around : Symbol(qualified.ns));

  std::size_t count = 0;
  while (attributes[2 * count] != nullptr) ++count;
  element.reserve_attributes(count);
  for (; *attributes != nullptr; attributes += 2) {
    const QualifiedName attribute = split(attributes[0]);
    if (attribute.ns != ns_xml) ns_bytes_ += attribute.ns.size();
    element.append_attribute(Attribute{.name = attribute.name, .ns = attribute.ns, .value = attributes[1]});
  }
  return element;
}

void TreeParser::on_start(void* self, const XML_Char* name, const XML_Char** attributes) noexcept {
  auto& tree = *static_cast<TreeParser*>(self);
  if (tree.stopped_) return;
  // An element after one that is whole means that the scanner saw another end than expat.
  if (tree.whole_) return tree.stop(ParseError::not_well_formed);
  if (tree.level_++ == 0 && tree.silent_) return;
  Element element = tree.make_element(name, attributes);
  if (tree.ns_bytes_ > tree.ns_bytes_limit_) return tree.stop(ParseError::limit_bytes);
  if (tree.level_ == 1) {
    tree.root_ = std::move(element);
  } else if (tree.level_ == 2) {
    tree.element_ = std::move(element);
    tree.open_.push_back(&*tree.element_);
  } else {
    // Only the innermost open element gets children, so that the addresses of those around it hold.
    tree.open_.push_back(&tree.open_.back()->append_child(std::move(element)));
  }
}

void TreeParser::on_end(void* self, const XML_Char*) noexcept {
  auto& tree = *static_cast<TreeParser*>(self);
  // SECURITY: expat tells the end of an empty element even when its start has stopped the parser.
  if (tree.stopped_) return;
  --tree.level_;
  if (tree.level_ == 0) {
    tree.closed_ = true;
    return;
  }
  tree.open_.pop_back();
  if (tree.level_ == 1) tree.whole_ = true;
}

void TreeParser::on_text(void* self, const XML_Char* text, int size) noexcept {
  auto& tree = *static_cast<TreeParser*>(self);
  if (tree.stopped_) return;
  if (tree.open_.empty()) return tree.stop(ParseError::bad_format);
  tree.open_.back()->add_text(std::string_view(text, static_cast<std::size_t>(size)));
}

void TreeParser::on_namespace(void* self, const XML_Char* prefix, const XML_Char* ns) noexcept {
  auto& tree = *static_cast<TreeParser*>(self);
  if (tree.silent_) return;
  const std::string_view name(ns == nullptr ? "" : ns);
  if (name.size() > tree.longest_ns_) return tree.stop(ParseError::limit_bytes);
  if (tree.level_ == 0) tree.declared_.emplace_back(prefix == nullptr ? "" : prefix, name);
}

}  // namespace kith::xml
