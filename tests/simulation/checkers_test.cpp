// Each checker on made-up histories: one that keeps the promise, and ones that break it.
#include "checkers.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xml/stream_parser.h"

namespace kith::simulation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A history as a test writes it down.
class Story {
 public:
  Story() { history.domain = "kith.test"; }

  unsigned bound(const std::string& jid) {
    const unsigned stream = history.open(jid.substr(0, jid.find('/')));
    history.bound(stream, jid);
    return stream;
  }
  Story& sent(unsigned stream, const std::string& xml) { return note(What::sent, stream, xml); }
  Story& received(unsigned stream, const std::string& xml) { return note(What::received, stream, xml); }
  Story& ended(unsigned stream, End end) {
    history.ended(stream, end, "over");
    return *this;
  }
  Story& happened(What what) {
    history.add(what, 0, "it happened");
    return *this;
  }
  Story& pinged(unsigned stream, const std::string& id, const std::string& to) {
    sent(stream, "<iq type='get' id='" + id + "' to='" + to + "'/>");
    return received(stream, "<iq type='result' id='" + id + "' from='" + to + "'/>");
  }
  Story& later() {
    clock.advance(std::chrono::minutes(1));
    return *this;
  }
  std::vector<std::string> faults(Faults (*check)(const History&)) const {
    std::vector<std::string> all;
    for (const Fault& fault : check(history)) all.push_back(fault.why + ": " + fault.about);
    return all;
  }

  ManualClock clock;
  History history{clock};

 private:
  Story& note(What what, unsigned stream, const std::string& xml) {
    const auto element = xml::parse_element(xml, "jabber:client");
    EXPECT_TRUE(element) << xml;
    history.add(what, stream, xml, facts_of(*element));
    return *this;
  }
};

std::string message(const std::string& id, const std::string& to, const std::string& more = {}) {
  return "<message type='chat' id='" + id + "' to='" + to + "'" + more + "><body>" + id + "</body></message>";
}
std::string kept(const std::string& id) {
  return "<message type='chat' id='" + id + "' from='a@kith.test/1'><body>" + id +
         "</body><delay xmlns='urn:xmpp:delay'/></message>";
}
const std::string from_a = " from='a@kith.test/1'";

class CheckersTest : public ::testing::Test {
 protected:
  Story story;
  unsigned a = story.bound("a@kith.test/1");
  unsigned b = story.bound("b@kith.test/1");
};

TEST_F(CheckersTest, an_iq_is_answered_once_by_whom_it_was_for) {
  story.pinged(a, "i1", "b@kith.test");
  EXPECT_THAT(story.faults(check_answers), IsEmpty());
  story.received(a, "<iq type='result' id='i1' from='b@kith.test'/>");
  EXPECT_THAT(story.faults(check_answers), ElementsAre("answered twice: i1"));
}

TEST_F(CheckersTest, an_iq_without_answer_is_a_fault_if_its_stream_lasted) {
  story.sent(a, "<iq type='get' id='i1' to='b@kith.test'/>");
  story.ended(a, End::left);
  EXPECT_THAT(story.faults(check_answers), ElementsAre("never answered: i1"));
}

TEST_F(CheckersTest, an_iq_without_answer_is_none_if_its_stream_was_cut) {
  story.sent(a, "<iq type='get' id='i1' to='b@kith.test'/>").ended(a, End::cut);
  EXPECT_THAT(story.faults(check_answers), IsEmpty());
}

TEST_F(CheckersTest, an_answer_from_elsewhere_or_to_somebody_else_or_to_nothing_is_a_fault) {
  story.sent(a, "<iq type='get' id='i1' to='b@kith.test'/>");
  story.received(a, "<iq type='result' id='i1' from='c@kith.test'/>");
  story.sent(a, "<iq type='get' id='i2' to='b@kith.test'/>");
  story.received(b, "<iq type='result' id='i2' from='b@kith.test'/>");
  story.received(b, "<iq type='result' id='i3' from='b@kith.test'/>");
  EXPECT_THAT(story.faults(check_answers), ElementsAre("the answer comes from c@kith.test: i1",
                                                       "somebody else got the answer: i2", "an answer to nothing: i3"));
}

