#include "modules/archive/archive.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/archive/worth.h"
#include "modules/carbons/carbons.h"
#include "modules/delivery/delivery.h"
#include "modules/forgery/forgery.h"
#include "modules/offline/offline.h"
#include "modules/presence/presence.h"
#include "xmpp/datetime.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::bare;
using module::testing::Scene;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::string archive_ns = " xmlns='urn:xmpp:mam:2'";

std::string field(const std::string& var, const std::string& value) {
  return "<field var='" + var + "'><value>" + value + "</value></field>";
}
std::string form(const std::string& fields) {
  return "<x xmlns='jabber:x:data' type='submit'>" + field("FORM_TYPE", "urn:xmpp:mam:2") + fields + "</x>";
}
std::string page(const std::string& inside) {
  return "<set xmlns='http://jabber.org/protocol/rsm'>" + inside + "</set>";
}

class ArchiveTest : public ::testing::Test {
 protected:
  ArchiveTest() {
    scene.stage.use<Forgery>();
    scene.stage.use<PresenceFeature>();
    archive = &scene.stage.use<Archive>();
    scene.stage.use<OfflineFeature>();
    scene.stage.use<DeliveryFeature>();
    juliet = &scene.comes("juliet@capulet.lit/balcony");
  }
  void arrives(const std::string& body, const std::string& from = "romeo@montague.lit/orchard") {
    scene.stage.clock.advance(std::chrono::seconds(1));
    scene.arrives("<message from='" + from + "' to='juliet@capulet.lit' type='chat' id='" + body + "'><body>" + body +
                  "</body></message>");
  }
  std::vector<std::string> asks(const std::string& inside, const std::string& attributes = "") {
    scene.got(*juliet);
    scene.says(*juliet, "<iq type='set' id='q'><query" + archive_ns + attributes + ">" + inside + "</query></iq>");
    scene.settle();
    return scene.got(*juliet);
  }
  /// The bodies of the results, and whether the answer said that nothing follows.
  std::pair<std::vector<std::string>, bool> bodies(const std::string& inside) {
    std::pair<std::vector<std::string>, bool> found;
    for (const std::string& line : asks(inside)) {
      const std::size_t start = line.find("<body>");
      if (start != std::string::npos) {
        found.first.push_back(line.substr(start + 6, line.find("</body>") - start - 6));
      }
      found.second = line.find("complete='true'") != std::string::npos;
    }
    return found;
  }
  std::string id_of(std::size_t index) const {
    auto entry = scene.stage.archive.messages.begin();
    std::advance(entry, static_cast<std::ptrdiff_t>(index));
    return scene.stage.archive_ids.text(entry->first);
  }

  Scene scene;
  Archive* archive = nullptr;
  Session* juliet = nullptr;
};

TEST_F(ArchiveTest, what_comes_is_archived_with_the_id_that_its_receiver_sees) {
  arrives("hark");
  const auto got = scene.got(*juliet);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_THAT(got[0], HasSubstr("<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.lit' id='" + id_of(0) + "'/>"));
}

TEST_F(ArchiveTest, an_id_is_seen_only_when_its_row_is_committed) {
  arrives("hark");
  const auto& sent = scene.stage.output("juliet@capulet.lit/balcony").sent;
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].gate, scene.stage.disk.last());
}

TEST_F(ArchiveTest, what_the_disk_refuses_is_delivered_without_an_id) {
  scene.stage.disk.failing_writes = true;
  arrives("hark");
  EXPECT_THAT(scene.got(*juliet), ElementsAre(AllOf(HasSubstr("hark"), Not(HasSubstr("stanza-id")))));
}

TEST_F(ArchiveTest, a_forged_id_is_replaced) {
  scene.arrives(
      "<message from='romeo@montague.lit/orchard' to='juliet@capulet.lit' type='chat'><body>x</body>"
      "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.lit' id='forged'/></message>");
  EXPECT_THAT(scene.got(*juliet), ElementsAre(AllOf(HasSubstr(id_of(0)), Not(HasSubstr("forged")))));
  EXPECT_THAT(scene.stage.archive.messages.begin()->second.stanza, Not(HasSubstr("forged")));
}

