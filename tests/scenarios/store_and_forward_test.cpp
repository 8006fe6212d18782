// Messages for servers that can't be reached: they wait on the disk, in order, over restarts, and arrive once; or come
// back.
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "federated.h"

namespace kith::scenario {
namespace {

using namespace std::string_literals;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

const std::string ask = "<r xmlns='urn:xmpp:sm:3'/>";
std::string a(unsigned h) { return "<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(h) + "'/>"; }

/// The bodies in it, in order.
std::string bodies(const std::string& text) {
  std::string all;
  for (auto at = text.find("<body>"); at != std::string::npos; at = text.find("<body>", at + 1)) {
    all += text.substr(at + 6, text.find("</body>", at) - at - 6) + " ";
  }
  return all;
}

class StoreAndForward : public Federated {
 protected:
  explicit StoreAndForward(Limits limits = {}) : Federated(limits) {}
  /// What Juliet writes meets a server that is down.
  void write_in_vain(const std::string& body) {
    write("romeo@far.example", body);
    refuse_call();
  }
  /// The next attempt, which comes in good time.
  std::unique_ptr<net::LinkClient> next(bool management = true) {
    for (int i = 0; i < 500; ++i) {
      world.advance(seconds(15));
      juliet->poll();
      if (auto server = management ? managed() : ready()) return server;
    }
    return nullptr;
  }
};

TEST_F(StoreAndForward, messages_wait_and_arrive_in_order_with_the_time_at_which_they_were_written) {
  write_in_vain("one");
  const std::string told = heard();
  EXPECT_THAT(told, AllOf(HasSubstr("type='headline'"), HasSubstr("from='localhost'"), HasSubstr("far.example"),
                          HasSubstr("<waiting xmlns='urn:kith:waiting:0'"), Not(HasSubstr("<error"))));
  for (const char* body : {"two", "three"}) write_in_vain(body);
  EXPECT_EQ(heard(), "") << "nobody needs to be told twice";
  world.advance(hours(5));
  for (int i = 0; i < 5; ++i) refuse_call();
  const auto server = next();
  ASSERT_NE(server, nullptr);
  const std::string sent = taken(*server);
  EXPECT_EQ(bodies(sent), "one two three ");
  EXPECT_EQ(count_of(sent, "<delay xmlns='urn:xmpp:delay' from='localhost' stamp='2030-01-01T00:0"), 3U) << sent;
  EXPECT_THAT(sent, HasSubstr(ask));
  // What comes now goes behind them, without a stamp.
  server->send(a(3));
  juliet = available(world, "juliet@localhost", "balcony");
  write("romeo@far.example", "four");
  EXPECT_THAT(taken(*server), AllOf(HasSubstr("four"), Not(HasSubstr("<delay"))));
}

TEST_F(StoreAndForward, what_waits_survives_a_crash_and_a_restart) {
  write_in_vain("one");
  write_in_vain("two");
  world.restart();
  world.advance(seconds(5));
  refuse_call();
  world.stop_and_start();
  juliet = available(world, "juliet@localhost", "balcony");
  write("romeo@far.example", "three");
  world.advance(seconds(5));
  const auto server = managed();
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(bodies(taken(*server)), "one two three ");
}

TEST_F(StoreAndForward, what_was_not_acknowledged_goes_again_and_what_was_does_not) {
  write("romeo@far.example", "one");
  auto server = managed();
  write("romeo@far.example", "two");
  write("romeo@far.example", "three");
  EXPECT_EQ(bodies(taken(*server)), "one two three ");
  server->send(a(1));
  world.settle();
  server->cut();
  world.settle();
  server = managed();
  if (server == nullptr) server = next();
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(bodies(taken(*server)), "two three ");
  server->send(a(2));
  world.settle();
  world.restart();
  world.advance(hours(2));
  EXPECT_EQ(world.dialled("192.0.2.1"), nullptr);
}

TEST_F(StoreAndForward, a_server_that_takes_all_and_acknowledges_nothing_is_called_again) {
  write("romeo@far.example", "one");
  const auto server = managed();
  EXPECT_EQ(bodies(taken(*server)), "one ");
  world.advance(seconds(75));
  EXPECT_TRUE(server->closed());
  const auto again = next();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(bodies(taken(*again)), "one ");
}

TEST_F(StoreAndForward, requests_and_presence_do_not_wait) {
  juliet->send("<iq type='get' id='q1' to='romeo@far.example'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.settle();
  refuse_call();
  EXPECT_THAT(heard(), AllOf(HasSubstr("id='q1'"), HasSubstr("<remote-server-timeout")));
  juliet->send(
      "<message to='romeo@far.example' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/></message>");
  world.advance(hours(1));
  EXPECT_EQ(world.dialled("192.0.2.1"), nullptr);
}

TEST_F(StoreAndForward, a_request_that_was_not_acknowledged_is_answered_when_the_stream_breaks) {
  write("romeo@far.example", "one");
  const auto server = managed();
  juliet->send("<iq type='get' id='q1' to='romeo@far.example'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.settle();
  EXPECT_EQ(heard(), "");
  server->cut();
  world.settle();
  EXPECT_THAT(heard(), AllOf(HasSubstr("id='q1'"), HasSubstr("<remote-server-timeout")));
}

TEST_F(StoreAndForward, a_domain_that_does_not_exist_is_not_waited_for) {
  write("romeo@nowhere.example", "hi");
  EXPECT_THAT(heard(), AllOf(HasSubstr("type='error'"), HasSubstr("<remote-server-not-found")));
  write("romeo@nowhere.example", "hi again");
  world.advance(minutes(1));
  EXPECT_THAT(heard(), HasSubstr("type='error'"));
  world.advance(hours(80));
  const auto later = available(world, "juliet@localhost", "window");
  EXPECT_THAT(got(world, *later), Not(testing::Contains(HasSubstr("nowhere.example"))));
}

TEST_F(StoreAndForward, what_has_waited_for_too_long_comes_back_to_who_is_there) {
  write_in_vain("one");
  heard();
  for (int i = 0; i < 73 * 72; ++i) {
    world.advance(seconds(50));
    juliet->poll();
    refuse_call();
  }
  EXPECT_THAT(heard(),
              AllOf(HasSubstr("type='error'"), HasSubstr("<remote-server-timeout"), HasSubstr("2030-01-01T00:00:00Z")));
  world.advance(hours(5));
  EXPECT_EQ(world.dialled("192.0.2.1"), nullptr);
}

TEST_F(StoreAndForward, and_is_told_of_to_who_has_gone) {
  write_in_vain("one");
  juliet.reset();
  unsigned calls = 0;
  for (int i = 0; i < 73 * 20; ++i) {
    world.advance(minutes(3));
    if (auto server = world.dialled("192.0.2.1")) {
      ++calls;
      server->cut();
      world.settle();
    }
  }
  // At pauses that grow from seconds to an hour.
  EXPECT_GT(calls, 70U);
  EXPECT_LT(calls, 85U);
  juliet = entered(world, "juliet@localhost", "window");
  juliet->send("<presence/>");
  EXPECT_THAT(heard(),
              AllOf(HasSubstr("from='localhost'"), HasSubstr("romeo@far.example"), HasSubstr("2030-01-01T00:00:00Z"),
                    HasSubstr("could not be delivered"), Not(HasSubstr("type='error'"))));
}

TEST_F(StoreAndForward, a_server_that_is_heard_is_called_at_once) {
  write_in_vain("one");
  for (int i = 0; i < 360; ++i) {
    world.advance(seconds(50));
    juliet->poll();
    refuse_call();
  }
  ASSERT_EQ(world.dialled("192.0.2.1"), nullptr);
  world.shard(0).s2s()->awake("far.example");
  world.advance(seconds(2));
  const auto server = managed();
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(bodies(taken(*server)), "one ");
}

TEST_F(StoreAndForward, without_stream_management_what_was_taken_a_while_ago_is_not_sent_again) {
  write("romeo@far.example", "one");
  const auto server = ready();
  EXPECT_EQ(bodies(taken(*server)), "one ");
  world.advance(seconds(40));
  write("romeo@far.example", "two");
  EXPECT_EQ(bodies(taken(*server)), "two ");
  server->cut();
  world.settle();
  auto again = ready();
  if (again == nullptr) again = next(false);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(bodies(taken(*again)), "two ");
}

TEST_F(StoreAndForward, a_message_at_which_the_other_server_ends_the_stream_does_not_hold_up_the_rest) {
  write("romeo@far.example", "poison");
  write("romeo@far.example", "remedy");
  auto server = managed();
  std::string came;
  std::string through;
  for (int i = 0; i < 20 && server != nullptr && through.empty(); ++i) {
    const std::string sent = taken(*server);
    if (sent.find("poison") != std::string::npos) {
      server->send("<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>" +
                   closing);
      world.settle();
      server = next();
    } else {
      through = sent;
    }
    came += heard();
  }
  EXPECT_EQ(bodies(through), "remedy ");
  EXPECT_THAT(came, HasSubstr("<remote-server-timeout"));
}

TEST_F(StoreAndForward, when_this_server_stops_it_hears_what_has_come_there) {
  write("romeo@far.example", "one");
  auto server = managed();
  server->send(a(1));
  write("romeo@far.example", "two");
  server->take();
  for (const auto& unit : {0U}) world.shard(unit).s2s()->shut_down();
  EXPECT_THAT(taken(*server), AllOf(HasSubstr(ask), HasSubstr(closing)));
  server->send(a(2) + closing);
  world.settle();
  world.restart();
  world.advance(hours(2));
  EXPECT_EQ(world.dialled("192.0.2.1"), nullptr);
}

TEST_F(StoreAndForward, if_the_disk_refuses_the_message_its_sender_hears_of_it) {
  world.fail_writes(true);
  write("romeo@far.example", "one");
  EXPECT_THAT(heard(), AllOf(HasSubstr("type='error'"), HasSubstr("<internal-server-error"), HasSubstr("type='wait'")));
  const auto server = managed();
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(bodies(taken(*server)), "");
}

TEST_F(StoreAndForward, a_client_is_told_that_its_message_was_taken_when_it_is_on_the_disk) {
  juliet->send("<enable xmlns='urn:xmpp:sm:3'/>");
  heard();
  world.storage().hold_commits(true);
  write("romeo@far.example", "one");
  juliet->send(ask);
  EXPECT_EQ(heard(), "");
  const auto server = managed();
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(bodies(taken(*server)), "");
  world.storage().hold_commits(false);
  world.storage().commit_now();
  EXPECT_THAT(heard(), HasSubstr("<a xmlns='urn:xmpp:sm:3' h='1'"));
  EXPECT_EQ(bodies(taken(*server)), "one ");
}

/// Our side of a stream that far.example has opened.
class Heard : public StoreAndForward {
 protected:
  /// far.example has proven itself by dialback, and stream management is on.
  std::unique_ptr<net::LinkClient> proven() {
    auto server = calling();
    way = proves(*server);
    server->send("<enable xmlns='urn:xmpp:sm:3'/>");
    EXPECT_THAT(taken(*server), HasSubstr("<enabled xmlns='urn:xmpp:sm:3'"));
    return server;
  }
  std::unique_ptr<net::LinkClient> way;  ///< our stream to it, by which we asked

  static std::string letter(const std::string& to, const std::string& body) {
    return "<message type='chat' from='romeo@far.example/x' to='" + to + "'><body>" + body + "</body></message>";
  }
};

TEST_F(Heard, what_another_server_says_is_acknowledged_when_it_is_on_the_disk) {
  world.add_account("nurse@localhost", "secret");
  const auto server = proven();
  server->send(letter("nurse@localhost", "one") + ask);
  EXPECT_EQ(taken(*server), a(1));
  world.storage().hold_commits(true);
  server->send(letter("nurse@localhost", "two") + ask + letter("nurse@localhost", "three"));
  EXPECT_EQ(taken(*server), "");
  server->send(ask + ask);
  world.storage().hold_commits(false);
  world.storage().commit_now();
  EXPECT_EQ(taken(*server), a(2) + a(3));
}

TEST_F(Heard, a_stream_that_ends_is_acknowledged_to_its_end) {
  const auto server = proven();
  server->send(letter("juliet@localhost", "one") + letter("juliet@localhost", "two") + closing);
  EXPECT_EQ(taken(*server), a(2) + closing);
}

TEST_F(Heard, so_is_one_that_this_server_ends) {
  const auto server = proven();
  server->send(letter("juliet@localhost", "one"));
  world.settle();
  world.shard(0).s2s()->shut_down();
  EXPECT_THAT(taken(*server), AllOf(testing::StartsWith(a(1)), HasSubstr("<system-shutdown")));
}

TEST_F(Heard, stream_management_is_for_those_who_have_proven_something) {
  const auto server = calling();
  server->send("<enable xmlns='urn:xmpp:sm:3'/>");
  EXPECT_THAT(taken(*server), AllOf(HasSubstr("<failed xmlns='urn:xmpp:sm:3'"), HasSubstr("unexpected-request")));
}

TEST_F(Heard, a_server_that_asks_us_hears_that_nothing_was_counted_on_our_stream) {
  write("romeo@far.example", "one");
  const auto server = managed();
  server->take();
  server->send(ask);
  EXPECT_THAT(taken(*server), HasSubstr(a(0)));
  server->send(a(7));
  world.settle();
  EXPECT_TRUE(server->closed()) << "it acknowledges more than there was";
}

TEST_F(Heard, people_of_a_server_that_vanishes_are_seen_to_go_and_asked_for_when_it_is_back) {
  auto server = proven();
  juliet->send("<presence type='subscribe' to='romeo@far.example'/>");
  EXPECT_THAT(taken(*way), HasSubstr("type='subscribe'"));
  server->send(
      "<presence type='subscribed' from='romeo@far.example' to='juliet@localhost'/>"
      "<presence from='romeo@far.example/x' to='juliet@localhost'/>");
  EXPECT_THAT(heard(), HasSubstr("from='romeo@far.example/x'"));
  world.advance(seconds(15));
  // A stream that breaks is no more than a doubt: if the next one is ready, they are asked whether they are still
  // there.
  way->cut();
  world.settle();
  way = ready();
  ASSERT_NE(way, nullptr);
  EXPECT_THAT(taken(*way), AllOf(HasSubstr("type='probe'"), HasSubstr("to='romeo@far.example'")));
  EXPECT_EQ(heard(), "");
  world.advance(seconds(15));
  way->cut();
  world.settle();
  refuse_call();
  EXPECT_THAT(heard(), AllOf(HasSubstr("type='unavailable'"), HasSubstr("from='romeo@far.example'")));
  // Once: there is nobody left to go.
  juliet->send("<iq type='get' id='q' to='romeo@far.example'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.advance(seconds(15));
  juliet->send("<iq type='get' id='q' to='romeo@far.example'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.settle();
  refuse_call();
  EXPECT_THAT(heard(), Not(HasSubstr("type='unavailable'")));
  world.advance(seconds(15));
  world.shard(0).s2s()->awake("far.example");
  world.settle();
  way = ready();
  ASSERT_NE(way, nullptr);
  EXPECT_THAT(taken(*way), HasSubstr("type='probe'"));
}

class FewMessages : public StoreAndForward {
 protected:
  static Limits few() {
    Limits limits;
    limits.s2s_waiting_messages = 3;
    return limits;
  }
  FewMessages() : StoreAndForward(few()) {}
};

TEST_F(FewMessages, more_than_the_limit_is_refused_and_the_rest_arrives) {
  for (const char* body : {"one", "two", "three", "four"}) write_in_vain(body);
  EXPECT_THAT(heard(), AllOf(HasSubstr("<resource-constraint"), HasSubstr("type='wait'")));
  const auto server = next();
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(bodies(taken(*server)), "one two three ");
}

class NoWaiting : public StoreAndForward {
 protected:
  static Limits none() {
    Limits limits;
    limits.s2s_wait_time = seconds(0);
    return limits;
  }
  NoWaiting() : StoreAndForward(none()) {}
};

TEST_F(NoWaiting, where_nothing_may_wait_it_comes_back_at_once) {
  write_in_vain("one");
  EXPECT_THAT(heard(), AllOf(HasSubstr("type='error'"), HasSubstr("<remote-server-timeout")));
}

}  // namespace
}  // namespace kith::scenario
