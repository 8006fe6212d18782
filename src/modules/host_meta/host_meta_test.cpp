#include "modules/host_meta/host_meta.h"

#include <gtest/gtest.h>

#include "module/testing.h"
#include "module/testing_http.h"

namespace kith::modules {
namespace {

using module::testing::ask;
using module::testing::Stage;

TEST(HostMeta, tells_where_the_websocket_is) {
  Stage stage;
  stage.use<HostMeta>();
  const auto xml = ask(stage, {.method = "GET", .path = "/.well-known/host-meta", .host = "capulet.lit"});
  EXPECT_EQ(xml.status, 200);
  EXPECT_NE(
      xml.body.find("<Link rel=\"urn:xmpp:alt-connections:websocket\" href=\"wss://capulet.lit/xmpp-websocket\"/>"),
      std::string::npos);
  const auto json = ask(stage, {.method = "GET", .path = "/.well-known/host-meta.json", .host = "capulet.lit"});
  EXPECT_EQ(json.body,
            "{\"links\":[{\"rel\":\"urn:xmpp:alt-connections:websocket\","
            "\"href\":\"wss://capulet.lit/xmpp-websocket\"}]}\n");
}

TEST(HostMeta, tells_all_that_is_needed_where_addresses_are_known) {
  Stage stage;
  stage.use<HostMeta>({{"addresses", std::vector<std::string>{"192.0.2.7", "2001:db8::7"}}});
  const auto json = ask(stage, {.method = "GET", .path = "/.well-known/host-meta.json", .host = "capulet.lit"});
  const std::string more =
      ",\"sni\":\"capulet.lit\",\"priority\":10,\"weight\":10,\"ips\":[\"192.0.2.7\",\"2001:db8::7\"]}";
  EXPECT_EQ(json.body,
            "{\"xmpp\":{\"ttl\":3600},\"links\":[{\"rel\":\"urn:xmpp:alt-connections:websocket\","
            "\"href\":\"wss://capulet.lit/xmpp-websocket\"" +
                more + ",{\"rel\":\"urn:xmpp:alt-connections:tls\",\"port\":5223" + more + "]}\n");
}

TEST(HostMeta, an_address_that_is_none_is_refused) {
  EXPECT_FALSE(HostMeta::check_address("2001:db8::7"));
  EXPECT_TRUE(HostMeta::check_address("example.org"));
  EXPECT_TRUE(HostMeta::check_address("\",\""));
}

}  // namespace
}  // namespace kith::modules