TEST_F(ArchiveTest, what_a_client_sends_is_in_its_own_archive_once) {
  scene.says(*juliet, "<message to='romeo@montague.lit' type='chat'><body>to him</body></message>");
  scene.says(*juliet, "<message to='juliet@capulet.lit' type='chat'><body>to me</body></message>");
  ASSERT_THAT(scene.stage.archive.messages, SizeIs(2));
  EXPECT_EQ(scene.stage.archive.messages.begin()->second.peer.text(), "romeo@montague.lit");
  EXPECT_THAT(bodies("").first, ElementsAre("to him", "to me"));
}

TEST_F(ArchiveTest, the_account_s_other_clients_hear_the_id_of_what_it_sends_once_it_is_on_disk) {
  scene.stage.use<Carbons>();
  Session& phone = scene.comes("juliet@capulet.lit/phone");
  scene.says(phone, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
  auto& sent = scene.stage.output("juliet@capulet.lit/phone").sent;
  sent.clear();
  const auto say = [&] {
    scene.says(*juliet, "<message to='romeo@montague.lit' type='chat' id='1'><body>hark</body></message>");
  };
  say();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].gate, scene.stage.disk.last());
  const std::string id = "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.lit' id='" + id_of(0) + "'/>";
  EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(HasSubstr("<sent xmlns='urn:xmpp:carbons:2'>"), HasSubstr(id))));
  ASSERT_THAT(scene.outside, SizeIs(1));
  EXPECT_THAT(scene.outside[0], Not(HasSubstr("stanza-id"))) << "it is nobody else's business";
  scene.stage.disk.failing_writes = true;
  say();
  EXPECT_THAT(scene.got(phone), ElementsAre(AllOf(HasSubstr("<sent xmlns"), Not(HasSubstr("stanza-id")))));
}

TEST_F(ArchiveTest, pages_go_forward_and_backward_without_gap_or_double) {
  for (int i = 0; i < 10; ++i) arrives(std::to_string(i));
  EXPECT_THAT(bodies(page("<max>4</max>")), testing::Pair(ElementsAre("0", "1", "2", "3"), false));
  EXPECT_THAT(bodies(page("<max>4</max><after>" + id_of(3) + "</after>")),
              testing::Pair(ElementsAre("4", "5", "6", "7"), false));
  EXPECT_THAT(bodies(page("<max>4</max><after>" + id_of(7) + "</after>")), testing::Pair(ElementsAre("8", "9"), true));
  EXPECT_THAT(bodies(page("<max>4</max><before/>")), testing::Pair(ElementsAre("6", "7", "8", "9"), false));
  EXPECT_THAT(bodies(page("<max>4</max><before>" + id_of(2) + "</before>")),
              testing::Pair(ElementsAre("0", "1"), true));
  EXPECT_THAT(bodies(page("<max>4</max><after>" + id_of(9) + "</after>")), testing::Pair(IsEmpty(), true));
}

TEST_F(ArchiveTest, a_week_away_is_caught_up_with_by_paging) {
  std::vector<std::string> all;
  for (int i = 0; i < 5000; ++i) {
    all.push_back(std::to_string(i));
    scene.stage.clock.advance(std::chrono::seconds(120));
    arrives(all.back(), "p" + std::to_string(i % 50) + "@montague.lit/x");
  }
  std::vector<std::string> seen;
  std::string after;
  for (;;) {
    std::string last;
    for (const std::string& line : asks(page("<max>250</max>" + after))) {
      if (const auto start = line.find("<body>"); start != std::string::npos) {
        seen.push_back(line.substr(start + 6, line.find("</body>") - start - 6));
      }
      if (const auto start = line.find("<last>"); start != std::string::npos) last = line.substr(start + 6, 32);
    }
    if (last.empty()) break;
    after = "<after>" + last + "</after>";
  }
  EXPECT_EQ(seen, all);
}

TEST_F(ArchiveTest, a_page_has_at_most_250_messages_whatever_is_asked_for) {
  for (int i = 0; i < 260; ++i) arrives(std::to_string(i));
  EXPECT_THAT(bodies("").first, SizeIs(50));
  EXPECT_THAT(bodies(page("<max>18446744073709551616</max>")).first, SizeIs(250));
}

