// SASL2 (XEP-0388), Bind 2 (XEP-0386) and resumption within a login (XEP-0198), through a whole server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include "sasl/hash.h"
#include "sasl/test_client.h"
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

TEST_F(Sasl2Test, who_comes_too_late_is_told_within_the_login_how_much_was_handled) {
  Raw raw = at_tls();
  const std::string answer = raw.say(authenticate("juliet", "secret", agent() + bind2(enable_sm)));
  const std::string previd = between(answer, "<enabled xmlns='urn:xmpp:sm:3' id='", "'");
  raw.say("<presence/>" + message("romeo@localhost", "one"));
  raw.client->link().cut();
  world.settle();
  world.advance(seconds(601));
  Raw late = at_tls();
  EXPECT_THAT(late.say(authenticate("juliet", "secret", agent() + bind2(enable_sm) + resume(previd, 0))),
              HasSubstr("<failed xmlns='urn:xmpp:sm:3' h='2'><item-not-found"));
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

TEST_F(Sasl2Test, who_logged_in_before_the_password_was_changed_binds_nothing_after_it) {
  Raw old = at_tls();
  EXPECT_THAT(old.say(authenticate("juliet", "secret")), HasSubstr("<success"));
  Raw older(world);
  older.to_login("juliet", "secret");
  const auto desk = available(world, "juliet@localhost", "desk");
  world.advance(seconds(1));
  desk->send(
      "<iq type='set' id='p'><query xmlns='jabber:iq:register'><username>juliet</username><password>another</password>"
      "</query></iq>");
  world.settle();
  EXPECT_THAT(got(world, *desk), ::testing::Contains(HasSubstr("type='result'")));
  EXPECT_THAT(old.say(bind_iq("phone")), HasSubstr("<not-authorized"));
  EXPECT_THAT(old.say(bind_iq("phone")), HasSubstr("<not-authorized"));
  EXPECT_THAT(older.say(bind_iq("phone")), HasSubstr("<not-authorized"));
  EXPECT_EQ(world.sessions("juliet@localhost"), 1U);
  world.advance(seconds(1));
  Raw fresh = at_tls();
  EXPECT_THAT(fresh.say(authenticate("juliet", "another", bind2())), HasSubstr("juliet@localhost/Balcony"));
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

// --- upgrades (XEP-0480)
// ------------------------------------------------------------------------------------------------------------

class UpgradeTest : public Sasl2Test {
 protected:
  UpgradeTest() { world.add_imported_account("nurse@localhost", "secret"); }
  static std::string wish(const std::string& hash) {
    return "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-" + hash + "</upgrade>";
  }
  static std::string next(const std::string& hash) {
    return "<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-" + hash + "'/>";
  }
  static std::string task(const std::string& hash) {
    return "<continue xmlns='urn:xmpp:sasl:2'><tasks><task>UPGR-SCRAM-SHA-" + hash + "</task></tasks></continue>";
  }
  static std::string brings(const std::string& salted) {
    return "<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>" + base64_encode(salted) +
           "</hash></task-data>";
  }
  /// What a client makes of the server's salt.
  static std::string salted(const std::string& answer, sasl::Hash hash, const std::string& password = "secret") {
    const std::string salt = between(answer, "iterations='10000'>", "</salt>");
    return std::string(sasl::salted_password(hash, password, base64_decode(salt).value_or(""), 10'000).reveal());
  }
  std::string by_scram(const std::string& name, sasl::Hash hash, const std::string& password = "secret") {
    Raw raw = at_tls();
    sasl::ScramClient client({.hash = hash, .name = "nurse", .password = password});
    const std::string challenge =
        raw.say("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + name + "'><initial-response>" +
                base64_encode(client.first()) + "</initial-response></authenticate>");
    const auto first = base64_decode(between(challenge, "<challenge xmlns='urn:xmpp:sasl:2'>", "<"));
    const auto proof = client.final(first.value_or(""));
    return raw.say("<response xmlns='urn:xmpp:sasl:2'>" + base64_encode(proof.value_or("")) + "</response>");
  }
};

TEST_F(UpgradeTest, a_client_brings_keys_of_hashes_that_an_imported_account_lacks) {
  Raw raw = at_tls();
  EXPECT_EQ(raw.say(authenticate("nurse", "secret", wish("512") + wish("256") + wish("512") + bind2())), task("512"));
  std::string answer = raw.say(next("512"));
  EXPECT_THAT(answer, StartsWith("<task-data xmlns='urn:xmpp:sasl:2'><salt xmlns='urn:xmpp:scram-upgrade:0' "));
  EXPECT_EQ(raw.say(brings(salted(answer, sasl::Hash::sha512))), task("256"));
  answer = raw.say(next("256"));
  answer = raw.say(brings(salted(answer, sasl::Hash::sha256)));
  EXPECT_THAT(answer, StartsWith("<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>nurse@localhost/"));
  EXPECT_EQ(world.sessions("nurse@localhost"), 1U);
  world.restart();
  EXPECT_THAT(by_scram("SCRAM-SHA-256", sasl::Hash::sha256), HasSubstr("<success"));
  EXPECT_THAT(by_scram("SCRAM-SHA-512", sasl::Hash::sha512), HasSubstr("<success"));
  EXPECT_THAT(by_scram("SCRAM-SHA-1", sasl::Hash::sha1), HasSubstr("<success"));
  // There is nothing left to do.
  EXPECT_THAT(at_tls().say(authenticate("nurse", "secret", wish("256") + bind2())), HasSubstr("<success"));
}

TEST_F(UpgradeTest, is_offered_and_not_done_for_who_has_all_keys_or_asks_for_what_there_is_not) {
  Raw raw(world);
  raw.say(header + starttls);
  const std::string features = raw.say(header);
  EXPECT_THAT(features, HasSubstr(wish("256") + wish("512") + "</authentication>"));
  EXPECT_THAT(raw.say(authenticate("juliet", "secret", wish("256") + wish("512"))), HasSubstr("<success"));
  Raw other = at_tls();
  EXPECT_THAT(other.say(authenticate("nurse", "secret", wish("1") + wish("256-PLUS"))), HasSubstr("<success"));
}

TEST_F(UpgradeTest, a_token_is_no_password_to_make_keys_of) {
  Raw raw = at_tls();
  const std::string request = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>";
  const std::string answer =
      raw.say(authenticate("nurse", "secret", "<user-agent id='" + agent_id + "'/>" + bind2() + request));
  const std::string token = between(answer, "<token xmlns='urn:xmpp:fast:0' token='", "'");
  ASSERT_FALSE(token.empty());
  const std::string mac(sasl::hmac(sasl::Hash::sha256, token, "Initiator").reveal());
  EXPECT_THAT(at_tls().say("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>" +
                           base64_encode("nurse" + std::string(1, '\0') + mac) + "</initial-response><user-agent id='" +
                           agent_id + "'/><fast xmlns='urn:xmpp:fast:0'/>" + wish("256") + "</authenticate>"),
              StartsWith("<success"));
  EXPECT_THAT(by_scram("SCRAM-SHA-256", sasl::Hash::sha256), HasSubstr("<not-authorized"));
}

TEST_F(UpgradeTest, a_token_that_was_asked_for_with_an_upgrade_works) {
  Raw raw = at_tls();
  raw.say(authenticate(
      "nurse", "secret",
      agent() + bind2() + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>" + wish("256")));
  const std::string answer = raw.say(brings(salted(raw.say(next("256")), sasl::Hash::sha256)));
  const std::string token = between(answer, "<token xmlns='urn:xmpp:fast:0' token='", "'");
  const std::string mac(sasl::hmac(sasl::Hash::sha256, token, "Initiator").reveal());
  EXPECT_THAT(at_tls().say("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>" +
                           base64_encode("nurse" + std::string(1, '\0') + mac) + "</initial-response>" + agent() +
                           "<fast xmlns='urn:xmpp:fast:0'/></authenticate>"),
              StartsWith("<success"));
}

TEST_F(UpgradeTest, what_is_no_answer_fails_the_login_and_adds_nothing) {
  const auto begun = [&](Raw& raw) { return raw.say(authenticate("nurse", "secret", wish("256") + bind2())); };
  const struct {
    std::string says;
    std::string then;
    std::string failure;
  } cases[] = {
      {next("512"), "", "malformed-request"},
      {"<next xmlns='urn:xmpp:sasl:2'/>", "", "malformed-request"},
      {brings(std::string(32, 'x')), "", "malformed-request"},
      {"<abort xmlns='urn:xmpp:sasl:2'/>", "", "aborted"},
      {next("256"), next("256"), "malformed-request"},
      {next("256"), brings(std::string(31, 'x')), "malformed-request"},
      {next("256"), brings(""), "malformed-request"},
      {next("256"), "<task-data xmlns='urn:xmpp:sasl:2'/>", "malformed-request"},
      {next("256"), "<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>?</hash></task-data>",
       "incorrect-encoding"},
  };
  for (const auto& one : cases) {
    Raw raw = at_tls();
    ASSERT_EQ(begun(raw), task("256"));
    std::string answer = raw.say(one.says);
    if (!one.then.empty()) answer = raw.say(one.then);
    EXPECT_THAT(answer, HasSubstr("<failure xmlns='urn:xmpp:sasl:2'><" + one.failure + " ")) << one.says << one.then;
    EXPECT_EQ(world.sessions("nurse@localhost"), 0U);
    // The stream goes on as after each failure.
    EXPECT_EQ(begun(raw), task("256"));
  }
  EXPECT_THAT(by_scram("SCRAM-SHA-256", sasl::Hash::sha256), HasSubstr("<not-authorized"));
}

TEST_F(UpgradeTest, nobody_is_logged_in_before_the_last_task_is_done) {
  for (const std::string& says :
       {authenticate("nurse", "secret", bind2()), std::string("<response xmlns='urn:xmpp:sasl:2'>eA==</response>"),
        plain("nurse", "secret"), bind_iq("desk"), message("romeo@localhost", "hi")}) {
    Raw raw = at_tls();
    ASSERT_EQ(raw.say(authenticate("nurse", "secret", wish("256") + bind2())), task("256"));
    EXPECT_THAT(raw.say(says), HasSubstr("<stream:error")) << says;
    EXPECT_TRUE(raw.closed());
  }
  EXPECT_EQ(world.sessions("nurse@localhost"), 0U);
}

TEST_F(UpgradeTest, keys_are_not_added_to_a_password_that_was_changed_meanwhile) {
  Raw raw = at_tls();
  raw.say(authenticate("nurse", "secret", wish("256") + bind2()));
  const std::string answer = raw.say(next("256"));
  const auto other = available(world, "nurse@localhost", "desk");
  other->send(
      "<iq type='set' id='p'><query xmlns='jabber:iq:register'><username>nurse</username><password>another</password>"
      "</query></iq>");
  world.settle();
  EXPECT_THAT(raw.say(brings(salted(answer, sasl::Hash::sha256))), HasSubstr("<temporary-auth-failure"));
  EXPECT_THAT(by_scram("SCRAM-SHA-256", sasl::Hash::sha256, "another"), HasSubstr("<success"));
}

TEST_F(UpgradeTest, what_the_disk_refuses_is_no_success) {
  Raw raw = at_tls();
  raw.say(authenticate("nurse", "secret", wish("256") + bind2()));
  const std::string answer = raw.say(next("256"));
  world.fail_writes(true);
  EXPECT_THAT(raw.say(brings(salted(answer, sasl::Hash::sha256))), HasSubstr("<temporary-auth-failure"));
  world.fail_writes(false);
  EXPECT_THAT(by_scram("SCRAM-SHA-256", sasl::Hash::sha256), HasSubstr("<not-authorized"));
}

// --- FAST (XEP-0484)
// ------------------------------------------------------------------------------------------------------------

/// A client that logs in by tokens.
std::string by_token(const std::string& user, const std::string& token, const std::string& wishes = bind2(),
                     const std::string& mechanism = "HT-SHA-256-EXPR", const std::string& fast = {}) {
  const std::string binding = mechanism == "HT-SHA-256-NONE" ? "" : std::string(32, 'x');
  const std::string text = "Initiator" + binding;
  std::string mac(32, '\0');
  HMAC(EVP_sha256(), token.data(), static_cast<int>(token.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), reinterpret_cast<unsigned char*>(mac.data()), nullptr);
  return "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + mechanism + "'><initial-response>" +
         base64_encode(user + std::string(1, '\0') + mac) + "</initial-response>" + agent() +
         "<fast xmlns='urn:xmpp:fast:0'" + fast + "/>" + wishes + "</authenticate>";
}
std::string request_token(const std::string& mechanism = "HT-SHA-256-EXPR") {
  return "<request-token xmlns='urn:xmpp:fast:0' mechanism='" + mechanism + "'/>";
}
std::string token_in(const std::string& answer) {
  return between(answer, "<token xmlns='urn:xmpp:fast:0' token='", "'");
}

class FastTest : public Sasl2Test {
 protected:
  std::string first_token(const std::string& mechanism = "HT-SHA-256-EXPR") {
    Raw raw = at_tls();
    return token_in(raw.say(authenticate("juliet", "secret", agent() + bind2() + request_token(mechanism))));
  }
  std::string attempt(const std::string& request) {
    Raw raw = at_tls();
    return raw.say(request);
  }
};

TEST_F(FastTest, a_client_gets_a_token_and_logs_in_with_it) {
  EXPECT_THAT(at_tls().say(""), "");
  Raw raw = at_tls();
  const std::string answer = raw.say(authenticate("juliet", "secret", agent() + bind2() + request_token()));
  const std::string token = token_in(answer);
  EXPECT_EQ(token.size(), 43U) << answer;
  EXPECT_THAT(answer, HasSubstr("expiry='2030-01-22T00:00:00Z'"));
  const std::string again = attempt(by_token("juliet", token, bind2(enable_sm)));
  EXPECT_THAT(again, StartsWith("<success xmlns='urn:xmpp:sasl:2'><additional-data>"));
  EXPECT_THAT(again, HasSubstr("<authorization-identifier>juliet@localhost/Balcony/"));
  EXPECT_THAT(again, HasSubstr("<enabled"));
  EXPECT_EQ(token_in(again), "") << "there is no need for another one yet";
  EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<success"));
}

TEST_F(FastTest, the_server_proves_that_it_knows_the_token_too) {
  const std::string token = first_token();
  const std::string text = "Responder" + std::string(32, 'x');
  std::string mac(32, '\0');
  HMAC(EVP_sha256(), token.data(), static_cast<int>(token.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), reinterpret_cast<unsigned char*>(mac.data()), nullptr);
  EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<additional-data>" + base64_encode(mac) + "<"));
}

TEST_F(FastTest, a_session_is_resumed_by_a_token_in_one_round_trip) {
  const std::string token = first_token();
  Raw raw = at_tls();
  const std::string previd = between(raw.say(by_token("juliet", token, bind2(enable_sm))), "'urn:xmpp:sm:3' id='", "'");
  raw.client->link().cut();
  world.settle();
  EXPECT_THAT(attempt(by_token("juliet", token, bind2(enable_sm) + resume(previd, 0))), HasSubstr("<resumed"));
}

TEST_F(FastTest, a_token_is_good_for_its_account_its_client_and_its_mechanism_only) {
  const std::string token = first_token();
  const auto refused = HasSubstr("<failure xmlns='urn:xmpp:sasl:2'><not-authorized");
  EXPECT_THAT(attempt(by_token("romeo", token)), refused);
  EXPECT_THAT(attempt(by_token("nobody", token)), refused);
  EXPECT_THAT(attempt(by_token("juliet", token + "x")), refused);
  EXPECT_THAT(attempt(by_token("juliet", token, bind2(), "HT-SHA-256-NONE")), refused);
  std::string other = by_token("juliet", token);
  other.replace(other.find(agent_id), agent_id.size(), "00000000-0000-4000-8000-000000000001");
  EXPECT_THAT(attempt(other), refused);
  // Not without saying that it is one, nor by a name that was not offered.
  std::string silent = by_token("juliet", token);
  const std::string mark = "<fast xmlns='urn:xmpp:fast:0'/>";
  silent.replace(silent.find(mark), mark.size(), "");
  EXPECT_THAT(attempt(silent), HasSubstr("<invalid-mechanism"));
  EXPECT_THAT(attempt(by_token("juliet", token, bind2(), "HT-SHA-256-ENDP")), HasSubstr("<invalid-mechanism"));
  EXPECT_THAT(attempt(by_token("juliet", token, bind2(), "PLAIN")), HasSubstr("<invalid-mechanism"));
  EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<success"));
}

TEST_F(FastTest, a_token_that_cannot_bind_the_channel_is_given_to_who_asks_for_it) {
  const std::string token = first_token("HT-SHA-256-NONE");
  EXPECT_THAT(attempt(by_token("juliet", token, bind2(), "HT-SHA-256-NONE")), HasSubstr("<success"));
  EXPECT_EQ(first_token("SCRAM-SHA-1"), "");
}

TEST_F(FastTest, a_day_old_token_brings_another_and_is_good_until_that_is_used) {
  const std::string old = first_token();
  EXPECT_THAT(attempt(by_token("juliet", old)), HasSubstr("<success"));
  world.advance(std::chrono::hours(25));
  const std::string fresh = token_in(attempt(by_token("juliet", old)));
  EXPECT_EQ(fresh.size(), 43U);
  EXPECT_NE(fresh, old);
  EXPECT_THAT(attempt(by_token("juliet", old)), HasSubstr("<success"));
  const std::string newest = token_in(attempt(by_token("juliet", old)));
  EXPECT_THAT(attempt(by_token("juliet", fresh)), HasSubstr("<not-authorized")) << "it was replaced before it was used";
  EXPECT_THAT(attempt(by_token("juliet", newest)), HasSubstr("<success"));
  EXPECT_THAT(attempt(by_token("juliet", old)), HasSubstr("<not-authorized"));
  EXPECT_THAT(attempt(by_token("juliet", newest)), HasSubstr("<success"));
}

TEST_F(FastTest, an_old_token_has_expired) {
  const std::string token = first_token();
  world.advance(std::chrono::hours(24 * 21));
  EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<credentials-expired"));
}

TEST_F(FastTest, a_client_that_logs_out_makes_its_token_worthless) {
  const std::string token = first_token();
  const std::string answer =
      attempt(by_token("juliet", token, bind2(), "HT-SHA-256-EXPR", " count='1' invalidate='true'"));
  EXPECT_THAT(answer, HasSubstr("<success"));
  EXPECT_EQ(token_in(answer), "");
  EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<not-authorized"));
}

TEST_F(FastTest, a_client_that_logs_out_leaves_no_older_or_newer_token_behind) {
  for (const bool with_the_newer : {true, false}) {
    const std::string first = first_token();
    EXPECT_THAT(attempt(by_token("juliet", first)), HasSubstr("<success"));
    world.advance(std::chrono::hours(25));
    const std::string second = token_in(attempt(by_token("juliet", first)));
    const std::string& used = with_the_newer ? second : first;
    const std::string& other = with_the_newer ? first : second;
    EXPECT_THAT(attempt(by_token("juliet", used, bind2(), "HT-SHA-256-EXPR", " invalidate='true'")),
                HasSubstr("<success"));
    EXPECT_THAT(attempt(by_token("juliet", used)), HasSubstr("<not-authorized"));
    EXPECT_THAT(attempt(by_token("juliet", other)), HasSubstr("<not-authorized"));
  }
}

TEST_F(FastTest, a_client_that_gives_its_token_up_may_ask_for_another_in_the_same_request) {
  const std::string token = first_token();
  const std::string another =
      token_in(attempt(by_token("juliet", token, bind2() + request_token(), "HT-SHA-256-EXPR", " invalidate='1'")));
  EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<not-authorized"));
  EXPECT_THAT(attempt(by_token("juliet", another)), HasSubstr("<success"));
}

TEST_F(FastTest, who_logs_out_is_not_told_that_a_token_is_gone_which_the_disk_still_has) {
  const std::string token = first_token();
  Raw raw = at_tls();
  world.fail_writes(true);
  const std::string answer = raw.say(by_token("juliet", token, bind2(), "HT-SHA-256-EXPR", " invalidate='true'"));
  world.fail_writes(false);
  EXPECT_THAT(answer, Not(HasSubstr("<success")));
  EXPECT_THAT(answer, HasSubstr("<internal-server-error"));
  EXPECT_TRUE(raw.closed());
  EXPECT_EQ(world.sessions("juliet@localhost"), 0U);
}

TEST_F(FastTest, tokens_survive_a_restart_and_a_token_that_was_not_stored_is_not_given) {
  const std::string token = first_token();
  world.restart();
  EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<success"));
  Raw raw = at_tls();
  world.fail_writes(true);
  const std::string answer = raw.say(authenticate("juliet", "secret", agent() + request_token()));
  world.fail_writes(false);
  EXPECT_THAT(answer, HasSubstr("<success"));
  EXPECT_EQ(token_in(answer), "");
}

TEST_F(FastTest, who_does_not_say_which_client_it_is_gets_no_token) {
  Raw raw = at_tls();
  EXPECT_EQ(token_in(raw.say(authenticate("juliet", "secret", bind2() + request_token()))), "");
  const std::string token = first_token();
  std::string nameless = by_token("juliet", token);
  nameless.replace(nameless.find(agent()), agent().size(), "");
  EXPECT_THAT(attempt(nameless), HasSubstr("<malformed-request"));
}

// --- which clients have access (XEP-0494)

const std::string list = "<iq type='get' id='l'><list xmlns='urn:xmpp:cam:0'/></iq>";
std::string revoke(const std::string& id) {
  return "<iq type='set' id='v'><revoke xmlns='urn:xmpp:cam:0'" + (id.empty() ? "" : " id='" + id + "'") + "/></iq>";
}

TEST_F(FastTest, people_see_which_clients_have_access_and_take_it_away) {
  const std::string token = first_token();
  const auto desk = entered(world, "juliet@localhost", "desk");
  const auto ask = [&](const std::string& iq) {
    desk->send(iq);
    const auto all = got(world, *desk);
    return all.empty() ? std::string() : all.back();
  };
  const std::string before = ask(list);
  EXPECT_THAT(before, HasSubstr("<client connected='false' id='" + agent_id + "' type='session'>"));
  EXPECT_THAT(before, HasSubstr("<auth><password/><fast/></auth><permission status='unrestricted'/>"));
  EXPECT_THAT(before, HasSubstr("<software>Balcony</software><device>Juliet's phone</device>"));
  EXPECT_THAT(before, HasSubstr("<client connected='true' id='session/desk' type='session'>"));
  Raw phone = at_tls();
  phone.say(by_token("juliet", token));
  EXPECT_THAT(ask(list), HasSubstr("<client connected='true' id='" + agent_id + "'"));
  // It got its token for the password, which it may still know.
  EXPECT_THAT(ask(revoke(agent_id)), HasSubstr("<password-reset-required xmlns='urn:xmpp:cam:0'/>"));
  EXPECT_THAT(phone.take(), HasSubstr("<not-authorized"));
  EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<not-authorized"));
  EXPECT_THAT(ask(list), Not(HasSubstr(agent_id)));
}

TEST_F(FastTest, who_was_logging_in_when_its_access_was_taken_away_binds_nothing) {
  const std::string token = first_token();
  Raw phone = at_tls();
  EXPECT_THAT(phone.say(by_token("juliet", token, "")), HasSubstr("<success"));
  const auto desk = entered(world, "juliet@localhost", "desk");
  world.advance(seconds(1));
  desk->send(revoke(agent_id));
  world.settle();
  EXPECT_THAT(got(world, *desk), ::testing::Contains(HasSubstr("<password-reset-required")));
  EXPECT_THAT(phone.say(bind_iq("phone")), HasSubstr("<not-authorized"));
  EXPECT_EQ(world.sessions("juliet@localhost"), 1U);
  // With the password it may come again.
  world.advance(seconds(1));
  EXPECT_THAT(attempt(authenticate("juliet", "secret", agent() + bind2())), HasSubstr("juliet@localhost/Balcony"));
}

TEST_F(FastTest, the_use_of_a_token_is_written_down_once_an_hour) {
  const std::string token = first_token();  // at midnight
  const auto last_seen_after_login = [&](int minutes) {
    world.advance(seconds(minutes * 60));
    EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<success"));
    const auto desk = entered(world, "juliet@localhost", "desk");
    desk->send(list);
    const auto all = got(world, *desk);
    return between(between(all.back(), agent_id, "</client>"), "<last-seen>", "</last-seen>");
  };
  EXPECT_EQ(last_seen_after_login(1), "2030-01-01T00:01:00Z") << "the first use voids an older token";
  EXPECT_EQ(last_seen_after_login(2), "2030-01-01T00:01:00Z");
  EXPECT_EQ(last_seen_after_login(57), "2030-01-01T00:01:00Z");
  EXPECT_EQ(last_seen_after_login(1), "2030-01-01T01:01:00Z");
}

TEST_F(FastTest, access_by_the_password_is_taken_by_a_new_one_only) {
  const auto desk = entered(world, "juliet@localhost", "desk");
  const auto ask = [&](const std::string& iq) {
    desk->send(iq);
    const auto all = got(world, *desk);
    return all.empty() ? std::string() : all.back();
  };
  const auto lost = entered(world, "juliet@localhost", "lost");
  const std::string answer = ask(revoke("session/lost"));
  EXPECT_THAT(answer, HasSubstr("<service-unavailable"));
  EXPECT_THAT(answer, HasSubstr("<password-reset-required xmlns='urn:xmpp:cam:0'/>"));
  EXPECT_THAT(got(world, *lost), ::testing::Contains(HasSubstr("<not-authorized")));
  EXPECT_EQ(world.sessions("juliet@localhost"), 1U);
  EXPECT_THAT(ask(revoke("nonsense")), HasSubstr("<item-not-found"));
  EXPECT_THAT(ask(revoke("")), HasSubstr("<bad-request"));
}

TEST_F(FastTest, nobody_sees_or_ends_another_s_clients) {
  const std::string token = first_token();
  const auto romeo = entered(world, "romeo@localhost", "orchard");
  for (std::string iq : {list, revoke(agent_id)}) {
    romeo->send(iq.insert(4, "to='juliet@localhost' "));
    EXPECT_THAT(got(world, *romeo).back(), HasSubstr("<service-unavailable"));
  }
  EXPECT_THAT(attempt(by_token("juliet", token)), HasSubstr("<success"));
}

TEST_F(FastTest, wrong_tokens_are_counted_like_wrong_passwords) {
  Raw raw = at_tls();
  std::string answer;
  for (int i = 0; i < 5; ++i) {
    answer = raw.say(by_token("juliet", "wrong"));
    world.advance(seconds(60));
  }
  EXPECT_TRUE(raw.closed());
}

}  // namespace
}  // namespace kith::scenario
