// Logging in, binding, moving to the account's shard, and every way for a session to end; through a whole server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/crossing.h"
#include "two_people.h"

namespace kith::scenario {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class SessionsTest : public TwoPeople {
 protected:
  void befriend(WorldClient& a, WorldClient& b) {
    const auto bare = [](const WorldClient& client) { return client.full_jid.substr(0, client.full_jid.find('/')); };
    a.send("<presence type='subscribe' to='" + bare(b) + "'/>");
    world->settle();
    b.send("<presence type='subscribed' to='" + bare(a) + "'/>");
    world->settle();
    got(*world, a);
    got(*world, b);
  }
};

TEST_F(SessionsTest, a_newer_session_takes_the_resource_and_contacts_see_one_go_and_one_come) {
  auto romeo = available(*world, "romeo@localhost", "orchard");
  auto old_one = available(*world, "juliet@localhost", "balcony");
  befriend(*romeo, *old_one);
  auto new_one = entered(*world, "juliet@localhost", "balcony");
  EXPECT_EQ(new_one->full_jid, "juliet@localhost/balcony");
  EXPECT_THAT(got(*world, *old_one), ElementsAre(HasSubstr("<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'")));
  EXPECT_TRUE(old_one->stream_closed());
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
  EXPECT_THAT(got(*world, *romeo),
              ElementsAre(AllOf(HasSubstr("type='unavailable'"), HasSubstr("from='juliet@localhost/balcony'"))));
  new_one->send("<presence><show>chat</show></presence>");
  EXPECT_THAT(got(*world, *romeo),
              ElementsAre(AllOf(HasSubstr("<show>chat</show>"), HasSubstr("from='juliet@localhost/balcony'"))));
  // What the old one still sends changes nothing.
  old_one->send("<presence type='unavailable'/>");
  EXPECT_THAT(got(*world, *romeo), IsEmpty());
  romeo->send("<message to='juliet@localhost/balcony' type='chat'><body>hi</body></message>");
  EXPECT_THAT(got(*world, *new_one), ::testing::Contains(HasSubstr("<body>hi</body>")));
}

TEST_F(SessionsTest, what_an_ousted_client_had_sent_already_is_not_taken) {
  auto romeo = available(*world, "romeo@localhost", "orchard");
  auto old_one = entered(*world, "juliet@localhost", "balcony");
  auto new_one = entered(*world, "juliet@localhost", "balcony");
  old_one->send("<message to='romeo@localhost/orchard' type='chat'><body>ghost</body></message>");
  EXPECT_THAT(got(*world, *romeo), IsEmpty());
  EXPECT_EQ(world->connections(), 2U);
}

TEST_F(SessionsTest, a_resource_that_the_server_makes_is_long_and_never_the_same) {
  auto one = entered(*world, "juliet@localhost", "");
  auto two = entered(*world, "juliet@localhost", "");
  EXPECT_NE(one->full_jid, two->full_jid);
  EXPECT_GE(one->full_jid.size(), std::string("juliet@localhost/").size() + 16);
  Raw raw = logged_in();
  EXPECT_THAT(raw.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource/></bind></iq>"),
              HasSubstr("<jid>juliet@localhost/"));
  EXPECT_EQ(world->sessions("juliet@localhost"), 3U);
}

TEST_F(SessionsTest, beyond_the_most_sessions_of_an_account_the_oldest_goes) {
  WorldOptions options;
  options.limits.sessions_per_account = 3;
  begin(options);
  std::vector<std::unique_ptr<WorldClient>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(entered(*world, "juliet@localhost", "r" + std::to_string(i)));
  EXPECT_EQ(world->sessions("juliet@localhost"), 3U);
  EXPECT_THAT(got(*world, *clients[0]), ElementsAre(HasSubstr("<policy-violation ")));
  for (int i = 1; i < 4; ++i) {
    EXPECT_THAT(got(*world, *clients[static_cast<std::size_t>(i)]), IsEmpty());
    EXPECT_FALSE(clients[static_cast<std::size_t>(i)]->stream_closed());
  }
}

TEST_F(SessionsTest, a_bind_that_is_wrong_is_refused_and_can_be_mended) {
  Raw raw = logged_in();
  EXPECT_THAT(raw.say(bind_iq(std::string(1024, 'x'))),
              AllOf(StartsWith("<iq type='error' id='bind'>"), HasSubstr("<bad-request ")));
  EXPECT_THAT(raw.say("<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
              HasSubstr("<bad-request "));
  EXPECT_THAT(raw.say(bind_iq("balcony")), HasSubstr("<jid>juliet@localhost/balcony</jid>"));
  // A stream has one resource.
  EXPECT_THAT(raw.say(bind_iq("window")), HasSubstr("type='error'"));
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
  EXPECT_FALSE(raw.closed());
}

TEST_F(SessionsTest, a_connection_moves_to_its_accounts_shard_and_loses_nothing) {
  std::set<unsigned> owners;
  for (int account = 0; account < 12; ++account) {
    const std::string user = "user" + std::to_string(account);
    world->add_account(user + "@localhost", "secret");
    owners.insert(router::owner_of(*xmpp::BareJid::parse(user + "@localhost"), 3));
    for (unsigned shard = 0; shard < 3; ++shard) {
      SCOPED_TRACE(user + " on " + std::to_string(shard));
      world->accept_next_on(shard);
      Raw raw = logged_in(user);
      std::string all = bind_iq("r");
      for (int i = 0; i < 30; ++i) {
        all += "<iq type='get' id='p" + std::to_string(i) + "' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";
      }
      // In pieces that end anywhere, some while the connection is on its way.
      const std::size_t piece = 61 + static_cast<std::size_t>(account) * 37 + shard;
      for (std::size_t at = 0; at < all.size(); at += piece) {
        raw.client->send(all.substr(at, piece));
        world->step();
      }
      raw.world.settle();
      std::vector<std::string> ids;
      const std::string reply = raw.take();
      EXPECT_THAT(reply, HasSubstr("<jid>" + user + "@localhost/r</jid>"));
      for (auto at = reply.find("id='p"); at != std::string::npos; at = reply.find("id='p", at + 1)) {
        ids.push_back(reply.substr(at + 4, reply.find('\'', at + 4) - at - 4));
      }
      ASSERT_THAT(ids, SizeIs(30));
      for (int i = 0; i < 30; ++i) EXPECT_EQ(ids[static_cast<std::size_t>(i)], "p" + std::to_string(i));
    }
  }
  EXPECT_THAT(owners, SizeIs(3));
}

TEST_F(SessionsTest, a_connection_that_vanishes_at_any_moment_leaves_nothing_behind) {
  const std::string all = header + plain("juliet", "secret") + header + bind_iq("balcony") +
                          "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence/>"
                          "<message to='romeo@localhost'><body>hi</body></message>"
                          "<iq type='set' id='s1'><query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query></iq>";
  for (const bool cut : {true, false}) {
    for (unsigned shard = 0; shard < 3; ++shard) {
      bool more = true;
      int steps = 0;
      for (; more; ++steps) {
        // The account is loaded anew each time.
        world->advance(seconds(300));
        ASSERT_EQ(world->shard(0).router().accounts().size() + world->shard(1).router().accounts().size() +
                      world->shard(2).router().accounts().size(),
                  0U);
        world->accept_next_on(shard);
        Raw raw(*world, {.direct_tls = true});
        raw.client->send(all);
        for (int i = 0; i < steps && more; ++i) more = world->step();
        if (cut) {
          raw.client->link().cut();
        } else {
          raw.client->link().close();
        }
        world->settle();
        ASSERT_EQ(world->connections(), 0U) << steps;
        ASSERT_EQ(world->sessions("juliet@localhost"), 0U) << steps;
      }
      EXPECT_GT(steps, 10);
    }
  }
}

TEST_F(SessionsTest, a_connection_that_vanishes_between_two_segments_leaves_nothing_behind) {
  const std::vector<std::string> said = {header, starttls,           header,        plain("juliet", "secret"),
                                         header, bind_iq("balcony"), "<presence/>", "<mess"};
  for (std::size_t count = 0; count <= said.size(); ++count) {
    Raw raw(*world);
    for (std::size_t i = 0; i < count; ++i) raw.say(said[i]);
    EXPECT_EQ(world->connections(), 1U);
    raw.client->link().cut();
    world->settle();
    EXPECT_EQ(world->connections(), 0U) << count;
    EXPECT_EQ(world->sessions("juliet@localhost"), 0U) << count;
  }
}

TEST_F(SessionsTest, a_stopping_server_tells_everybody_and_whoever_still_comes) {
  auto juliet = available(*world, "juliet@localhost", "balcony");
  auto romeo = available(*world, "romeo@localhost", "orchard");
  befriend(*romeo, *juliet);
  Raw half(*world);
  half.say(header);
  for (unsigned i = 0; i < 3; ++i) world->shard(i).c2s().shut_down();
  for (WorldClient* client : {juliet.get(), romeo.get()}) {
    const auto all = got(*world, *client);
    ASSERT_THAT(all, Not(IsEmpty()));
    EXPECT_THAT(all.back(), HasSubstr("<system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'"));
    EXPECT_TRUE(client->stream_closed());
  }
  EXPECT_THAT(half.take(), AllOf(HasSubstr("<system-shutdown "), EndsWith(closing)));
  Raw late(*world);
  EXPECT_THAT(late.take(), AllOf(HasSubstr("<stream:stream "), HasSubstr("<system-shutdown "), EndsWith(closing)));
  EXPECT_EQ(world->connections(), 0U);
}

TEST_F(SessionsTest, a_connection_on_its_way_between_shards_when_the_server_stops_is_told_too) {
  for (unsigned shard = 0; shard < 3; ++shard) {
    for (int steps = 0; steps < 6; ++steps) {
      begin({});
      world->accept_next_on(shard);
      Raw raw = logged_in();
      raw.client->send(bind_iq("balcony"));
      for (int i = 0; i < steps; ++i) world->step();
      for (unsigned i = 0; i < 3; ++i) world->shard(i).c2s().shut_down();
      EXPECT_THAT(raw.take(), AllOf(HasSubstr("<system-shutdown "), EndsWith(closing))) << shard << " " << steps;
      EXPECT_EQ(world->connections(), 0U);
      EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
    }
  }
}

TEST_F(SessionsTest, removing_an_account_ends_all_its_streams) {
  auto phone = available(*world, "juliet@localhost", "phone");
  auto desk = available(*world, "juliet@localhost", "desk");
  got(*world, *phone);
  phone->send("<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>");
  const auto last = got(*world, *phone);
  ASSERT_GE(last.size(), 2U);
  EXPECT_THAT(last[last.size() - 2], AllOf(HasSubstr("id='r'"), HasSubstr("type='result'")));
  EXPECT_THAT(last.back(), HasSubstr("<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'"));
  EXPECT_THAT(got(*world, *desk),
              ::testing::Contains(HasSubstr("<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'")));
  EXPECT_FALSE(world->has_account("juliet@localhost"));
  EXPECT_EQ(world->connections(), 0U);
  EXPECT_FALSE(world->log_in("juliet@localhost", "secret", "x"));
}

TEST_F(SessionsTest, a_wrong_password_and_an_unknown_account_are_answered_alike) {
  const auto try_plain = [&](const std::string& user) {
    Raw raw(*world);
    raw.to_tls();
    std::string all;
    for (int i = 0; i < 5; ++i) all += raw.say(plain(user, "wrong"));
    EXPECT_TRUE(raw.closed());
    return all;
  };
  WorldOptions options;
  options.limits.failed_logins_per_address_rate = {.per_second = 100, .burst = 1000};
  begin(options);
  const std::string known = try_plain("juliet");
  EXPECT_EQ(known, try_plain("nobody"));
  EXPECT_EQ(count_of(known, "<not-authorized/>"), 5U);
  EXPECT_THAT(known, AllOf(HasSubstr("<policy-violation "), EndsWith(closing)));

  const auto try_scram = [&](const std::string& user) {
    Raw raw(*world);
    raw.to_tls();
    const std::string challenge = raw.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>" +
                                          base64_encode("n,,n=" + user + ",r=abcdefgh") + "</auth>");
    const auto text = challenge.substr(challenge.find('>') + 1, challenge.rfind("</") - challenge.find('>') - 1);
    const std::string words = base64_decode(text).value_or("none");
    EXPECT_THAT(words, StartsWith("r=abcdefgh"));
    const std::string nonce = words.substr(2, words.find(',') - 2);
    const std::string salt = words.substr(words.find(",s="), words.find(",i=") - words.find(",s="));
    const std::string answer =
        raw.say("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
                base64_encode("c=biws,r=" + nonce + ",p=" + base64_encode(std::string(32, 'p'))) + "</response>");
    return std::to_string(nonce.size()) + " " + std::to_string(salt.size()) + " " + answer;
  };
  const std::string scram = try_scram("juliet");
  EXPECT_EQ(scram, try_scram("nobody"));
  EXPECT_THAT(scram, HasSubstr("<not-authorized/>"));
}

TEST_F(SessionsTest, failures_beyond_the_rate_are_answered_late_and_one_who_knows_the_password_still_gets_in) {
  WorldOptions options;
  options.limits.failed_logins_per_address_rate = {.per_second = 0.5, .burst = 1};
  begin(options);
  Raw raw(*world);
  raw.to_tls();
  EXPECT_THAT(raw.say(plain("juliet", "wrong")), HasSubstr("<not-authorized/>"));
  EXPECT_EQ(raw.say(plain("juliet", "wrong") + plain("juliet", "secret")), "");
  EXPECT_TRUE(world->log_in("juliet@localhost", "secret", "x"));
  world->advance(seconds(1));
  EXPECT_EQ(raw.take(), "");
  world->advance(seconds(2));
  EXPECT_THAT(raw.take(), AllOf(StartsWith("<failure"), HasSubstr("<not-authorized/>"), HasSubstr("<success")));
}

TEST_F(SessionsTest, the_last_failure_and_the_end_of_the_stream_are_held_back_together) {
  WorldOptions options;
  options.limits.failed_logins_per_address_rate = {.per_second = 0.5, .burst = 4};
  begin(options);
  Raw raw(*world);
  raw.to_tls();
  for (int i = 0; i < 4; ++i) EXPECT_THAT(raw.say(plain("juliet", "wrong")), HasSubstr("<not-authorized/>"));
  EXPECT_EQ(raw.say(plain("juliet", "wrong")), "");
  EXPECT_FALSE(raw.closed());
  world->advance(seconds(3));
  EXPECT_THAT(raw.take(), AllOf(StartsWith("<failure"), HasSubstr("<policy-violation "), EndsWith(closing)));
  EXPECT_TRUE(raw.closed());
}

}  // namespace
}  // namespace kith::scenario
