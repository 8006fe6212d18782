// SASL2 (XEP-0388), Bind 2 (XEP-0386) and resumption within a login (XEP-0198), through a whole server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "talk.h"

namespace kith::scenario {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

const std::string agent_id = "d4565fa7-4d72-4749-b3d3-740edbf87770";

std::string agent(const std::string& id = agent_id) {
  return "<user-agent id='" + id + "'><software>Balcony</software><device>Juliet's phone</device></user-agent>";
}
std::string bind2(const std::string& inner = {}, const std::string& tag = "Balcony") {
  return "<bind xmlns='urn:xmpp:bind:0'>" + (tag.empty() ? "" : "<tag>" + tag + "</tag>") + inner + "</bind>";
}
const std::string enable_sm = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
std::string authenticate(const std::string& user, const std::string& password, const std::string& wishes = {}) {
  const std::string zero(1, '\0');
  return "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" +
         base64_encode(zero + user + zero + password) + "</initial-response>" + wishes + "</authenticate>";
}
std::string resume(const std::string& previd, unsigned h) {
  return "<resume xmlns='urn:xmpp:sm:3' previd='" + previd + "' h='" + std::to_string(h) + "'/>";
}
std::string message(const std::string& to, const std::string& body) {
  return "<message type='chat' to='" + to + "'><body>" + body + "</body></message>";
}
std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const auto at = text.find(before);
  if (at == std::string::npos) return {};
  const auto from = at + before.size();
  return text.substr(from, text.find(after, from) - from);
}

class Sasl2Test : public ::testing::Test {
 protected:
  Sasl2Test() {
    world.add_account("juliet@localhost", "secret");
    world.add_account("romeo@localhost", "secret");
  }
  Raw at_tls() {
    Raw raw(world);
    raw.to_tls();
    return raw;
  }
  World world;
};

TEST_F(Sasl2Test, is_offered_under_tls_with_what_can_be_asked_for) {
  Raw raw(world);
  EXPECT_THAT(raw.say(header + starttls), Not(HasSubstr("urn:xmpp:sasl:2")));
  const std::string features = raw.say(header);
  const std::string offer = between(features, "<authentication xmlns='urn:xmpp:sasl:2'>", "</authentication>");
  EXPECT_THAT(offer, HasSubstr("<mechanism>SCRAM-SHA-256-PLUS</mechanism>"));
  EXPECT_THAT(offer, HasSubstr("<sm xmlns='urn:xmpp:sm:3'/>"));
  for (const char* var : {"urn:xmpp:carbons:2", "urn:xmpp:csi:0", "urn:xmpp:sm:3"})
    EXPECT_THAT(offer, HasSubstr("<feature var='" + std::string(var) + "'/>"));
}

TEST_F(Sasl2Test, one_request_logs_in_and_binds) {
  Raw raw = at_tls();
  const std::string answer = raw.say(authenticate("juliet", "secret", agent() + bind2()));
  EXPECT_THAT(answer,
              StartsWith("<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>juliet@localhost/Balcony/"));
  EXPECT_THAT(answer, HasSubstr("<bound xmlns='urn:xmpp:bind:0'><metadata xmlns='urn:xmpp:mam:2'/></bound></success>"));
  EXPECT_THAT(answer, HasSubstr("<csi xmlns='urn:xmpp:csi:0'/>"));
  EXPECT_THAT(answer, Not(HasSubstr("urn:ietf:params:xml:ns:xmpp-bind")));
  EXPECT_THAT(answer, Not(HasSubstr(agent_id)));
  EXPECT_EQ(world.sessions("juliet@localhost"), 1U);
  EXPECT_THAT(raw.say("<presence/>"), HasSubstr("from='juliet@localhost/Balcony/"));
}

TEST_F(Sasl2Test, without_bind_a_resource_is_bound_as_ever) {
  Raw raw = at_tls();
  const std::string answer = raw.say(authenticate("juliet", "secret"));
  EXPECT_THAT(answer, HasSubstr("<authorization-identifier>juliet@localhost</authorization-identifier></success>"));
  EXPECT_THAT(answer, HasSubstr("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"));
  EXPECT_THAT(raw.say(bind_iq("desk")), HasSubstr("juliet@localhost/desk"));
}

TEST_F(Sasl2Test, each_shard_takes_a_login_for_any_account) {
  for (unsigned shard = 0; shard < 3; ++shard) {
    world.accept_next_on(shard);
    Raw raw = at_tls();
    EXPECT_THAT(raw.say(authenticate("juliet", "secret", bind2(enable_sm))), HasSubstr("<enabled"));
  }
}