TEST_F(CheckersTest, an_acknowledged_message_must_be_somewhere) {
  story.ended(b, End::left).later();
  story.sent(a, message("m1", "b@kith.test")).pinged(a, "i1", "b@kith.test");
  EXPECT_THAT(story.faults(check_messages), ElementsAre("acknowledged and lost: m1"));
  const unsigned again = story.bound("b@kith.test/2");
  story.received(again, kept("m1"));
  EXPECT_THAT(story.faults(check_messages), IsEmpty());
}

TEST_F(CheckersTest, a_message_may_be_lost_with_the_connection_that_it_was_on) {
  story.sent(b, "<presence/>").sent(a, message("m1", "b@kith.test")).pinged(a, "i1", "b@kith.test");
  story.ended(b, End::cut);
  EXPECT_THAT(story.faults(check_messages), IsEmpty());
}

TEST_F(CheckersTest, a_session_that_never_appeared_loses_nothing_of_what_is_for_the_account) {
  story.sent(a, message("m1", "b@kith.test")).pinged(a, "i1", "b@kith.test").ended(b, End::cut);
  EXPECT_THAT(story.faults(check_messages), ElementsAre("acknowledged and lost: m1"));
}

TEST_F(CheckersTest, a_message_without_acknowledgement_may_be_lost) {
  story.sent(a, message("m1", "b@kith.test"));
  EXPECT_THAT(story.faults(check_messages), IsEmpty());
  // An error of type wait acknowledges nothing.
  story.sent(a, "<iq type='get' id='i1' to='b@kith.test'/>");
  story.received(a, "<iq type='error' id='i1' from='b@kith.test'><error type='wait'/></iq>");
  EXPECT_THAT(story.faults(check_messages), IsEmpty());
}

TEST_F(CheckersTest, a_message_is_not_delivered_and_bounced_nor_twice_nor_to_a_stranger) {
  const unsigned c = story.bound("c@kith.test/1");
  const std::string bounce = "<message type='error' id='m1' from='b@kith.test'/>";
  story.sent(a, message("m1", "b@kith.test")).received(b, message("m1", "b@kith.test", from_a)).received(a, bounce);
  EXPECT_THAT(story.faults(check_messages), ElementsAre("was delivered and came back: m1"));
  story.sent(a, message("m2", "b@kith.test")).received(b, message("m2", "b@kith.test", from_a));
  story.received(b, message("m2", "b@kith.test", from_a));
  story.sent(a, message("m3", "b@kith.test")).received(c, message("m3", "b@kith.test", from_a));
  EXPECT_THAT(
      story.faults(check_messages),
      ElementsAre("was delivered and came back: m1", "came twice on one stream: m2", "delivered to c@kith.test: m3"));
}

TEST_F(CheckersTest, a_bounce_comes_before_what_acknowledges) {
  story.sent(a, message("m1", "b@kith.test")).pinged(a, "i1", "b@kith.test");
  story.received(a, "<message type='error' id='m1' from='b@kith.test'/>");
  EXPECT_THAT(story.faults(check_messages), ElementsAre("came back only after it was acknowledged: m1"));
}

TEST_F(CheckersTest, what_the_store_handed_out_comes_again_only_without_a_sign_of_life) {
  story.sent(a, message("m1", "b@kith.test")).received(b, kept("m1")).ended(b, End::cut);
  const unsigned second = story.bound("b@kith.test/1");
  story.received(second, kept("m1"));
  EXPECT_THAT(story.faults(check_messages), IsEmpty());
  story.pinged(second, "i1", "a@kith.test").later().ended(second, End::cut);
  const unsigned third = story.bound("b@kith.test/1");
  story.received(third, kept("m1"));
  EXPECT_THAT(story.faults(check_messages),
              ElementsAre("handed out again, after its receiver had shown that it was there: m1"));
}

