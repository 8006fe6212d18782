#include "base/network.h"

#include <gtest/gtest.h>

namespace kith {
namespace {

TEST(Network, an_ipv4_address_counts_for_itself) {
  EXPECT_EQ(network_of("192.0.2.7"), (Network{.bits = 0xc0000207, .v6 = false}));
  EXPECT_FALSE(network_of("192.0.2.7") == network_of("192.0.2.8"));
  EXPECT_FALSE(network_of("0.0.0.0") == network_of("::"));
}

TEST(Network, an_ipv6_address_counts_with_its_64_bits) {
  EXPECT_EQ(network_of("2001:db8:1:2:3:4:5:6"), (Network{.bits = 0x20010db800010002, .v6 = true}));
  EXPECT_EQ(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:2:ffff::9"));
  EXPECT_FALSE(network_of("2001:db8:1:2::1") == network_of("2001:db8:1:3::1"));
  EXPECT_EQ(network_of("fe80::1%eth0"), network_of("fe80::2"));
}

TEST(Network, an_ipv4_address_in_ipv6_clothes_is_one) {
  EXPECT_EQ(network_of("::ffff:192.0.2.7"), network_of("192.0.2.7"));
  EXPECT_FALSE(network_of("::ffff:192.0.2.7") == network_of("::ffff:192.0.2.8"));
}

TEST(Network, has_a_text_of_its_own) {
  EXPECT_EQ(to_text(network_of("0.0.0.1")), "4-1");
  EXPECT_EQ(to_text(network_of("0:0:0:1::")), "6-1");
}

TEST(Network, what_is_no_address_is_counted_together) {
  EXPECT_EQ(network_of("a socket"), network_of(""));
  EXPECT_EQ(network_of("192.0.2"), network_of("a socket"));
}

}  // namespace
}  // namespace kith