TEST_F(Sasl2Test, what_is_asked_for_with_the_binding_holds_from_the_first_moment) {
  Raw raw = at_tls();
  raw.say(authenticate("juliet", "secret",
                       bind2("<enable xmlns='urn:xmpp:carbons:2'/><inactive xmlns='urn:xmpp:csi:0'/>" + enable_sm)));
  raw.say("<presence/>");
  const auto desk = available(world, "juliet@localhost", "desk");
  desk->send(message("romeo@localhost", "hi"));
  EXPECT_THAT(raw.take(), HasSubstr("<sent xmlns='urn:xmpp:carbons:2'>"));
  // Presence alone is held back from who is inactive.
  desk->send("<presence><status>busy</status></presence>");
  EXPECT_THAT(raw.take(), Not(HasSubstr("busy")));
  EXPECT_THAT(raw.say("<active xmlns='urn:xmpp:csi:0'/>"), HasSubstr("busy"));
}

TEST_F(Sasl2Test, a_lost_session_is_resumed_within_the_login) {
  Raw raw = at_tls();
  const std::string answer = raw.say(authenticate("juliet", "secret", agent() + bind2(enable_sm)));
  const std::string previd = between(answer, "<enabled xmlns='urn:xmpp:sm:3' id='", "'");
  const std::string jid = between(answer, "<authorization-identifier>", "<");
  raw.say("<presence/>");
  raw.client->link().cut();
  world.settle();
  const auto romeo = available(world, "romeo@localhost", "orchard");
  romeo->send(message("juliet@localhost", "one"));
  world.settle();
  Raw back = at_tls();
  const std::string resumed =
      back.say(authenticate("juliet", "secret", agent() + bind2(enable_sm) + resume(previd, 1)));
  EXPECT_THAT(resumed, StartsWith("<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>" + jid +
                                  "</authorization-identifier><resumed xmlns='urn:xmpp:sm:3' previd='" + previd +
                                  "' h='1'/></success>"));
  EXPECT_THAT(resumed, Not(HasSubstr("<bound")));
  EXPECT_EQ(count_of(resumed, "<body>one</body>"), 1U);
  EXPECT_EQ(world.sessions("juliet@localhost"), 1U);
  EXPECT_EQ(back.say("<a xmlns='urn:xmpp:sm:3' h='2'/>"), "");
}

TEST_F(Sasl2Test, a_session_that_is_gone_is_replaced_within_the_same_request) {
  Raw raw = at_tls();
  const std::string answer = raw.say(authenticate("juliet", "secret", bind2(enable_sm) + resume("nonsense", 3)));
  EXPECT_THAT(answer, HasSubstr("<failed xmlns='urn:xmpp:sm:3'><item-not-found"));
  EXPECT_THAT(answer, HasSubstr("<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3'"));
  Raw bare = at_tls();
  const std::string only = bare.say(authenticate("juliet", "secret", resume("nonsense", 3)));
  EXPECT_THAT(only, HasSubstr("<failed xmlns='urn:xmpp:sm:3'>"));
  EXPECT_THAT(bare.say(bind_iq("desk")), HasSubstr("juliet@localhost/desk"));
}

TEST_F(Sasl2Test, a_client_that_comes_again_gets_its_resource_and_ends_what_it_had) {
  Raw first = at_tls();
  const std::string jid = between(first.say(authenticate("juliet", "secret", agent() + bind2())), "identifier>", "<");
  Raw other = at_tls();
  const std::string another =
      between(other.say(authenticate("juliet", "secret", agent("00000000-0000-4000-8000-000000000001") + bind2())),
              "identifier>", "<");
  EXPECT_NE(jid, another);
  Raw again = at_tls();
  EXPECT_EQ(between(again.say(authenticate("juliet", "secret", agent() + bind2())), "identifier>", "<"), jid);
  EXPECT_THAT(first.take(), HasSubstr("<conflict"));
  // By another name it is the same client, too.
  Raw renamed = at_tls();
  EXPECT_THAT(renamed.say(authenticate("juliet", "secret", agent() + bind2({}, "Terrace"))), HasSubstr("/Terrace/"));
  EXPECT_THAT(again.take(), HasSubstr("<conflict"));
  EXPECT_FALSE(other.closed());
  EXPECT_EQ(world.sessions("juliet@localhost"), 2U);
}

