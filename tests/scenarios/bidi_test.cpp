// Streams on which both servers speak (XEP-0288): a server that nobody can call is heard on the stream that it has
// made, or that was made to it.
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "federated.h"

namespace kith::scenario {
namespace {

using namespace std::string_literals;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string offer = "<bidi xmlns='urn:xmpp:features:bidi'/>";
const std::string ask = "<r xmlns='urn:xmpp:sm:3'/>";
std::string a(unsigned h) { return "<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(h) + "'/>"; }
std::string romeo_says(const std::string& body) {
  return "<message from='romeo@far.example/orchard' to='juliet@localhost' type='chat'><body>" + body +
         "</body></message>";
}

class Called : public Federated {};

TEST_F(Called, the_other_server_answers_on_our_stream) {
  write("romeo@far.example");
  const auto server = ready("far.example", "192.0.2.1", false, offer);
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(taken(*server), AllOf(HasSubstr("<bidi xmlns='urn:xmpp:bidi'/>"), HasSubstr("<body>hi</body>")));
  server->send(romeo_says("hello"));
  world.settle();
  EXPECT_THAT(heard(), HasSubstr("<body>hello</body>"));
}

TEST_F(Called, where_it_was_not_offered_nothing_is_heard) {
  write("romeo@far.example");
  const auto server = ready();
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(taken(*server), Not(HasSubstr("<bidi")));
  server->send(romeo_says("hello"));
  world.settle();
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(Called, for_others_it_may_not_speak) {
  write("romeo@far.example");
  const auto server = ready("far.example", "192.0.2.1", false, offer);
  ASSERT_NE(server, nullptr);
  taken(*server);
  server->send("<message from='paris@two.example' to='juliet@localhost'><body>forged</body></message>" +
               romeo_says("late"));
  EXPECT_THAT(taken(*server), AllOf(HasSubstr("<invalid-from"), HasSubstr(closing)));
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(Called, what_it_says_is_acknowledged_when_it_is_on_the_disk) {
  write("romeo@far.example");
  const auto server = managed(offer);
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(taken(*server), HasSubstr(ask));
  server->send(a(1) + romeo_says("one") + romeo_says("two") + ask);
  EXPECT_THAT(taken(*server), HasSubstr(a(2)));
  EXPECT_THAT(heard(), AllOf(HasSubstr("<body>one</body>"), HasSubstr("<body>two</body>")));
}

TEST_F(Called, when_this_server_stops_it_acknowledges_first) {
  write("romeo@far.example");
  const auto server = managed(offer);
  ASSERT_NE(server, nullptr);
  taken(*server);
  server->send(a(1) + romeo_says("one"));
  world.settle();
  world.shard(0).s2s()->shut_down();
  const std::string last = taken(*server);
  EXPECT_THAT(last, HasSubstr(a(1)));
  EXPECT_LT(last.find(a(1)), last.find(closing));
}

TEST_F(Called, a_stream_on_which_the_other_speaks_is_not_idle) {
  write("romeo@far.example");
  const auto server = managed(offer);
  ASSERT_NE(server, nullptr);
  taken(*server);
  server->send(a(1));
  for (int i = 0; i < 25; ++i) {
    server->send(romeo_says(std::to_string(i)));
    world.advance(minutes(1));
    heard();
  }
  EXPECT_FALSE(server->closed());
  for (int i = 0; i < 17; ++i) {
    world.advance(minutes(1));
    heard();
  }
  EXPECT_TRUE(server->closed());
}

}  // namespace
}  // namespace kith::scenario