TEST_F(ArchiveTest, fields_narrow_what_is_asked_for) {
  arrives("a");
  arrives("b", "nurse@capulet.lit/hall");
  arrives("c");
  arrives("d", "romeo@montague.lit/phone");
  const std::string start = xmpp::format_datetime(
      WallTime(std::chrono::microseconds(std::next(scene.stage.archive.messages.begin(), 2)->first)));
  EXPECT_THAT(bodies(form(field("with", "romeo@montague.lit"))).first, ElementsAre("a", "c", "d"));
  EXPECT_THAT(bodies(form(field("with", "romeo@montague.lit/phone"))).first, ElementsAre("d"));
  EXPECT_THAT(bodies(form(field("start", start))).first, ElementsAre("c", "d"));
  EXPECT_THAT(bodies(form(field("after-id", id_of(0)) + field("before-id", id_of(3)))).first, ElementsAre("b", "c"));
  EXPECT_THAT(bodies(form(field("ids", id_of(2)))).first, ElementsAre("c"));
  EXPECT_THAT(bodies(form(field("with", ""))).first, SizeIs(4));
}

TEST_F(ArchiveTest, a_flipped_page_comes_in_reverse) {
  for (const char* body : {"a", "b", "c"}) arrives(body);
  EXPECT_THAT(bodies("<flip-page/>" + page("<max>2</max><before/>")).first, ElementsAre("c", "b"));
}

TEST_F(ArchiveTest, older_clients_are_answered_in_the_namespace_that_they_ask_in) {
  arrives("hark");
  for (const std::string ns : {"urn:xmpp:mam:1", "urn:xmpp:mam:0"}) {
    const auto ask = [&](const std::string& type, const std::string& query_type) {
      scene.got(*juliet);
      scene.says(*juliet, "<iq type='" + type + "' id='q'><query xmlns='" + ns + "' queryid='k'>" +
                              (query_type.empty() ? "" : form(field("with", "romeo@montague.lit"))) + "</query></iq>");
      scene.settle();
      return scene.got(*juliet);
    };
    EXPECT_THAT(ask("get", "").back(), HasSubstr("<value>" + ns + "</value>"));
    EXPECT_THAT(ask("set", "form").back(), HasSubstr("<bad-request")) << "the form is of another kind";
    const auto got = ask("set", "");
    ASSERT_FALSE(got.empty());
    EXPECT_THAT(got.front(), HasSubstr("<result xmlns='" + ns + "' queryid='k'"));
    EXPECT_THAT(got.back(),
                AllOf(HasSubstr("<iq type='result'"), HasSubstr("<fin xmlns='" + ns + "' complete='true'>")));
    // In the oldest, the end is a message, too, and comes before the answer.
    if (ns.ends_with("0")) {
      ASSERT_THAT(got, SizeIs(3));
      EXPECT_THAT(got[1], AllOf(HasSubstr("<message from='juliet@capulet.lit'"), HasSubstr("<fin xmlns='" + ns),
                                HasSubstr("queryid='k'")));
    } else {
      EXPECT_THAT(got, SizeIs(2));
    }
  }
}

TEST_F(ArchiveTest, a_page_that_a_session_asked_for_does_not_come_to_the_next_one_of_its_resource) {
  arrives("a");
  xmpp::Stanza query = module::testing::stanza("<iq type='set' id='q'><query" + archive_ns + "/></iq>");
  query.set_from(juliet->jid());
  scene.stage.dispatch(std::move(query), juliet);
  scene.stage.end(*juliet);
  juliet = &scene.bind("juliet@capulet.lit/balcony");  // and lets the answer come
  for (const std::string& line : scene.got(*juliet)) EXPECT_THAT(line, Not(HasSubstr("<body>a</body>")));
  EXPECT_EQ(bodies("").first, (std::vector<std::string>{"a"})) << "the next one's own";
}