TEST_F(CheckersTest, order_is_kept_for_each_pair) {
  story.sent(a, message("m1", "b@kith.test")).sent(a, message("m2", "b@kith.test"));
  story.received(b, message("m2", "b@kith.test", from_a));
  EXPECT_THAT(story.faults(check_order), IsEmpty());
  story.received(b, message("m1", "b@kith.test", from_a));
  EXPECT_THAT(story.faults(check_order), ElementsAre("came after m2: m1"));
}

TEST_F(CheckersTest, what_is_kept_may_come_late_only_if_others_could_have_had_it) {
  story.sent(b, "<presence/>").sent(a, message("m1", "b@kith.test")).sent(a, message("m2", "b@kith.test"));
  story.received(b, kept("m2")).received(b, kept("m1"));
  EXPECT_THAT(story.faults(check_order), ElementsAre("came after m2: m1"));
  story.bound("b@kith.test/2");
  EXPECT_THAT(story.faults(check_order), IsEmpty());
}

TEST_F(CheckersTest, the_sender_is_true) {
  story.sent(a, message("m1", "b@kith.test")).received(b, message("m1", "b@kith.test", from_a));
  story.sent(a, "<presence to='b@kith.test' type='subscribe' id='s1'/>");
  story.received(b, "<presence from='a@kith.test' type='subscribe' id='s1'/>");
  EXPECT_THAT(story.faults(check_senders), IsEmpty());
  story.received(b, message("m1", "b@kith.test", " from='c@kith.test/1'"));
  story.received(b, "<message from='x@elsewhere.test'><body>forged</body></message>");
  EXPECT_THAT(story.faults(check_senders), ElementsAre("it is from a@kith.test/1 and says from c@kith.test/1: m1",
                                                       "a forged message was delivered: forged"));
}

TEST_F(CheckersTest, presence_reaches_only_whom_it_was_meant_for) {
  const std::string appears = "<presence><status>p1</status></presence>";
  const std::string seen = "<presence from='a@kith.test/1'><status>p1</status></presence>";
  story.sent(a, appears).received(b, seen);
  EXPECT_THAT(story.faults(check_presence), ElementsAre("b@kith.test was never let in by a@kith.test: p1"));

  Story let_in;
  const unsigned owner = let_in.bound("a@kith.test/1");
  const unsigned watcher = let_in.bound("b@kith.test/1");
  let_in.sent(owner, "<presence type='subscribed' to='b@kith.test'/>").sent(owner, appears).received(watcher, seen);
  EXPECT_THAT(let_in.faults(check_presence), IsEmpty());
  let_in.sent(owner, "<presence type='unsubscribed' to='b@kith.test'/>").pinged(owner, "i1", "a@kith.test");
  let_in.sent(owner, "<presence><status>p2</status></presence>");
  let_in.received(watcher, "<presence from='a@kith.test/1'><status>p2</status></presence>");
  EXPECT_THAT(let_in.faults(check_presence), ElementsAre("b@kith.test was turned away by a@kith.test: p2"));
}

TEST_F(CheckersTest, directed_presence_and_the_word_that_somebody_is_gone_reach_no_stranger) {
  story.sent(a, "<presence to='c@kith.test'><status>p1</status></presence>");
  story.received(b, "<presence from='a@kith.test/1'><status>p1</status></presence>");
  story.received(b, "<presence type='unavailable' from='a@kith.test/1'/>");
  EXPECT_THAT(story.faults(check_presence),
              ElementsAre("directed to somebody else, it reached b@kith.test: p1",
                          "b@kith.test never had a right to see a@kith.test: a@kith.test/1"));
}

