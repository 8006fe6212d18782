#include "xmpp/rsm.h"

#include <charconv>

namespace kith::xmpp {

namespace {
StanzaError bad(std::string text) { return {ErrorType::modify, Condition::bad_request, std::move(text)}; }
}  // namespace

std::expected<PageRequest, StanzaError> PageRequest::of(const xml::Element& payload) {
  PageRequest page;
  std::size_t sets = 0;
  payload.for_each_child([&](const xml::Element& child) { sets += child.is("set", ns::rsm) ? 1 : 0; });
  if (sets > 1) return std::unexpected(bad("More than one <set/>."));
  const xml::Element* set = payload.child("set", ns::rsm);
  if (set == nullptr) return page;
  if (set->child("index", ns::rsm) != nullptr) {
    return std::unexpected(StanzaError::of(Condition::feature_not_implemented, "Pages are asked for by id."));
  }
  if (const xml::Element* max = set->child("max", ns::rsm)) {
    const std::string text = max->text();
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::result_out_of_range) {
      number = UINT64_MAX;  // As many as there may be.
    } else if (error != std::errc() || end != text.data() + text.size()) {
      return std::unexpected(bad("<max/> must be a number."));
    }
    page.max = number;
  }
  if (const xml::Element* after = set->child("after", ns::rsm)) page.after = after->text();
  if (const xml::Element* before = set->child("before", ns::rsm)) page.before = before->text();
  if (page.after && page.before) return std::unexpected(bad("Either <after/> or <before/>."));
  if (page.after && page.after->empty()) return std::unexpected(bad("<after/> must name an id."));
  return page;
}

xml::Element page_element(std::string_view first, std::string_view last, std::optional<std::uint64_t> count) {
  xml::Element set("set", ns::rsm);
  if (!first.empty()) set.add_text_child("first", first).add_text_child("last", last);
  if (count) set.add_text_child("count", std::to_string(*count));
  return set;
}

}  // namespace kith::xmpp