TEST_F(ArchiveTest, queries_that_cannot_be_answered_get_the_error_that_says_why) {
  arrives("a");
  const std::string other =
      "<message from='nurse@capulet.lit/x' to='nurse@capulet.lit' type='chat'><body>hers</body></message>";
  scene.stage.account("nurse@capulet.lit");
  scene.arrives(other);
  const std::string hers = id_of(1);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {form(field("colour", "blue")), "feature-not-implemented"},
      {form(field("with", "@")), "jid-malformed"},
      {form(field("with", "romeo@localhost") + field("with", "nurse@localhost")), "bad-request"},
      {form(field("start", "yesterday")), "bad-request"},
      {form(field("end", "2026-13-01T00:00:00Z")), "bad-request"},
      {form(field("before-id", "x")), "item-not-found"},
      {form(field("after-id", "ffffffffffffffff")), "item-not-found"},
      {form(field("ids", hers)), "item-not-found"},
      {form("<field var='ids'/>"), "bad-request"},
      {form("<field var='with'><value>a@b</value><value>c@d</value></field>"), "bad-request"},
      {"<x xmlns='jabber:x:data' type='submit'>" + field("with", "a@b") + "</x>", "bad-request"},
      {"<x xmlns='jabber:x:data' type='submit'>" + field("FORM_TYPE", "urn:other") + "</x>", "bad-request"},
      {"<x xmlns='jabber:x:data' type='cancel'/>", "bad-request"},
      {page("<max>many</max>"), "bad-request"},
      {page("<after>" + hers + "</after>"), "item-not-found"},
      {page("<before>" + hers.substr(1) + "</before>"), "item-not-found"},
      {page("<index>1</index>"), "feature-not-implemented"},
  };
  for (const auto& [inside, error] : cases) {
    EXPECT_THAT(asks(inside), ElementsAre(AllOf(HasSubstr("type='error'"), HasSubstr("<" + error + " ")))) << inside;
  }
  EXPECT_THAT(asks("", " node='x'"), ElementsAre(HasSubstr("<item-not-found ")));
}

TEST_F(ArchiveTest, a_failing_disk_is_an_error_to_try_again) {
  scene.stage.disk.failing_reads = true;
  for (const std::string& inside : {std::string(), page("<max>0</max>")}) {
    EXPECT_THAT(asks(inside), ElementsAre(HasSubstr("<error type='wait'>")));
  }
}

TEST_F(ArchiveTest, a_session_asks_so_many_questions_at_a_time) {
  for (std::size_t i = 0; i <= Archive::most_queries; ++i) {
    scene.stage.dispatch(
        [&] {
          auto iq =
              module::testing::stanza("<iq type='set' id='q" + std::to_string(i) + "'><query" + archive_ns + "/></iq>");
          iq.set_from(juliet->jid());
          return iq;
        }(),
        juliet);
  }
  scene.settle();
  const auto got = scene.got(*juliet);
  EXPECT_EQ(std::ranges::count_if(got, [](const auto& line) { return line.find("<fin ") != std::string::npos; }), 4);
  EXPECT_EQ(std::ranges::count_if(
                got, [](const auto& line) { return line.find("resource-constraint") != std::string::npos; }),
            1);
  EXPECT_THAT(asks(""), ElementsAre(HasSubstr("<fin ")));
}

TEST_F(ArchiveTest, no_items_asks_for_their_number) {
  for (const char* body : {"a", "b", "c"}) arrives(body);
  EXPECT_THAT(asks(page("<max>0</max>")), ElementsAre(HasSubstr("<count>3</count>")));
}

TEST_F(ArchiveTest, the_form_and_the_ends_of_the_archive_can_be_asked_for) {
  const auto says = [&](const std::string& payload) {
    scene.got(*juliet);
    scene.says(*juliet, "<iq type='get' id='q'>" + payload + "</iq>");
    return scene.got(*juliet);
  };
  EXPECT_THAT(says("<query" + archive_ns + "/>"), ElementsAre(AllOf(HasSubstr("after-id"), HasSubstr("<open/>"))));
  EXPECT_THAT(says("<metadata" + archive_ns + "/>"), ElementsAre(HasSubstr("<metadata" + archive_ns + "/>")));
  arrives("a");
  arrives("b");
  EXPECT_THAT(says("<metadata" + archive_ns + "/>"),
              ElementsAre(AllOf(HasSubstr("<start id='" + id_of(0)), HasSubstr("<end id='" + id_of(1)))));
}

TEST_F(ArchiveTest, messages_expire_after_a_week) {
  arrives("old");
  scene.stage.clock.advance(std::chrono::days(5));
  arrives("new");
  const auto pass = [&](Duration by) {
    scene.stage.clock.advance(by);
    scene.stage.timers.advance(scene.stage.clock.now());
    scene.settle();
  };
  pass(std::chrono::hours(24));
  EXPECT_THAT(bodies("").first, ElementsAre("old", "new"));
  pass(std::chrono::hours(25));
  EXPECT_THAT(bodies("").first, ElementsAre("new"));
  pass(std::chrono::hours(24 * 5));
  EXPECT_THAT(bodies("").first, IsEmpty());
}

