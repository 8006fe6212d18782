// Result Set Management (XEP-0059 v1.0): what page of a result is asked for, and what page was given.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "xml/element.h"
#include "xmpp/error.h"

namespace kith::xmpp {

namespace ns {
inline constexpr std::string_view rsm = "http://jabber.org/protocol/rsm";
}  // namespace ns

/// The `<set/>` of a request.
struct PageRequest {
  std::optional<std::uint64_t> max{};   ///< items; 0 asks for their number only (§2.7)
  std::optional<std::string> after{};   ///< the id before the page (§2.2)
  std::optional<std::string> before{};  ///< the id behind the page; empty: the last page (§2.3, §2.5)

  /// Of a request's payload; a request without `<set/>` asks for nothing in particular. Errors: bad_request (a max that
  /// is no number, an `after` that is empty, both `after` and `before`, two sets), feature_not_implemented (`<index/>`,
  /// §2.6).
  static std::expected<PageRequest, StanzaError> of(const xml::Element& payload);
};

/// The `<set/>` of an answer: ids of the first and last item, both empty for an empty page, and how many there are in
/// all, if that is known.
xml::Element page_element(std::string_view first, std::string_view last, std::optional<std::uint64_t> count = {});

}  // namespace kith::xmpp
