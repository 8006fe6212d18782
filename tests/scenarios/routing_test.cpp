// What the router answers for what it cannot deliver, and the order of what it can (RFC 6120 §8, RFC 6121 §8); through
// a whole server of several shards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/crossing.h"
#include "talk.h"

namespace kith::scenario {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class RoutingTest : public ::testing::Test {
 protected:
  RoutingTest() { begin({}); }
  void begin(WorldOptions options) {
    juliet.reset();
    world.reset();
    world = std::make_unique<World>(std::move(options));
    // One on each shard, so that both ways are gone: within a shard and between two.
    for (const std::string name : {"juliet", "romeo", "nurse", "paris", "tybalt", "rosaline", "benvolio"}) {
      world->add_account(name + "@localhost", "secret");
      by_shard.emplace(router::owner_of(*xmpp::BareJid::parse(name + "@localhost"), 3), name + "@localhost");
    }
    juliet = entered(*world, "juliet@localhost", "balcony");
  }
  std::vector<std::string> answers(const std::string& stanza) {
    juliet->send(stanza);
    return got(*world, *juliet);
  }
  std::map<unsigned, std::string> by_shard;
  std::unique_ptr<World> world;
  std::unique_ptr<WorldClient> juliet;
};

const std::string unknown = "<query xmlns='urn:unknown'/>";

TEST_F(RoutingTest, there_is_an_account_on_every_shard) { EXPECT_THAT(by_shard, SizeIs(3)); }

TEST_F(RoutingTest, a_request_that_nobody_answers_gets_service_unavailable_from_whom_it_was_for) {
  world->log_in("romeo@localhost", "secret", "orchard").value();
  std::vector<std::string> addressees = {"",
                                         "localhost",
                                         "localhost/x",
                                         "juliet@localhost",
                                         "juliet@localhost/nowhere",
                                         "nobody@localhost",
                                         "nobody@localhost/nowhere"};
  for (const auto& [shard, jid] : by_shard) {
    addressees.push_back(jid);
    addressees.push_back(jid + "/nowhere");
  }
  for (const std::string& to : addressees) {
    for (const char* type : {"get", "set"}) {
      SCOPED_TRACE(to + " " + type);
      const std::string address = to.empty() ? "" : " to='" + to + "'";
      const auto all = answers("<iq type='" + std::string(type) + "' id='u1'" + address + ">" + unknown + "</iq>");
      const std::string from = " from='" + (to.empty() ? std::string("juliet@localhost") : to) + "'";
      EXPECT_THAT(
          all,
          ElementsAre(AllOf(
              HasSubstr(" type='error'"), HasSubstr(" id='u1'"), HasSubstr(from),
              HasSubstr(" to='juliet@localhost/balcony'"),
              HasSubstr(
                  "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"))));
      // RFC 6120 §8.2.3: nobody answers an answer.
      for (const char* answer : {"result", "error"}) {
        EXPECT_THAT(answers("<iq type='" + std::string(answer) + "' id='u2'" + address + "/>"), IsEmpty());
      }
    }
  }
}

TEST_F(RoutingTest, an_account_that_exists_looks_to_strangers_like_one_that_does_not) {
  for (const std::string payload :
       {"<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:roster'/>",
        "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>", "<query xmlns='jabber:iq:last'/>",
        "<vCard xmlns='vcard-temp'/>", "<query xmlns='jabber:iq:version'/>", "<time xmlns='urn:xmpp:time'/>"}) {
    for (const char* type : {"get", "set"}) {
      for (const std::string resource : {"", "/nowhere"}) {
        for (const auto& [shard, jid] : by_shard) {
          if (jid.starts_with("juliet@")) continue;
          const auto ask = [&](const std::string& to) {
            return answers("<iq type='" + std::string(type) + "' id='q' to='" + to + resource + "'>" + payload +
                           "</iq>");
          };
          auto there = ask(jid);
          auto nowhere = ask("nobody@localhost");
          ASSERT_THAT(there, SizeIs(1));
          ASSERT_THAT(nowhere, SizeIs(1));
          std::string& text = there[0];
          for (auto at = text.find(jid); at != std::string::npos; at = text.find(jid))
            text.replace(at, jid.size(), "nobody@localhost");
          EXPECT_EQ(text, nowhere[0]);
        }
      }
    }
  }
}

TEST_F(RoutingTest, malformed_stanzas_get_a_stanza_error_and_the_stream_goes_on) {
  const std::pair<std::string, std::string> cases[] = {
      {"<iq type='get'><query xmlns='urn:unknown'/></iq>", "bad-request"},
      {"<iq/>", "bad-request"},
      {"<iq id='m1'/>", "bad-request"},
      {"<iq type='get' id='m1'/>", "bad-request"},
      {"<iq type='get' id='m1'><a xmlns='urn:a'/><b xmlns='urn:b'/></iq>", "bad-request"},
      {"<iq type='put' id='m1'><a xmlns='urn:a'/></iq>", "bad-request"},
      {"<presence type='here' id='m1'/>", "bad-request"},
      {"<iq type='get' id='m1' to='@localhost'><a xmlns='urn:a'/></iq>", "jid-malformed"},
      {"<message id='m1' to='romeo@localhost/'><body>hi</body></message>", "jid-malformed"},
      {"<message id='m1' to=''><body>hi</body></message>", "jid-malformed"},
      {"<presence id='m1' to='a@b@c'/>", "jid-malformed"},
  };
  for (const auto& [stanza, condition] : cases) {
    SCOPED_TRACE(stanza);
    const std::string name = stanza.substr(1, stanza.find_first_of(" /") - 1);
    std::vector<::testing::Matcher<const std::string&>> parts;
    EXPECT_THAT(answers(stanza),
                ElementsAre(AllOf(StartsWith("<" + name + " type='error'"),
                                  HasSubstr("<error type='modify'><" + condition + " "),
                                  HasSubstr(stanza.find("m1") == std::string::npos ? "<iq" : " id='m1'"))));
  }
  // Answers and errors that are malformed are answered by nothing.
  for (const char* stanza :
       {"<iq type='result'/>", "<iq type='error' id='1' to='@'/>", "<message type='error' to='@'/>"}) {
    EXPECT_THAT(answers(stanza), IsEmpty()) << stanza;
  }
  EXPECT_THAT(answers("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"),
              ElementsAre(HasSubstr("type='result'")));
}

TEST_F(RoutingTest, other_servers_cannot_be_reached) {
  for (const std::string to : {"romeo@elsewhere.example", "elsewhere.example", "romeo@elsewhere.example/orchard"}) {
    const auto expect =
        AllOf(HasSubstr(" from='" + to + "'"), HasSubstr("type='error'"), HasSubstr("<remote-server-not-found "));
    EXPECT_THAT(answers("<message to='" + to + "'><body>hi</body></message>"),
                ElementsAre(AllOf(StartsWith("<message"), expect)));
    EXPECT_THAT(answers("<iq type='get' id='1' to='" + to + "'>" + unknown + "</iq>"),
                ElementsAre(AllOf(StartsWith("<iq"), expect)));
    EXPECT_THAT(answers("<presence to='" + to + "'/>"), ElementsAre(AllOf(StartsWith("<presence"), expect)));
    EXPECT_THAT(answers("<presence type='unavailable' to='" + to + "'/>"), IsEmpty());
    EXPECT_THAT(answers("<message type='error' to='" + to + "'><body>hi</body></message>"), IsEmpty());
  }
}

TEST_F(RoutingTest, messages_that_cannot_be_delivered_are_answered_by_their_type) {
  EXPECT_THAT(answers("<message to='nobody@localhost' id='1'><body>hi</body></message>"),
              ElementsAre(AllOf(HasSubstr("from='nobody@localhost'"), HasSubstr("<service-unavailable "))));
  EXPECT_THAT(answers("<message to='localhost' id='1'><body>hi</body></message>"),
              ElementsAre(HasSubstr("<service-unavailable ")));
  EXPECT_THAT(answers("<message to='nobody@localhost' type='error' id='1'><body>hi</body></message>"), IsEmpty());
  // RFC 6121 Table 1, "account does not exist".
  EXPECT_THAT(answers("<message to='nobody@localhost' type='headline' id='1'><body>hi</body></message>"), IsEmpty());
  EXPECT_THAT(answers("<message to='nobody@localhost' type='groupchat' id='1'><body>hi</body></message>"),
              ElementsAre(HasSubstr("<service-unavailable ")));
  EXPECT_THAT(answers("<message to='nobody@localhost/x' type='chat' id='1'><body>hi</body></message>"),
              ElementsAre(HasSubstr("<service-unavailable ")));
  EXPECT_THAT(answers("<message to='romeo@localhost' type='groupchat' id='1'><body>hi</body></message>"),
              ElementsAre(HasSubstr("<service-unavailable ")));
  EXPECT_THAT(answers("<message to='romeo@localhost' type='headline' id='1'><body>hi</body></message>"), IsEmpty());
  EXPECT_THAT(answers("<presence to='nobody@localhost'/>"), IsEmpty());
}

TEST_F(RoutingTest, a_thousand_messages_between_any_two_keep_their_order) {
  WorldOptions options;
  options.limits.stanzas = {.per_second = 10'000, .burst = 10'000};
  begin(options);
  for (const auto& [shard, jid] : by_shard) {
    if (jid.starts_with("juliet@")) continue;
    auto receiver = available(*world, jid, "r");
    std::string all;
    for (int i = 0; i < 1000; ++i) {
      // By turns to the bare and the full address, which take the same way.
      all += "<message type='chat' id='m" + std::to_string(i) + "' to='" + jid + (i % 2 == 0 ? "/r" : "") +
             "'><body>hi</body></message>";
      if (i % 97 == 0) juliet->send(std::exchange(all, {}));
    }
    juliet->send(all);
    const auto seen = got(*world, *receiver);
    ASSERT_THAT(seen, SizeIs(1000));
    for (int i = 0; i < 1000; ++i)
      ASSERT_THAT(seen[static_cast<std::size_t>(i)], HasSubstr(" id='m" + std::to_string(i) + "'"));
  }
}

TEST_F(RoutingTest, messages_and_requests_to_an_account_that_is_being_loaded_keep_their_order) {
  for (const auto& [shard, jid] : by_shard) {
    if (jid.starts_with("juliet@")) continue;
    std::string all;
    for (int i = 0; i < 20; ++i)
      all += "<message type='chat' id='m" + std::to_string(i) + "' to='" + jid + "'><body>hi</body></message>";
    juliet->send(all);
    auto receiver = entered(*world, jid, "r");
    receiver->send("<presence/>");
    std::vector<std::string> ids;
    for (const std::string& text : got(*world, *receiver)) {
      if (text.starts_with("<message"))
        ids.push_back(
            text.substr(text.find(" id='m") + 6, text.find('\'', text.find(" id='m") + 6) - text.find(" id='m") - 6));
    }
    ASSERT_THAT(ids, SizeIs(20));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(ids[static_cast<std::size_t>(i)], std::to_string(i));
  }
}

TEST_F(RoutingTest, what_a_full_mailbox_refuses_comes_back_to_try_again) {
  std::size_t crossed = 0;
  for (const auto& [shard, jid] : by_shard) {
    if (router::owner_of(*xmpp::BareJid::parse("juliet@localhost"), 3) == shard) continue;
    ++crossed;
    world->mailboxes_full(true);
    const auto busy = AllOf(HasSubstr(" from='" + jid + "'"), HasSubstr("<error type='wait'><resource-constraint "));
    EXPECT_THAT(answers("<message id='1' to='" + jid + "'><body>hi</body></message>"),
                ElementsAre(AllOf(StartsWith("<message"), busy)));
    EXPECT_THAT(answers("<iq type='get' id='1' to='" + jid + "'>" + unknown + "</iq>"),
                ElementsAre(AllOf(StartsWith("<iq"), busy)));
    EXPECT_THAT(answers("<iq type='result' id='1' to='" + jid + "/x'/>"), IsEmpty());
    world->mailboxes_full(false);
    EXPECT_THAT(answers("<message id='1' to='" + jid + "'><body>hi</body></message>"), IsEmpty());
  }
  EXPECT_EQ(crossed, 2U);
}

// An answer that a full mailbox swallowed would be waited for in vain. Found by the simulation.
TEST_F(RoutingTest, an_answer_finds_its_way_through_a_full_mailbox) {
  for (const auto& [shard, jid] : by_shard) {
    if (router::owner_of(*xmpp::BareJid::parse("juliet@localhost"), 3) == shard) continue;
    const auto other = entered(*world, jid, "there");
    world->storage().hold_commits(true);
    other->send("<iq type='set' id='s'><query xmlns='jabber:iq:private'><a xmlns='urn:a'>x</a></query></iq>");
    world->settle();
    // Both wait for that write, and are answered when the way back is full.
    EXPECT_THAT(answers("<message id='m' type='groupchat' to='" + jid + "'><body>hi</body></message>"), IsEmpty());
    EXPECT_THAT(answers("<iq type='get' id='q' to='" + jid + "'>" + unknown + "</iq>"), IsEmpty());
    world->mailboxes_full(true);
    world->storage().hold_commits(false);
    EXPECT_THAT(got(*world, *juliet), ElementsAre(HasSubstr("id='m'"), HasSubstr("id='q'")));
    world->mailboxes_full(false);
  }
}

// The other client's answer is as much waited for as one of ours; but a client can make up as many as it likes.
TEST_F(RoutingTest, so_many_answers_of_clients_find_their_way_through_a_full_mailbox) {
  for (const auto& [shard, jid] : by_shard) {
    if (router::owner_of(*xmpp::BareJid::parse("juliet@localhost"), 3) == shard) continue;
    const auto other = entered(*world, jid, "there");
    std::string asked;
    std::string answered;
    for (int i = 0; i < 100; ++i) {
      const std::string id = " id='" + std::to_string(i) + "' to='";
      asked += "<iq type='get'" + id + jid + "/there'>" + unknown + "</iq>";
      answered += "<iq type='result'" + id + "juliet@localhost/balcony'/>";
    }
    EXPECT_THAT(answers(asked), IsEmpty());
    EXPECT_THAT(got(*world, *other), SizeIs(100));
    world->mailboxes_full(true);
    other->send(answered);
    EXPECT_THAT(got(*world, *juliet), SizeIs(64));
    other->send("<iq type='result' id='99' to='juliet@localhost/balcony'/>");
    EXPECT_THAT(got(*world, *juliet), ElementsAre(HasSubstr("id='99'")));
    world->mailboxes_full(false);
  }
}

// What a feature holds back without having written it may come back yet. Found by the simulation.
TEST_F(RoutingTest, an_answer_waits_while_a_feature_holds_something_back) {
  for (const auto& [shard, jid] : by_shard) {
    if (jid == "juliet@localhost") continue;
    const auto other = entered(*world, jid, "there");
    module::Account* const account = world->shard(shard).router().loaded(*xmpp::BareJid::parse(jid));
    ASSERT_NE(account, nullptr);
    account->hold_answers();
    EXPECT_THAT(answers("<iq type='get' id='q' to='" + jid + "'>" + unknown + "</iq>"), IsEmpty());
    account->let_answers_go();
    EXPECT_THAT(got(*world, *juliet), ElementsAre(HasSubstr("id='q'")));
  }
}

TEST_F(RoutingTest, an_answer_that_waits_comes_when_the_account_is_removed) {
  const auto other = entered(*world, "romeo@localhost", "there");
  const xmpp::BareJid romeo = *xmpp::BareJid::parse("romeo@localhost");
  router::Router& router = world->shard(router::owner_of(romeo, 3)).router();
  router.loaded(romeo)->hold_answers();
  EXPECT_THAT(answers("<iq type='get' id='q' to='romeo@localhost'>" + unknown + "</iq>"), IsEmpty());
  router.remove(romeo, [](const auto&) {});
  EXPECT_THAT(got(*world, *juliet), ElementsAre(AllOf(HasSubstr("id='q'"), HasSubstr("<service-unavailable "))));
}

TEST_F(RoutingTest, sessions_of_a_busy_shard_are_closed_all_the_same) {
  const auto romeo = entered(*world, "romeo@localhost", "orchard");
  world->mailboxes_full(true);
  for (unsigned shard = 0; shard < 3; ++shard) {
    world->shard(shard).router().close_sessions(*xmpp::BareJid::parse("romeo@localhost"),
                                                {xmpp::StreamCondition::reset});
  }
  EXPECT_THAT(got(*world, *romeo), ElementsAre(HasSubstr("<reset ")));
  EXPECT_EQ(world->sessions("romeo@localhost"), 0U);
}

TEST_F(RoutingTest, an_account_whose_queue_is_full_refuses_what_comes) {
  WorldOptions options;
  options.limits.account_queue_stanzas = 5;
  begin(options);
  // None of them is in memory, and what comes in one turn waits until it is: five at most.
  for (const std::string to : {"paris@localhost", "romeo@localhost", "nurse@localhost", "tybalt@localhost"}) {
    std::string all;
    for (int i = 0; i < 8; ++i)
      all += "<message type='chat' id='m" + std::to_string(i) + "' to='" + to + "'><body>hi</body></message>";
    EXPECT_THAT(answers(all),
                ElementsAre(AllOf(HasSubstr("id='m5'"), HasSubstr("<error type='wait'><resource-constraint ")),
                            HasSubstr("id='m6'"), HasSubstr("id='m7'")));
    auto receiver = entered(*world, to, "r");
    receiver->send("<presence/>");
    const auto seen = got(*world, *receiver);
    EXPECT_EQ(std::ranges::count_if(seen, [](const std::string& text) { return text.starts_with("<message"); }), 5)
        << to;
  }
}

TEST_F(RoutingTest, a_session_hears_nothing_of_an_account_that_cannot_be_loaded_but_an_error_to_try_again) {
  world->storage().fail_next_reads(1);
  EXPECT_THAT(answers("<message type='chat' id='1' to='paris@localhost'><body>hi</body></message>"),
              ElementsAre(AllOf(HasSubstr("<error type='wait'>"), HasSubstr("<internal-server-error "))));
  EXPECT_THAT(answers("<message type='chat' id='1' to='paris@localhost'><body>hi</body></message>"), IsEmpty());
}

}  // namespace
}  // namespace kith::scenario