TEST_F(ArchiveTest, what_is_beyond_the_offline_quota_waits_in_the_archive) {
  scene.stage.limits.offline_messages = 1;
  scene.ends(*juliet);
  arrives("1");
  arrives("2");
  EXPECT_THAT(scene.outside, IsEmpty());
  juliet = &scene.comes("juliet@capulet.lit/balcony");
  EXPECT_THAT(bodies("").first, ElementsAre("1", "2"));
}

TEST(Worth, is_decided_by_what_a_message_carries) {
  const auto worth = [](const std::string& type, const std::string& inside) {
    return worth_archiving(module::testing::stanza("<message type='" + type + "'>" + inside + "</message>"));
  };
  const std::string body = "<body>x</body>";
  for (const char* type : {"chat", "normal"}) EXPECT_TRUE(worth(type, body));
  for (const char* type : {"groupchat", "headline", "error"}) EXPECT_FALSE(worth(type, body)) << type;
  for (const char* inside :
       {"<subject>x</subject>", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>",
        "<encrypted xmlns='urn:xmpp:omemo:2'/>", "<openpgp xmlns='urn:xmpp:openpgp:0'/>",
        "<x xmlns='jabber:x:encrypted'/>", "<received xmlns='urn:xmpp:receipts' id='a'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='a'/>", "<reactions xmlns='urn:xmpp:reactions:0' id='a'/>",
        "<retract xmlns='urn:xmpp:message-retract:1' id='a'/>", "<propose xmlns='urn:xmpp:jingle-message:0' id='a'/>",
        "<x xmlns='jabber:x:conference' jid='r@m'/>", "<store xmlns='urn:xmpp:hints'/>"}) {
    EXPECT_TRUE(worth("chat", inside)) << inside;
    EXPECT_FALSE(worth("chat", std::string(inside) + "<no-store xmlns='urn:xmpp:hints'/>")) << inside;
    EXPECT_FALSE(worth("chat", std::string(inside) + "<no-permanent-store xmlns='urn:xmpp:hints'/>")) << inside;
  }
  for (const char* inside :
       {"", "<body/>", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", "<thread>x</thread>",
        "<request xmlns='urn:xmpp:receipts'/>", "<markable xmlns='urn:xmpp:chat-markers:0'/>",
        "<event xmlns='http://jabber.org/protocol/pubsub#event'/>"}) {
    EXPECT_FALSE(worth("chat", inside)) << inside;
  }
}

// --- retractions (XEP-0424)
// -------------------------------------------------------------------------------------------------------

class RetractionTest : public ArchiveTest {
 protected:
  RetractionTest() { scene.stage.use<Carbons>(); }
  void from_romeo(const std::string& id, const std::string& inside, const std::string& from = "orchard") {
    scene.arrives("<message from='romeo@montague.lit/" + from + "' to='juliet@capulet.lit' type='chat' id='" + id +
                  "'>" + inside + "</message>");
  }
  void says(const std::string& id, const std::string& inside) {
    scene.says(*juliet, "<message to='romeo@montague.lit' type='chat' id='" + id + "'>" + inside + "</message>");
  }
  static std::string retract(const std::string& id) {
    return "<retract xmlns='urn:xmpp:message-retract:1' id='" + id + "'/><body>/me retracted a message</body>";
  }
  std::vector<std::string> archived() const {
    std::vector<std::string> all;
    for (const auto& [id, entry] : scene.stage.archive.messages) all.push_back(entry.stanza);
    return all;
  }
  static auto tombstone(const std::string& retraction) {
    return AllOf(HasSubstr("<retracted xmlns='urn:xmpp:message-retract:1' id='" + retraction + "'"),
                 Not(HasSubstr("<body>")));
  }
};

TEST_F(RetractionTest, what_its_author_takes_back_leaves_a_tombstone_that_names_the_retraction) {
  from_romeo("m1", "<body>secret</body>");
  from_romeo("r1", retract("m1"), "phone");
  ASSERT_THAT(archived(), SizeIs(2));
  EXPECT_THAT(archived()[0], AllOf(tombstone("r1"), HasSubstr("from='romeo@montague.lit/orchard'"),
                                   HasSubstr("id='m1'"), HasSubstr(" stamp='"), Not(HasSubstr("secret"))));
  EXPECT_THAT(archived()[1], AllOf(HasSubstr("<retract "), HasSubstr("<body>")));
  const auto got = asks("");
  ASSERT_THAT(got, SizeIs(3));
  EXPECT_THAT(got[0], AllOf(HasSubstr("id='" + id_of(0) + "'"), HasSubstr("<retracted ")));
}

