#include "fast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"

namespace kith::bench {
namespace {

using ::testing::HasSubstr;

TEST(Returning, the_first_login_asks_for_a_token_and_the_next_one_uses_it) {
  Returning returning;
  const std::string first = authenticate_request("u7", "secret", returning, "");
  EXPECT_THAT(first,
              HasSubstr("mechanism='PLAIN'><initial-response>" + base64_encode(std::string("\0u7\0secret", 10))));
  EXPECT_THAT(first, HasSubstr("<request-token "));
  EXPECT_EQ(take_success("<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>u7@example.org/load.x"
                         "</authorization-identifier><token xmlns='urn:xmpp:fast:0' expiry='x' token='abc'/></success>",
                         returning),
            "u7@example.org/load.x");
  EXPECT_EQ(returning.token, "abc");
  const std::string next = authenticate_request("u7", "secret", returning, "binding");
  EXPECT_THAT(next, HasSubstr("mechanism='HT-SHA-256-EXPR'"));
  EXPECT_THAT(next, HasSubstr("<fast xmlns='urn:xmpp:fast:0'/>"));
  EXPECT_NE(next, authenticate_request("u7", "secret", returning, "other")) << "it is bound to the channel";
}

TEST(Returning, what_is_no_success_gives_no_address_and_takes_no_token) {
  Returning returning{.token = "abc", .tls = {}};
  EXPECT_EQ(take_success("<failure><token token='x'/></failure>", returning), "");
  EXPECT_EQ(returning.token, "abc");
}

}  // namespace
}  // namespace kith::bench
