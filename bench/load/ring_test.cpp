#include "ring.h"

#include <gtest/gtest.h>

#include "failure.h"

namespace kith::bench {
namespace {

TEST(Ring, of_two_contacts_exactly_one_is_ahead_of_the_other) {
  const Ring ring(100, 7, 4);
  for (unsigned a = 0; a < 7; ++a) {
    unsigned contacts = 0;
    for (unsigned b = 0; b < 7; ++b) {
      EXPECT_FALSE(ring.is_ahead(a, b) && ring.is_ahead(b, a));
      contacts += static_cast<unsigned>(ring.is_ahead(a, b) || ring.is_ahead(b, a));
    }
    EXPECT_EQ(contacts, 4U);
  }
}

TEST(Ring, a_place_is_known_by_its_address) {
  const Ring ring(100, 7, 4);
  EXPECT_EQ(ring.place_of(ring.user(3) + "@example.org/x"), 3U);
  for (const char* jid : {"u107@example.org", "u99@example.org", "u100", "x100@example.org", "u@example.org", ""})
    EXPECT_EQ(ring.place_of(jid), std::nullopt) << jid;
}

TEST(Ring, impossible_numbers_are_refused) {
  EXPECT_THROW(Ring(0, 4, 4), StepFailed);
  EXPECT_THROW(Ring(0, 9, 3), StepFailed);
  EXPECT_THROW(Ring(0, 9, 0), StepFailed);
}

}  // namespace
}  // namespace kith::bench