TEST_F(RetractionTest, what_a_client_sent_it_may_take_back_in_its_own_archive) {
  says("m1", "<body>secret</body>");
  says("r1", "<apply-to xmlns='urn:xmpp:fasten:0' id='m1'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>");
  ASSERT_THAT(archived(), SizeIs(2));
  EXPECT_THAT(archived()[0], tombstone("r1"));
}

TEST_F(RetractionTest, notes_to_oneself_are_taken_back_too) {
  for (const std::string& inside : {std::string("<body>note</body>"), retract("n")}) {
    scene.says(*juliet, "<message to='juliet@capulet.lit' type='chat' id='n" +
                            std::string(inside.starts_with("<r") ? "2" : "") + "'>" + inside + "</message>");
  }
  ASSERT_THAT(archived(), SizeIs(2));
  EXPECT_THAT(archived()[0], tombstone("n2"));
}

TEST_F(RetractionTest, nobody_takes_back_what_another_wrote) {
  from_romeo("m1", "<body>his</body>");
  says("m2", "<body>hers</body>");
  says("r1", retract("m1"));
  from_romeo("r2", retract("m2"));
  scene.arrives("<message from='tybalt@capulet.lit/x' to='juliet@capulet.lit' type='chat' id='r3'>" + retract("m1") +
                "</message>");
  EXPECT_THAT(archived(), ElementsAre(HasSubstr("<body>his</body>"), HasSubstr("<body>hers</body>"),
                                      HasSubstr("<retract "), HasSubstr("<retract "), HasSubstr("<retract ")));
}

TEST_F(RetractionTest, errors_rooms_and_what_is_not_archived_take_back_nothing) {
  const std::string room = "<x xmlns='http://jabber.org/protocol/muc#user'/>";
  from_romeo("m1", "<body>kept</body>");
  from_romeo("m2", "<body>kept</body>" + room);
  scene.arrives("<message from='romeo@montague.lit/orchard' to='juliet@capulet.lit' type='error' id='r1'>" +
                retract("m1") + "<error type='wait'/></message>");
  from_romeo("r2", retract("m1") + room);
  from_romeo("r3", retract("m2") + room);
  from_romeo("r4", retract("m2"));
  from_romeo("r5", retract("m1") + "<no-store xmlns='urn:xmpp:hints'/>");
  from_romeo("r6", retract("m1") + retract("m1"));
  from_romeo("", retract("m1"));
  from_romeo("r7", retract("unknown"));
  from_romeo("r8", "<retract xmlns='urn:xmpp:message-retract:1'/>");
  EXPECT_THAT(archived()[0], HasSubstr("<body>kept</body>"));
  EXPECT_THAT(archived()[1], HasSubstr("<body>kept</body>"));
}

TEST_F(RetractionTest, corrections_go_with_what_they_corrected) {
  const std::string replace = "<replace xmlns='urn:xmpp:message-correct:0' id='m1'/>";
  from_romeo("m1", "<body>an older one of the same id</body>");
  from_romeo("m1", "<body>first</body>");
  from_romeo("m2", "<body>second</body>" + replace);
  from_romeo("m3", "<body>third</body>" + replace);
  from_romeo("r1", retract("m1"));
  EXPECT_THAT(archived(), ElementsAre(HasSubstr("an older one"), tombstone("r1"), tombstone("r1"), tombstone("r1"),
                                      HasSubstr("<retract ")));
}

TEST_F(RetractionTest, a_retraction_is_not_taken_back) {
  from_romeo("m1", "<body>secret</body>");
  from_romeo("r1", retract("m1"));
  from_romeo("r2", retract("r1"));
  EXPECT_THAT(archived(), ElementsAre(tombstone("r1"), HasSubstr("<retract "), HasSubstr("<retract ")));
}

TEST_F(RetractionTest, what_the_disk_refuses_changes_nothing) {
  from_romeo("m1", "<body>secret</body>");
  scene.stage.disk.failing_writes = true;
  from_romeo("r1", retract("m1"));
  scene.stage.disk.failing_writes = false;
  EXPECT_THAT(archived(), ElementsAre(HasSubstr("secret")));
  EXPECT_THAT(scene.got(*juliet), testing::Contains(AllOf(HasSubstr("<retract "), Not(HasSubstr("stanza-id")))));
}

