#include "modules/external_services/service_address.h"

#include <gtest/gtest.h>

namespace kith::modules {
namespace {

std::string told(const std::string& text) {
  const auto made = parse_service_address(text);
  if (!made) return "refused";
  return made->type + " " + made->host + " " + std::to_string(made->port) + " " + made->transport;
}

TEST(ServiceAddress, has_the_port_and_transport_of_its_scheme) {
  EXPECT_EQ(told("stun:stun.capulet.lit"), "stun stun.capulet.lit 3478 udp");
  EXPECT_EQ(told("turn:turn.capulet.lit"), "turn turn.capulet.lit 3478 udp");
  EXPECT_EQ(told("stuns:stun.capulet.lit"), "stuns stun.capulet.lit 5349 tcp");
  EXPECT_EQ(told("turns:turn.capulet.lit"), "turns turn.capulet.lit 5349 tcp");
}

TEST(ServiceAddress, may_say_port_and_transport) {
  EXPECT_EQ(told("turn:turn.capulet.lit:99?transport=tcp"), "turn turn.capulet.lit 99 tcp");
  EXPECT_EQ(told("turns:turn.capulet.lit?transport=udp"), "turns turn.capulet.lit 5349 udp");
}

TEST(ServiceAddress, may_be_numeric) {
  EXPECT_EQ(told("stun:192.0.2.7:3479"), "stun 192.0.2.7 3479 udp");
  EXPECT_EQ(told("stun:[2001:db8::7]"), "stun 2001:db8::7 3478 udp");
  EXPECT_EQ(told("stun:[2001:db8::7]:3479"), "stun 2001:db8::7 3479 udp");
}

TEST(ServiceAddress, is_written_as_dns_has_it) {
  EXPECT_EQ(told("stun:B\xC3\xBC"
                 "cher.example"),
            "stun xn--bcher-kva.example 3478 udp");
}

TEST(ServiceAddress, is_refused_where_it_is_none) {
  for (const char* text :
       {"", "turn", "turn:", "http:turn.capulet.lit", "turn:turn.capulet.lit:", "turn:a b", "turn:turn.capulet.lit:0",
        "turn:turn.capulet.lit:65536", "turn:turn.capulet.lit:3478x", "turn:turn.capulet.lit?transport=sctp",
        "turn:turn.capulet.lit?", "stun:[2001:db8::7", "stun:[]", "stun:[nonsense]", "stun:[2001:db8::7]3478",
        "stun:[2001:db8::7]:", "TURN:turn.capulet.lit"}) {
    EXPECT_EQ(told(text), "refused") << text;
  }
}

}  // namespace
}  // namespace kith::modules