TEST_F(Sasl2Test, a_tag_that_cannot_be_in_a_resource_is_left_out) {
  Raw raw = at_tls();
  const std::string answer = raw.say(authenticate("juliet", "secret", bind2({}, "a&#x202E;b")));
  EXPECT_THAT(between(answer, "juliet@localhost/", "<"), MatchesRegex("[A-Za-z0-9_-]+"));
}

TEST_F(Sasl2Test, kept_messages_that_are_in_the_archive_are_left_to_it) {
  const auto romeo = available(world, "romeo@localhost", "orchard");
  romeo->send(message("juliet@localhost", "one"));
  world.settle();
  Raw raw = at_tls();
  EXPECT_THAT(raw.say(authenticate("juliet", "secret", bind2())), HasSubstr("<start id='"));
  EXPECT_THAT(raw.say("<presence/>"), Not(HasSubstr("<body>")));
  world.advance(seconds(1));
  raw.say("<presence/>");
  raw.say(closing);
  // They are kept no longer for who does not ask the archive.
  const auto desk = entered(world, "juliet@localhost", "desk");
  desk->send("<presence/>");
  for (const std::string& text : got(world, *desk)) EXPECT_THAT(text, Not(HasSubstr("<body>")));
}

TEST_F(Sasl2Test, a_wrong_password_fails_in_its_own_words_and_may_be_tried_again) {
  Raw raw = at_tls();
  EXPECT_EQ(raw.say(authenticate("juliet", "wrong", bind2())),
            "<failure xmlns='urn:xmpp:sasl:2'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>");
  EXPECT_EQ(world.sessions("juliet@localhost"), 0U);
  EXPECT_THAT(raw.say(plain("juliet", "wrong")), HasSubstr("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"));
  // Nothing of the failed request is left.
  const std::string answer = raw.say(authenticate("juliet", "secret"));
  EXPECT_THAT(answer, HasSubstr("<authorization-identifier>juliet@localhost</authorization-identifier></success>"));
}

TEST_F(Sasl2Test, malformed_requests_fail_and_leave_the_stream) {
  Raw raw = at_tls();
  const auto failure = [](const std::string& condition) {
    return "<failure xmlns='urn:xmpp:sasl:2'><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>";
  };
  EXPECT_EQ(raw.say(authenticate("juliet", "secret", agent("not a uuid"))), failure("malformed-request"));
  EXPECT_EQ(raw.say(authenticate("juliet", "secret", "<resume xmlns='urn:xmpp:sm:3' previd='x'/>")),
            failure("malformed-request"));
  EXPECT_EQ(raw.say("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='BLURDYBLOOP'/>"), failure("invalid-mechanism"));
  EXPECT_EQ(raw.say("<abort xmlns='urn:xmpp:sasl:2'/>"), failure("aborted"));
  EXPECT_THAT(raw.say("<response xmlns='urn:xmpp:sasl:2'>eA==</response>"), StartsWith(failure("malformed-request")));
}

TEST_F(Sasl2Test, requests_out_of_turn_end_the_stream) {
  Raw clear(world);
  EXPECT_THAT(clear.say(header + authenticate("juliet", "secret")), HasSubstr("<not-authorized"));
  EXPECT_TRUE(clear.closed());
  Raw twice = at_tls();
  twice.say(authenticate("juliet", "secret", bind2()));
  EXPECT_THAT(twice.say(authenticate("juliet", "secret")), HasSubstr("<stream:error"));
  Raw bound_later = at_tls();
  bound_later.say(authenticate("juliet", "secret"));
  EXPECT_THAT(bound_later.say(authenticate("juliet", "secret")), HasSubstr("<policy-violation"));
  Raw mixed = at_tls();
  EXPECT_THAT(mixed.say("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>"),
              HasSubstr("<challenge xmlns='urn:xmpp:sasl:2'"));
  EXPECT_THAT(mixed.say("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>eA==</response>"),
              HasSubstr("<policy-violation"));
}

TEST_F(Sasl2Test, who_says_to_be_somebody_else_is_refused) {
  Raw raw(world);
  raw.say(header + starttls);
  raw.say(header_to("localhost", " from='romeo@localhost'"));
  EXPECT_THAT(raw.say(authenticate("juliet", "secret", bind2())), HasSubstr("<invalid-authzid"));
  EXPECT_EQ(world.sessions("juliet@localhost"), 0U);
}

}  // namespace
}  // namespace kith::scenario
