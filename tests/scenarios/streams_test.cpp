// A client's stream from the first byte to the last (RFC 6120 §4–§7), through a whole server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "two_people.h"

namespace kith::scenario {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// How far a stream has come when the test begins.
enum class At { nothing, header, tls, tls_header, login, login_header, bound };

class StreamsTest : public TwoPeople {
 protected:
  Raw at(At step, net::LinkOptions link = {}) {
    Raw raw(*world, std::move(link));
    if (step == At::nothing) return raw;
    raw.say(header);
    if (step == At::header) return raw;
    raw.say(starttls);
    if (step == At::tls) return raw;
    raw.say(header);
    if (step == At::tls_header) return raw;
    raw.say(plain("juliet", "secret"));
    if (step == At::login) return raw;
    raw.say(header);
    if (step == At::login_header) return raw;
    raw.say(bind_iq("balcony"));
    return raw;
  }
  /// The stream ends with this error, `headers` stream headers before it and a closing tag after it, and the connection
  /// closes.
  void expect_end(Raw& raw, const std::string& reply, const std::string& condition, std::size_t headers) {
    EXPECT_EQ(count_of(reply, "<stream:stream "), headers) << reply;
    EXPECT_EQ(count_of(reply, "<stream:error"), 1U) << reply;
    EXPECT_THAT(reply, HasSubstr("<" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-streams'"));
    EXPECT_THAT(reply, EndsWith("</stream:error></stream:stream>"));
    if (headers != 0) {
      EXPECT_LT(reply.find("<stream:stream "), reply.find("<stream:error"));
    }
    EXPECT_TRUE(raw.closed());
    EXPECT_EQ(world->connections(), 0U);
  }
};

TEST_F(StreamsTest, a_stream_restarts_after_tls_and_after_sasl_with_a_new_id_each_time) {
  Raw raw(*world);
  const std::string first = raw.say(header);
  EXPECT_THAT(first, StartsWith("<?xml version='1.0'?><stream:stream "));
  EXPECT_THAT(first, HasSubstr("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"));
  EXPECT_THAT(first, Not(HasSubstr("mechanism")));
  EXPECT_EQ(raw.say(starttls), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  EXPECT_TRUE(raw.client->link().secure());
  const std::string second = raw.say(header);
  EXPECT_THAT(second, HasSubstr("<mechanism>PLAIN</mechanism>"));
  EXPECT_THAT(second, Not(HasSubstr("<starttls")));
  EXPECT_THAT(raw.say(plain("juliet", "secret")), StartsWith("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"));
  const std::string third = raw.say(header);
  EXPECT_THAT(third, HasSubstr("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"));
  EXPECT_THAT(third, Not(HasSubstr("<mechanism")));
  const auto id = [](const std::string& text) { return text.substr(text.find(" id='"), 30); };
  EXPECT_NE(id(first), id(second));
  EXPECT_NE(id(second), id(third));
  EXPECT_THAT(raw.say(bind_iq("balcony")), HasSubstr("<jid>juliet@localhost/balcony</jid>"));
}

TEST_F(StreamsTest, what_follows_a_login_in_the_same_segment_is_not_lost) {
  Raw raw(*world);
  raw.to_tls();
  const std::string reply = raw.say(plain("juliet", "secret") + header + bind_iq("balcony") +
                                    "<iq type='get' id='p1' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
  EXPECT_THAT(reply, HasSubstr("<success"));
  EXPECT_THAT(reply, HasSubstr("<jid>juliet@localhost/balcony</jid>"));
  EXPECT_THAT(reply, HasSubstr("id='p1'"));
}

TEST_F(StreamsTest, plaintext_behind_starttls_in_the_same_segment_is_cut_off) {
  for (const std::string& injected : {header, std::string(" "), std::string("<iq")}) {
    Raw raw(*world);
    raw.say(header);
    EXPECT_EQ(raw.say(starttls + injected), "") << injected;
    EXPECT_TRUE(raw.closed());
    EXPECT_FALSE(raw.client->link().secure());
    EXPECT_EQ(world->connections(), 0U);
  }
}

TEST_F(StreamsTest, a_second_starttls_fails_and_ends_the_stream) {
  Raw raw = at(At::tls_header);
  const std::string reply = raw.say(starttls);
  EXPECT_THAT(reply, StartsWith("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
  expect_end(raw, reply, "policy-violation", 0);
}

TEST_F(StreamsTest, direct_tls_begins_with_sasl) {
  Raw raw(*world, {.direct_tls = true});
  const std::string features = raw.say(header);
  EXPECT_THAT(features, HasSubstr("<mechanism>"));
  EXPECT_THAT(features, Not(HasSubstr("<starttls")));
  EXPECT_NE(world->log_in("juliet@localhost", "secret", "balcony", {.direct_tls = true}), nullptr);
}

TEST_F(StreamsTest, direct_tls_takes_the_domain_of_the_handshake_if_the_header_has_none) {
  const std::string nameless =
      "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
  net::LinkOptions link{.direct_tls = true};
  link.tls.sni = "localhost";
  Raw raw(*world, link);
  EXPECT_THAT(raw.say(nameless), HasSubstr("from='localhost'"));
  Raw other(*world);
  const std::string reply = other.say(nameless);
  EXPECT_THAT(reply, HasSubstr("<improper-addressing "));
}

struct BadBytes {
  const char* bytes;
  const char* condition;
};

TEST_F(StreamsTest, bad_headers_get_a_header_and_their_error) {
  const std::string open = "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' ";
  const std::pair<std::string, std::string> cases[] = {
      {"<stream:stream", ""},
      {"<a <b", "not-well-formed"},
      {"hello", "not-well-formed"},
      {"<!DOCTYPE x [<!ENTITY a 'b'>]>", "restricted-xml"},
      {"<?xml version='1.0' encoding='ISO-8859-1'?>" + open + ">", "unsupported-encoding"},
      {"<!-- hello -->", "restricted-xml"},
      {open + "xmlns='jabber:server' to='localhost' version='1.0'>", "invalid-namespace"},
      {"<stream:stream xmlns:stream='http://wrong' xmlns='jabber:client' to='localhost' version='1.0'>",
       "invalid-namespace"},
      {"<stream:flood xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' to='localhost' "
       "version='1.0'>",
       "bad-format"},
      {open + "xmlns='jabber:client' version='1.0'>", "improper-addressing"},
      {open + "xmlns='jabber:client' to='juliet@localhost' version='1.0'>", "improper-addressing"},
      {open + "xmlns='jabber:client' to='localhost/x' version='1.0'>", "improper-addressing"},
      {open + "xmlns='jabber:client' to='elsewhere.example' version='1.0'>", "host-unknown"},
      {open + "xmlns='jabber:client' to='localhost'>", "unsupported-version"},
      {open + "xmlns='jabber:client' to='localhost' version='0.9'>", "unsupported-version"},
      {open + "xmlns='jabber:client' to='localhost' version='1.0' from='@@'>", "invalid-from"},
  };
  for (const auto& [bytes, condition] : cases) {
    if (condition.empty()) continue;
    for (const At step : {At::nothing, At::tls, At::login}) {
      SCOPED_TRACE(bytes + " at " + std::to_string(static_cast<int>(step)));
      Raw raw = at(step);
      expect_end(raw, raw.say(bytes), condition, 1);
    }
  }
}

TEST_F(StreamsTest, bad_bytes_inside_a_stream_end_it_with_their_error) {
  const BadBytes cases[] = {
      {"<iq></message>", "not-well-formed"},
      {"<iq a='1' a='2'/>", "not-well-formed"},
      {"<x:iq/>", "not-well-formed"},
      {"<?xml version='1.0'?>", "restricted-xml"},
      {"hello", "bad-format"},
      {"<!-- hello -->", "restricted-xml"},
      {"<?php hello?>", "restricted-xml"},
      {"<presence><!-- hello --></presence>", "restricted-xml"},
      {"<flood/>", "unsupported-stanza-type"},
      {"<flood xmlns='urn:flood'/>", "unsupported-stanza-type"},
      {"<message xmlns='jabber:server'/>", "invalid-namespace"},
      {"<iq xmlns='jabber:server' type='get' id='1'/>", "invalid-namespace"},
  };
  for (const BadBytes& bad : cases) {
    for (const At step : {At::header, At::tls_header, At::login_header, At::bound}) {
      SCOPED_TRACE(std::string(bad.bytes) + " at " + std::to_string(static_cast<int>(step)));
      Raw raw = at(step);
      expect_end(raw, raw.say(bad.bytes), bad.condition, 0);
      EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
    }
  }
}

TEST_F(StreamsTest, a_stream_inside_a_stream_ends_it) {
  const std::string inner = header.substr(header.find("<stream"));
  for (const At step : {At::header, At::tls_header, At::login_header, At::bound}) {
    Raw raw = at(step);
    expect_end(raw, raw.say(inner + closing), "unsupported-stanza-type", 0);
  }
}

TEST_F(StreamsTest, stanzas_before_login_and_before_binding_are_not_authorized) {
  for (const std::string stanza :
       {"<message to='romeo@localhost'><body>hi</body></message>", "<presence/>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>", "<iq type='result' id='1'/>"}) {
    for (const At step : {At::header, At::tls_header, At::login_header}) {
      SCOPED_TRACE(stanza + std::to_string(static_cast<int>(step)));
      Raw raw = at(step);
      expect_end(raw, raw.say(stanza), "not-authorized", 0);
    }
  }
}

TEST_F(StreamsTest, elements_beyond_the_limits_end_a_stream) {
  std::string deep;
  for (int i = 0; i < 9; ++i) deep += "<a>";
  std::string wide = "<iq>";
  for (int i = 0; i < 65; ++i) wide += "<a/>";
  for (const std::string& bytes : {"<iq>" + std::string(11'000, 'x'), deep, wide,
                                   "<iq a='" + std::string(5000, 'x') + "'/>", "<" + std::string(300, 'x') + "/>"}) {
    for (const At step : {At::header, At::tls_header}) {
      SCOPED_TRACE(bytes.substr(0, 20));
      Raw raw = at(step);
      expect_end(raw, raw.say(bytes), "policy-violation", 0);
    }
    // They are no harm after login.
    Raw raw = at(At::bound);
    raw.client->send(bytes);
    world->settle();
    EXPECT_THAT(raw.client->link().arrived(), Not(HasSubstr("policy-violation")));
  }
  Raw raw = at(At::bound);
  raw.say("<message><body>" + std::string(262'000, 'x'));
  EXPECT_THAT(raw.say(std::string(262'000, 'x')), HasSubstr("<policy-violation "));
}

TEST_F(StreamsTest, a_claimed_sender_other_than_the_client_ends_its_stream) {
  for (const char* from : {"romeo@localhost", "juliet@localhost/other", "localhost", "@"}) {
    Raw raw = at(At::bound);
    expect_end(raw, raw.say("<message from='" + std::string(from) + "' to='romeo@localhost'><body>hi</body></message>"),
               "invalid-from", 0);
  }
  auto romeo = available(*world, "romeo@localhost", "orchard");
  Raw raw = at(At::bound);
  for (const char* from : {"juliet@localhost", "juliet@localhost/balcony", "JULIET@LOCALHOST/balcony"}) {
    EXPECT_EQ(raw.say("<message from='" + std::string(from) +
                      "' to='romeo@localhost/orchard' type='chat'><body>hi</body></message>"),
              "");
    EXPECT_THAT(got(*world, *romeo), ElementsAre(HasSubstr("from='juliet@localhost/balcony'")));
  }
}

TEST_F(StreamsTest, a_header_after_login_may_not_claim_another_account_or_domain) {
  begin({.domains = {"localhost", "capulet.lit"}});
  {
    Raw raw = at(At::login);
    expect_end(raw, raw.say(header_to("localhost", " from='romeo@localhost'")), "invalid-from", 1);
  }
  {
    Raw raw = at(At::login);
    expect_end(raw, raw.say(header_to("capulet.lit")), "improper-addressing", 1);
  }
  Raw raw = at(At::login);
  EXPECT_THAT(raw.say(header_to("localhost", " from='juliet@localhost'")), HasSubstr("<bind "));
}

TEST_F(StreamsTest, several_domains_have_their_own_accounts) {
  begin({.domains = {"localhost", "capulet.lit"}});
  world->add_account("juliet@capulet.lit", "other");
  const auto here = world->log_in("juliet@localhost", "secret", "x");
  const auto there = world->log_in("juliet@capulet.lit", "other", "x");
  ASSERT_TRUE(here) << here.error();
  ASSERT_TRUE(there) << there.error();
  EXPECT_EQ((*there)->full_jid, "juliet@capulet.lit/x");
  EXPECT_FALSE(world->log_in("juliet@capulet.lit", "secret", "x"));
  (*here)->send("<message to='juliet@capulet.lit/x' type='chat'><body>hi</body></message>");
  EXPECT_THAT(got(*world, **there), ElementsAre(HasSubstr("from='juliet@localhost/x'")));
}

TEST_F(StreamsTest, white_space_is_no_stanza_and_keeps_the_connection_alive) {
  Raw raw = at(At::bound);
  for (int i = 0; i < 10; ++i) {
    world->advance(seconds(200));
    EXPECT_EQ(raw.say(i % 2 == 0 ? " " : "\n"), "");
  }
  EXPECT_FALSE(raw.closed());
}

TEST_F(StreamsTest, a_closing_tag_is_answered_by_one) {
  for (const At step : {At::header, At::tls_header, At::login_header, At::bound}) {
    Raw raw = at(step);
    EXPECT_EQ(raw.say(closing), closing);
    EXPECT_TRUE(raw.closed());
    EXPECT_EQ(world->connections(), 0U);
    EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
  }
}

TEST_F(StreamsTest, what_comes_behind_a_closing_tag_is_not_looked_at) {
  auto romeo = available(*world, "romeo@localhost", "orchard");
  Raw raw = at(At::bound);
  raw.client->send(closing + "<message to='romeo@localhost/orchard' type='chat'><body>hi</body></message>");
  EXPECT_THAT(got(*world, *romeo), IsEmpty());
}

TEST_F(StreamsTest, answers_that_wait_for_the_disk_leave_before_the_closing_tag) {
  Raw raw = at(At::bound);
  world->storage().hold_commits(true);
  EXPECT_EQ(
      raw.say("<iq type='set' id='s1'><query xmlns='jabber:iq:roster'><item jid='romeo@localhost'/></query></iq>" +
              closing),
      "");
  EXPECT_FALSE(raw.closed());
  world->storage().commit_now();
  const std::string reply = raw.take();
  EXPECT_THAT(reply, HasSubstr("id='s1'"));
  EXPECT_THAT(reply, HasSubstr("type='result'"));
  EXPECT_THAT(reply, EndsWith(closing));
  EXPECT_TRUE(raw.closed());
}

TEST_F(StreamsTest, a_disk_that_never_answers_does_not_hold_a_closed_stream_for_ever) {
  Raw raw = at(At::bound);
  world->storage().hold_commits(true);
  EXPECT_EQ(
      raw.say("<iq type='set' id='s1'><query xmlns='jabber:iq:roster'><item jid='romeo@localhost'/></query></iq>" +
              closing),
      "");
  world->advance(seconds(11));
  EXPECT_EQ(raw.take(), closing);
  EXPECT_TRUE(raw.closed());
  world->storage().commit_now();
  world->settle();
  EXPECT_EQ(world->connections(), 0U);
}

TEST_F(StreamsTest, a_client_that_does_not_log_in_is_timed_out) {
  for (const auto& [step, headers] : {std::pair{At::nothing, 1U},
                                      {At::header, 0U},
                                      {At::tls, 1U},
                                      {At::tls_header, 0U},
                                      {At::login, 1U},
                                      {At::login_header, 0U}}) {
    SCOPED_TRACE(static_cast<int>(step));
    Raw raw = at(step);
    world->advance(seconds(29));
    EXPECT_EQ(raw.take(), "");
    world->advance(seconds(2));
    expect_end(raw, raw.take(), "connection-timeout", headers);
  }
}

TEST_F(StreamsTest, trickled_bytes_do_not_put_the_time_out_off) {
  Raw raw = at(At::tls_header);
  for (int i = 0; i < 29; ++i) {
    world->advance(seconds(1));
    EXPECT_EQ(raw.say(" "), "");
  }
  world->advance(seconds(2));
  expect_end(raw, raw.take(), "connection-timeout", 0);
}

TEST_F(StreamsTest, a_silent_client_is_pinged_and_then_let_go) {
  Raw raw = at(At::bound);
  world->advance(seconds(299));
  EXPECT_EQ(raw.take(), "");
  world->advance(seconds(2));
  EXPECT_THAT(raw.take(), HasSubstr("<ping xmlns='urn:xmpp:ping'/>"));
  world->advance(seconds(57));
  EXPECT_EQ(raw.take(), "");
  world->advance(seconds(3));
  expect_end(raw, raw.take(), "connection-timeout", 0);
  EXPECT_EQ(world->sessions("juliet@localhost"), 0U);
}

TEST_F(StreamsTest, an_answered_ping_keeps_a_client) {
  auto juliet = entered(*world, "juliet@localhost", "balcony");
  for (int i = 0; i < 100; ++i) {
    world->advance(seconds(50));
    EXPECT_THAT(got(*world, *juliet), IsEmpty());
  }
  EXPECT_FALSE(juliet->stream_closed());
  EXPECT_EQ(world->sessions("juliet@localhost"), 1U);
}

TEST_F(StreamsTest, a_client_that_does_not_close_is_cut_off_in_the_end) {
  Raw raw = at(At::bound, {.window_bytes = 1'000'000});
  auto slow = entered(*world, "romeo@localhost", "slow", {.window_bytes = 3000});
  slow->send("<message to='romeo@localhost/slow' type='chat'><body>" + std::string(9000, 'x') + "</body></message>" +
             closing);
  world->settle();
  EXPECT_EQ(world->sessions("romeo@localhost"), 0U);
  EXPECT_EQ(world->connections(), 2U);
  world->advance(seconds(11));
  EXPECT_EQ(world->connections(), 1U);
  EXPECT_TRUE(slow->link().closed());
}

TEST_F(StreamsTest, more_bytes_than_the_rate_are_read_later_and_none_is_lost) {
  WorldOptions options;
  options.limits.bytes_after_login = {.per_second = 1000, .burst = 5000};
  begin(options);
  auto romeo = available(*world, "romeo@localhost", "orchard");
  auto juliet = entered(*world, "juliet@localhost", "balcony");
  std::vector<std::string> seen;
  for (int i = 0; i < 40; ++i) {
    juliet->send("<message to='romeo@localhost/orchard' type='chat' id='m" + std::to_string(i) + "'><body>" +
                 std::string(400, 'x') + "</body></message>");
    for (std::string& text : got(*world, *romeo)) seen.push_back(text.substr(text.find(" id='")));
  }
  EXPECT_GT(seen.size(), 5U);
  EXPECT_LT(seen.size(), 15U);
  world->advance(seconds(60));
  for (std::string& text : got(*world, *romeo)) seen.push_back(text.substr(text.find(" id='")));
  ASSERT_THAT(seen, SizeIs(40));
  for (int i = 0; i < 40; ++i)
    EXPECT_THAT(seen[static_cast<std::size_t>(i)], StartsWith(" id='m" + std::to_string(i) + "'"));
}

TEST_F(StreamsTest, more_stanzas_than_the_rate_are_taken_later_and_none_is_lost) {
  WorldOptions options;
  options.limits.stanzas = {.per_second = 10, .burst = 20};
  begin(options);
  auto romeo = available(*world, "romeo@localhost", "orchard");
  auto juliet = entered(*world, "juliet@localhost", "balcony");
  std::string all;
  for (int i = 0; i < 100; ++i) {
    all +=
        "<message to='romeo@localhost/orchard' type='chat' id='m" + std::to_string(i) + "'><body>hi</body></message>";
  }
  juliet->send(all);
  std::vector<std::string> seen = got(*world, *romeo);
  EXPECT_EQ(seen.size(), 21U);
  world->advance(seconds(2));
  for (std::string& text : got(*world, *romeo)) seen.push_back(std::move(text));
  EXPECT_GE(seen.size(), 39U);
  EXPECT_LE(seen.size(), 42U);
  world->advance(seconds(10));
  for (std::string& text : got(*world, *romeo)) seen.push_back(std::move(text));
  ASSERT_THAT(seen, SizeIs(100));
  for (int i = 0; i < 100; ++i)
    EXPECT_THAT(seen[static_cast<std::size_t>(i)], HasSubstr(" id='m" + std::to_string(i) + "'"));
}

TEST_F(StreamsTest, bytes_before_login_have_a_rate_of_their_own) {
  WorldOptions options;
  options.limits.bytes_before_login = {.per_second = 100, .burst = 1000};
  begin(options);
  Raw raw(*world);
  raw.to_tls();
  EXPECT_EQ(raw.say(std::string(2000, ' ') + plain("juliet", "secret")), "");
  world->advance(seconds(10));
  EXPECT_EQ(raw.take(), "");
  world->advance(seconds(19));
  EXPECT_THAT(raw.take(), StartsWith("<success"));
}

TEST_F(StreamsTest, a_client_that_does_not_read_is_let_go_and_nobody_else_notices) {
  WorldOptions options;
  options.limits.outbox_bytes_after_login = 50'000;
  begin(options);
  auto slow = entered(*world, "romeo@localhost", "slow", {.window_bytes = 20'000});
  auto quick = entered(*world, "romeo@localhost", "quick");
  auto juliet = entered(*world, "juliet@localhost", "balcony");
  const std::string body(1000, 'x');
  for (int i = 0; i < 100; ++i) {
    for (const char* to : {"slow", "quick"}) {
      juliet->send("<message to='romeo@localhost/" + std::string(to) + "' type='headline' id='m" + std::to_string(i) +
                   "'><body>" + body + "</body></message>");
    }
    world->settle();
  }
  EXPECT_THAT(got(*world, *quick), SizeIs(100));
  EXPECT_THAT(got(*world, *juliet), IsEmpty());
  EXPECT_EQ(world->sessions("romeo@localhost"), 1U);
  std::vector<std::string> late;
  for (int i = 0; i < 20; ++i) {
    for (std::string& text : got(*world, *slow)) late.push_back(std::move(text));
  }
  ASSERT_THAT(late, Not(IsEmpty()));
  EXPECT_THAT(late.back(), HasSubstr("<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-streams'"));
  EXPECT_THAT(late.size(), ::testing::AllOf(::testing::Gt(40U), ::testing::Lt(80U)));
  EXPECT_TRUE(slow->stream_closed());
  EXPECT_EQ(world->connections(), 2U);
}

}  // namespace
}  // namespace kith::scenario
