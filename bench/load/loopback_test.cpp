#include "loopback.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace kith::bench {
namespace {

TEST(Loopback, addresses_of_this_machine_are_taken) {
  for (const char* address : {"127.0.0.1", "127.255.255.254", "::1"})
    EXPECT_TRUE(loopback_endpoint(address, 5222)) << address;
}

TEST(Loopback, everything_else_is_refused) {
  for (const char* address : {"192.0.2.1", "0.0.0.0", "128.0.0.1", "10.0.0.1", "::", "::2", "2001:db8::1", "fe80::1",
                              "::ffff:192.0.2.1", "localhost", "example.org", "127.1", "127.0.0.1:5222", ""})
    EXPECT_FALSE(loopback_endpoint(address, 5222)) << address;
}

TEST(Loopback, the_port_is_in_the_endpoint) {
  const auto endpoint = loopback_endpoint("127.0.0.1", 5222);
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(reinterpret_cast<const sockaddr_in*>(&endpoint->address)->sin_port, htons(5222));
}

}  // namespace
}  // namespace kith::bench
