#include "ring.h"

#include <charconv>

#include "failure.h"

namespace kith::bench {

Ring::Ring(unsigned first, unsigned accounts, unsigned contacts)
    : first_(first), accounts_(accounts), contacts_(contacts) {
  if (contacts < 2 || contacts % 2 != 0 || contacts >= accounts)
    throw StepFailed("choosing contacts", "an even number from 2 on is needed, and more accounts than contacts");
}

bool Ring::is_ahead(unsigned of, unsigned place) const {
  const unsigned distance = (place + accounts_ - of) % accounts_;
  return distance >= 1 && distance <= ahead();
}

std::string Ring::user(unsigned place) const { return "u" + std::to_string(first_ + place); }

std::optional<unsigned> Ring::place_of(std::string_view jid) const {
  if (!jid.starts_with('u')) return std::nullopt;
  const char* const end = jid.data() + jid.size();
  unsigned number = 0;
  const auto [stop, error] = std::from_chars(jid.data() + 1, end, number);
  if (error != std::errc() || stop == end || *stop != '@') return std::nullopt;
  if (number < first_ || number - first_ >= accounts_) return std::nullopt;
  return number - first_;
}

}  // namespace kith::bench
