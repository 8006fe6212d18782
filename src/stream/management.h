// The elements of stream management (XEP-0198 v1.6.3, urn:xmpp:sm:3): reading and making them. No state.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "xml/element.h"
#include "xmpp/error.h"

namespace kith::stream {

/// <enable/>
struct EnableRequest {
  bool resume = false;
  std::optional<std::chrono::seconds> max{};  ///< the longest time that the client wants to be waited for
};
EnableRequest read_enable(const xml::Element& enable);

/// The value of an `h`, or nothing if there is none or it is no unsignedInt.
std::optional<std::uint32_t> read_h(const xml::Element& element);

xml::Element enabled_element(std::string_view id, std::optional<std::chrono::seconds> max);
xml::Element acknowledgement(std::uint32_t h);
xml::Element acknowledgement_request();
xml::Element resumed_element(std::string_view previd, std::uint32_t h);
/// `h`: how much the session that is over had handled, if that is known (§5).
xml::Element sm_failed_element(xmpp::Condition condition, std::optional<std::uint32_t> h = std::nullopt);
/// §6: more was acknowledged than was sent.
xmpp::StreamError handled_count_too_high(std::uint32_t h, std::uint32_t sent);

}  // namespace kith::stream
