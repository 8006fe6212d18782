// What waits for somebody who is away, where a script cannot say it: large messages.
#include <string>

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

}  // namespace
}  // namespace kith::scenario
