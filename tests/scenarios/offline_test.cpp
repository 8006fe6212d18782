// What waits for somebody who is away, where a script cannot say it: large messages.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::scenario {
namespace {

// SECURITY: a page of messages that grow when they are written ('>' leaves as '&gt;') once overflowed the outbox of
// whoever came to fetch them, at each login anew: a stranger could shut anybody out.
TEST(Offline, large_messages_do_not_shut_their_reader_out) {
  WorldOptions options;
  options.limits.bytes_after_login = {.per_second = 1e9, .burst = 1e9};
  World world(options);
  world.add_account("romeo@localhost", "password");
  world.add_account("juliet@localhost", "password");
  auto romeo = world.log_in("romeo@localhost", "password", "orchard");
  ASSERT_TRUE(romeo) << romeo.error();
  constexpr int count = 7;
  const std::string body(250'000, '>');
  for (int i = 0; i < count; ++i) {
    (*romeo)->send("<message to='juliet@localhost' type='chat' id='m" + std::to_string(i) + "'><body>" + body +
                   "</body></message>");
    world.settle();
  }
  auto juliet = world.log_in("juliet@localhost", "password", "balcony");
  ASSERT_TRUE(juliet) << juliet.error();
  (*juliet)->send("<presence/>");
  int got = 0;
  for (int second = 0; second < 60 && got < count; ++second) {
    world.settle();
    while (const auto element = (*juliet)->next()) {
      ASSERT_NE(element->name(), "error") << xml::to_string(*element).substr(0, 300);
      if (element->name() != "message") continue;
      EXPECT_EQ(element->attribute("id"), "m" + std::to_string(got));
      ++got;
    }
    world.advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(got, count);
  EXPECT_FALSE((*juliet)->stream_closed());
}

/// Bodies of the messages that come, in order.
std::vector<std::string> bodies(World& world, WorldClient& client) {
  std::vector<std::string> all;
  world.settle();
  while (const auto element = client.next()) {
    if (const auto* body = element->child("body", xmpp::ns::client); element->name() == "message" && body != nullptr)
      all.push_back(body->text());
  }
  return all;
}

/// Romeo writes three messages to Juliet, who is away; what a client of hers gets that takes only so many bytes.
class SlowReader : public ::testing::Test {
 protected:
  SlowReader() {
    world.add_account("romeo@localhost", "password");
    world.add_account("juliet@localhost", "password");
    auto romeo = enter("romeo@localhost", {});
    for (const std::string body : {"one", "two", "three"})
      romeo->send("<message to='juliet@localhost' type='chat'><body>" + body + "</body></message>");
    world.settle();
  }
  std::unique_ptr<WorldClient> enter(const std::string& who, net::LinkOptions link) {
    auto client = world.log_in(who, "password", "balcony", std::move(link));
    if (!client) throw std::runtime_error(client.error());
    return std::move(*client);
  }
  World world;
};

// Promise 1: a sign of life from a client says nothing about what has not left the server's memory.
TEST_F(SlowReader, what_is_still_in_the_outbox_survives_a_crash_whatever_the_client_says) {
  auto juliet = enter("juliet@localhost", {});
  juliet->link().set_window(40);
  juliet->send("<presence/>");
  world.settle();
  juliet->send("<message to='romeo@localhost' type='chat'><body>hark</body></message>");
  world.settle();
  world.advance(std::chrono::seconds(5));
  world.restart();
  auto again = enter("juliet@localhost", {});
  again->send("<presence/>");
  EXPECT_THAT(bodies(world, *again), ::testing::ElementsAre("one", "two", "three"));
}

TEST_F(SlowReader, what_has_left_goes_when_the_client_has_said_something) {
  auto juliet = enter("juliet@localhost", {});
  juliet->send("<presence/>");
  EXPECT_THAT(bodies(world, *juliet), ::testing::ElementsAre("one", "two", "three"));
  world.advance(std::chrono::milliseconds(10));
  juliet->send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.settle();
  world.advance(std::chrono::seconds(5));
  world.restart();
  auto again = enter("juliet@localhost", {});
  again->send("<presence/>");
  EXPECT_THAT(bodies(world, *again), ::testing::IsEmpty());
}

}  // namespace
}  // namespace kith::scenario