// --- preferences (XEP-0441)
// -------------------------------------------------------------------------------------------------------

class PreferencesTest : public ArchiveTest {
 protected:
  std::string iq(const std::string& type, const std::string& prefs) {
    scene.got(*juliet);
    scene.says(*juliet, "<iq type='" + type + "' id='p'><prefs" + archive_ns + prefs + "</iq>");
    scene.settle();
    const auto got = scene.got(*juliet);
    return got.empty() ? std::string() : got.back();
  }
  std::string archived() {
    std::string all;
    for (const auto& [id, entry] : scene.stage.archive.messages) all += entry.stanza;
    return all;
  }
};

TEST_F(PreferencesTest, everything_is_archived_until_somebody_wants_it_otherwise) {
  EXPECT_THAT(iq("get", "/>"), HasSubstr("<prefs xmlns='urn:xmpp:mam:2' default='always'><always/><never/></prefs>"));
  const std::string prefs =
      " default='never'><always><jid>romeo@montague.lit</jid></always><never><jid>Romeo@montague.lit/bot</jid></"
      "never></prefs>";
  EXPECT_THAT(iq("set", prefs), HasSubstr("<never><jid>romeo@montague.lit/bot</jid></never>"));
  EXPECT_THAT(iq("get", "/>"), HasSubstr("default='never'><always><jid>romeo@montague.lit</jid></always>"));
  arrives("wanted");
  arrives("never", "romeo@montague.lit/bot");
  arrives("stranger", "tybalt@capulet.lit/street");
  scene.says(*juliet, "<message to='romeo@montague.lit' type='chat'><body>to him</body></message>");
  scene.says(*juliet, "<message to='tybalt@capulet.lit' type='chat'><body>to a stranger</body></message>");
  scene.settle();
  EXPECT_THAT(archived(),
              AllOf(HasSubstr("wanted"), HasSubstr("to him"), Not(HasSubstr("never")), Not(HasSubstr("stranger"))));
}

TEST_F(PreferencesTest, contacts_only_are_archived_if_that_is_wanted) {
  iq("set", " default='roster'/>");
  scene.stage.account("juliet@capulet.lit").roster().put({.contact = bare("romeo@montague.lit")});
  arrives("contact");
  arrives("stranger", "tybalt@capulet.lit/street");
  scene.says(*juliet, "<message to='juliet@capulet.lit' type='chat'><body>note</body></message>");
  scene.settle();
  EXPECT_THAT(archived(), AllOf(HasSubstr("contact"), HasSubstr("note"), Not(HasSubstr("stranger"))));
}

TEST_F(PreferencesTest, what_makes_no_sense_or_is_too_much_changes_nothing) {
  EXPECT_THAT(iq("set", "/>"), HasSubstr("<bad-request"));
  EXPECT_THAT(iq("set", " default='sometimes'/>"), HasSubstr("<bad-request"));
  EXPECT_THAT(iq("set", " default='never'><never><jid>a b@c</jid></never></prefs>"), HasSubstr("<jid-malformed"));
  scene.stage.limits.archive_preference_addresses = 1;
  EXPECT_THAT(iq("set", " default='never'><never><jid>a@b</jid></never><always><jid>c@d</jid></always></prefs>"),
              HasSubstr("<policy-violation"));
  scene.stage.disk.failing_writes = true;
  EXPECT_THAT(iq("set", " default='never'/>"), HasSubstr("type='error'"));
  scene.stage.disk.failing_writes = false;
  EXPECT_THAT(iq("get", "/>"), HasSubstr("default='always'"));
}

TEST_F(PreferencesTest, they_are_a_document_that_is_read_back) {
  const std::string prefs = " default='roster'><always><jid>a@b</jid></always><never><jid>c@d/e</jid></never></prefs>";
  iq("set", prefs);
  const auto read = module::ArchivePreferences::from_document(scene.stage.documents.documents.at(
      {bare("juliet@capulet.lit"), std::string(module::ArchivePreferences::kind), ""}));
  EXPECT_EQ(read.otherwise, module::ArchivePreferences::Default::roster);
  EXPECT_EQ(read.always, (module::ArchivePreferences::Jids{"a@b"}));
  EXPECT_EQ(read.never, (module::ArchivePreferences::Jids{"c@d/e"}));
  EXPECT_EQ(module::ArchivePreferences::from_document("nonsense\n").to_document(), "");
}

}  // namespace
}  // namespace kith::modules