TEST_F(CheckersTest, a_roster_is_shown_to_nobody_else) {
  story.received(b,
                 "<iq type='result' id='r1'><query xmlns='jabber:iq:roster'><item jid='c@kith.test' name='a:1'/>"
                 "</query></iq>");
  EXPECT_THAT(story.faults(check_presence), ElementsAre("b@kith.test sees another's contact: a:1"));
}

class StoredTest : public CheckersTest {
 protected:
  static std::string query(const std::string& type, const std::string& id, const std::string& value) {
    return "<iq type='" + type + "' id='" + id + "'><query xmlns='jabber:iq:private'><kept xmlns='urn:k'>" + value +
           "</kept></query></iq>";
  }
  void set(const std::string& id, const std::string& value, const std::string& answer = "result") {
    story.sent(a, query("set", id, value));
    if (!answer.empty()) story.received(a, "<iq type='" + answer + "' id='" + id + "'/>");
  }
  void get(const std::string& id, const std::string& value) {
    story.sent(a, query("get", id, "")).received(a, query("result", id, value));
  }
};

TEST_F(StoredTest, what_was_answered_is_read_back) {
  get("x1", "");
  set("x2", "a:1");
  get("x3", "a:1");
  set("x4", "a:2", "");
  get("x5", "a:1");
  get("x6", "a:2");
  EXPECT_THAT(story.faults(check_stored), IsEmpty());
}

TEST_F(StoredTest, what_was_answered_and_is_gone_or_old_or_another_s_is_a_fault) {
  set("x1", "a:1");
  set("x2", "a:2");
  get("x3", "");
  get("x4", "a:1");
  get("x5", "b:1");
  const std::string place = "a@kith.test urn:k reads ";
  EXPECT_THAT(story.faults(check_stored),
              ElementsAre(place + "'': a later set was answered before this was asked: x3",
                          place + "'a:1': a later set was answered before this was asked: x4",
                          place + "'b:1': nobody stored that here: x5"));
}

TEST_F(StoredTest, a_set_that_failed_is_not_read) {
  set("x1", "a:1", "error");
  get("x2", "a:1");
  EXPECT_THAT(story.faults(check_stored), ElementsAre("a@kith.test urn:k reads 'a:1': that set had failed: x2"));
}

TEST_F(StoredTest, a_contact_that_was_stored_is_in_the_roster) {
  story.sent(
      a, "<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='c@kith.test' name='a:1'/></query></iq>");
  story.received(a, "<iq type='result' id='r1'/>");
  story.sent(a, "<iq type='get' id='r2'><query xmlns='jabber:iq:roster'/></iq>");
  story.received(a, "<iq type='result' id='r2'><query xmlns='jabber:iq:roster'/></iq>");
  EXPECT_THAT(story.faults(check_stored), ElementsAre("a@kith.test contact c@kith.test reads '': a later set was "
                                                      "answered before this was asked: r2"));
}

TEST_F(CheckersTest, a_stream_ends_for_a_reason) {
  story.history.stream(a).error = "conflict";
  story.ended(a, End::by_server).ended(b, End::by_server);
  EXPECT_THAT(story.faults(check_endings),
              ElementsAre("s0 ended with conflict, which it did not deserve: s0", "s1 ended without a word: s1"));
}

TEST_F(CheckersTest, a_crash_and_what_was_deserved_are_reasons) {
  story.history.stream(a).error = "invalid-from";
  story.history.stream(a).deserves = {"invalid-from"};
  story.happened(What::crashed).ended(a, End::by_server).ended(b, End::by_server);
  EXPECT_THAT(story.faults(check_endings), IsEmpty());
}

// --- managed streams

class ManagedTest : public CheckersTest {
 protected:
  ManagedTest() {
    story.history.resume_time = std::chrono::minutes(5);
    managed(b);
    story.sent(b, "<presence/>");
  }
  void managed(unsigned stream) {
    story.history.stream(stream).managed_at = story.history.add(What::note, stream, "is managed");
  }
  void acknowledged(unsigned stream, const std::string& id) {
    Facts facts;
    facts.id = id;
    story.history.add(What::acknowledged, stream, id, facts);
  }
};

