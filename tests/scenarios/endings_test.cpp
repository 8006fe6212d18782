// How streams, and whole servers, end: what still leaves, what is dropped, and what must not count against anybody.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "talk.h"

namespace kith::scenario {
namespace {

std::string failed_login(World& world, const std::string& auth) {
  Raw raw(world);
  raw.to_tls();
  return raw.say(auth);
}

TEST(Endings, an_iq_that_is_not_answered_yet_goes_down_with_the_server) {
  // However far the request came: read, with the worker, with the disk, or answered.
  bool more = true;
  for (int steps = 0; more; ++steps) {
    World world;
    world.add_account("juliet@localhost", "secret");
    auto juliet = entered(world, "juliet@localhost", "balcony");
    juliet->send(
        "<iq type='set' id='pw' to='localhost'><query xmlns='jabber:iq:register'><username>juliet</username>"
        "<password>other</password></query></iq>");
    for (int i = 0; i < steps && more; ++i) more = world.step();
    world.restart();
    EXPECT_TRUE(world.log_in("juliet@localhost", "secret", "balcony") ||
                world.log_in("juliet@localhost", "other", "balcony"))
        << steps;
  }
}

// SECURITY: what has come of an element is held in memory until it is whole.
TEST(Endings, an_element_that_comes_byte_by_byte_is_not_waited_for_for_ever) {
  World world({.shards = 1});
  world.add_account("juliet@localhost", "secret");
  auto juliet = entered(world, "juliet@localhost", "balcony");
  juliet->send("<message to='romeo@localhost'><body>");
  int minutes = 0;
  for (; minutes < 60 && !juliet->stream_closed(); minutes += 4) {
    juliet->send("x");
    world.settle();
    world.advance(std::chrono::minutes(4));
    world.settle();
    juliet->poll();
  }
  EXPECT_TRUE(juliet->stream_closed());
  EXPECT_LE(minutes, 16);
  EXPECT_EQ(world.sessions("juliet@localhost"), 0U);
}

TEST(Endings, what_waits_for_the_disk_leaves_before_the_server_stops) {
  World world({.shards = 1});
  world.add_account("juliet@localhost", "secret");
  auto juliet = entered(world, "juliet@localhost", "balcony");
  world.storage().hold_commits(true);
  juliet->send("<iq type='set' id='add'><query xmlns='jabber:iq:roster'><item jid='romeo@localhost'/></query></iq>");
  EXPECT_TRUE(got(world, *juliet).empty());
  world.shard(0).c2s().shut_down();
  EXPECT_TRUE(got(world, *juliet).empty());
  world.storage().hold_commits(false);
  world.storage().commit_now();
  const auto lines = got(world, *juliet);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("id='add'"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("system-shutdown"), std::string::npos) << lines[1];
  EXPECT_TRUE(juliet->stream_closed());
}

TEST(Endings, a_disk_that_never_answers_does_not_hold_the_end_back_for_ever) {
  World world({.shards = 1});
  world.add_account("juliet@localhost", "secret");
  auto juliet = entered(world, "juliet@localhost", "balcony");
  world.storage().hold_commits(true);
  juliet->send("<iq type='set' id='add'><query xmlns='jabber:iq:roster'><item jid='romeo@localhost'/></query></iq>");
  world.settle();
  world.shard(0).c2s().shut_down();
  world.advance(std::chrono::seconds(11));
  const auto lines = got(world, *juliet);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("system-shutdown"), std::string::npos) << lines[0];
}

TEST(Endings, a_channel_binding_that_the_server_does_not_have_is_no_guess_at_a_password) {
  World world;
  world.add_account("juliet@localhost", "secret");
  const std::string unknown_binding = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256-PLUS'>" +
                                      base64_encode("p=tls-odd,,n=juliet,r=abcdefghijklmnop") + "</auth>";
  const auto guesses = static_cast<std::size_t>(Limits{}.failed_logins_per_address_rate.burst);
  for (std::size_t i = 0; i < guesses + 5; ++i) {
    EXPECT_NE(failed_login(world, unknown_binding).find("<not-authorized/>"), std::string::npos) << i;
  }
  // So the first true guess is answered at once, too; and those beyond the limit are not.
  for (std::size_t i = 0; i < guesses + 1; ++i) {
    EXPECT_EQ(failed_login(world, plain("juliet", "wrong")).find("<not-authorized/>") != std::string::npos, i < guesses)
        << i;
  }
}

TEST(Endings, an_answer_that_is_held_back_comes_and_the_stream_goes_on) {
  World world;
  world.add_account("juliet@localhost", "secret");
  const auto guesses = static_cast<std::size_t>(Limits{}.failed_logins_per_address_rate.burst);
  for (std::size_t i = 0; i < guesses; ++i) failed_login(world, plain("juliet", "wrong"));
  Raw raw(world);
  raw.to_tls();
  EXPECT_EQ(raw.say(plain("juliet", "wrong")), "");
  world.advance(std::chrono::seconds(11));
  EXPECT_NE(raw.take().find("<not-authorized/>"), std::string::npos);
  EXPECT_NE(raw.say(plain("juliet", "secret")).find("<success"), std::string::npos);
}

TEST(Endings, who_reads_nothing_before_login_is_let_go) {
  WorldOptions options;
  options.limits.outbox_bytes_before_login = 8 * 1024;
  options.settings["registration"]["open"] = true;
  World world(options);
  Raw raw(world, {.direct_tls = true, .window_bytes = 256});
  const std::string asks = "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>";
  raw.client->send(header);
  world.settle();
  for (int i = 0; i < 60; ++i) {
    raw.client->send(asks);
    world.settle();
  }
  // Let go: what it is told of it is all that still waits, and that not for ever.
  world.advance(std::chrono::seconds(11));
  EXPECT_EQ(world.connections(), 0U);
}

}  // namespace
}  // namespace kith::scenario