TEST_F(ManagedTest, what_was_acknowledged_is_not_lost_with_a_session_whose_client_does_not_come_back) {
  story.sent(a, message("m1", "b@kith.test"));
  acknowledged(a, "m1");
  story.ended(b, End::cut).ended(a, End::left);
  EXPECT_THAT(story.faults(check_messages), ElementsAre("acknowledged and lost: m1"));
}

TEST_F(ManagedTest, it_may_be_lost_with_a_killed_server) {
  story.sent(a, message("m1", "b@kith.test"));
  acknowledged(a, "m1");
  story.happened(What::crashed).ended(b, End::cut).ended(a, End::left);
  EXPECT_THAT(story.faults(check_messages), IsEmpty());
}

TEST_F(ManagedTest, what_was_not_confirmed_may_come_again_on_another_stream) {
  const auto again = [&](bool confirmed) {
    Story other;
    const unsigned from = other.bound("a@kith.test/1");
    const unsigned first = other.bound("b@kith.test/1");
    other.history.stream(first).managed_at = other.history.add(What::note, first, "is managed");
    other.sent(from, message("m1", "b@kith.test")).received(first, message("m1", "b@kith.test", from_a));
    if (confirmed) {
      other.history.add(What::told, first, "has 1");
      other.pinged(first, "i1", "b@kith.test");
    }
    other.ended(first, End::cut);
    const unsigned second = other.bound("b@kith.test/2");
    other.received(second, kept("m1"));
    return other.faults(check_messages);
  };
  EXPECT_THAT(again(false), IsEmpty());
  EXPECT_THAT(again(true), ElementsAre("was delivered and kept: m1"));
}

TEST_F(ManagedTest, it_never_comes_twice_on_one_stream) {
  story.sent(a, message("m1", "b@kith.test"));
  for (int i = 0; i < 2; ++i) story.received(b, message("m1", "b@kith.test", from_a));
  story.history.add(What::told, b, "has 2");
  story.pinged(b, "i1", "b@kith.test");
  EXPECT_THAT(story.faults(check_messages), ElementsAre("came twice on one stream: m1"));
}

TEST_F(ManagedTest, a_session_is_there_for_as_long_as_was_promised) {
  story.history.add(What::lost, b, "cut");
  story.later().history.ended(b, End::cut, "not resumed: item-not-found");
  EXPECT_THAT(story.faults(check_resumption), ElementsAre("s1 was not resumed: item-not-found: s1"));
}

TEST_F(ManagedTest, a_session_may_be_gone_for_a_reason) {
  const auto gone = [&](const std::function<void(Story&, unsigned)>& why) {
    Story other;
    other.history.resume_time = std::chrono::minutes(5);
    const unsigned stream = other.bound("b@kith.test/1");
    other.history.stream(stream).managed_at = other.history.add(What::note, stream, "is managed");
    other.history.add(What::lost, stream, "cut");
    why(other, stream);
    other.history.ended(stream, End::cut, "not resumed: item-not-found");
    return other.faults(check_resumption);
  };
  EXPECT_THAT(gone([](Story& other, unsigned) { other.happened(What::crashed); }), IsEmpty());
  EXPECT_THAT(gone([](Story& other, unsigned) { other.bound("b@kith.test/1"); }), IsEmpty());
  EXPECT_THAT(gone([](Story& other, unsigned) {
                for (int minute = 0; minute < 6; ++minute) other.later();
              }),
              IsEmpty());
  EXPECT_THAT(gone([](Story& other, unsigned) { other.bound("c@kith.test/1"); }),
              ElementsAre("s0 was not resumed: item-not-found: s0"));
}

}  // namespace
}  // namespace kith::simulation
