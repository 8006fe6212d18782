#include <string>
#include <utility>
#include <vector>

#include "modules/rooms/testing_rooms.h"

namespace kith::modules {
namespace {

using namespace muc::testing;

std::string field(const std::string& var, const std::string& value) {
  return "<field var='" + var + "'><value>" + value + "</value></field>";
}
std::string form(const std::string& fields) {
  return "<x xmlns='jabber:x:data' type='submit'>" + field("FORM_TYPE", "urn:xmpp:mam:2") + fields + "</x>";
}
std::string page(const std::string& inside) {
  return "<set xmlns='http://jabber.org/protocol/rsm'>" + inside + "</set>";
}

class RoomArchive : public RoomsTest {
 protected:
  RoomArchive() {
    scene.stage.limits.room_messages = {.per_second = 1000, .burst = 10'000};
    scene.stage.limits.room_archive_queries = {.per_second = 1, .burst = 1000};
  }
  std::vector<std::string> asks(Session& session, const std::string& inside, const char* ns = "urn:xmpp:mam:2",
                                const char* type = "set") {
    scene.got(session);
    scene.says(session, "<iq type='" + std::string(type) +
                            "' id='q' to='coven@rooms.capulet.lit'><query queryid='f' xmlns='" + ns + "'>" + inside +
                            "</query></iq>");
    return scene.got(session);
  }
  static std::string between(const std::string& text, const std::string& start, const std::string& end) {
    const std::size_t from = text.find(start);
    if (from == std::string::npos) return "";
    return text.substr(from + start.size(), text.find(end, from + start.size()) - from - start.size());
  }
  std::vector<std::string> bodies(Session& session, const std::string& inside = "") {
    std::vector<std::string> all;
    for (const std::string& line : asks(session, inside)) {
      if (line.find("<body>") != std::string::npos) all.push_back(between(line, "<body>", "</body>"));
    }
    return all;
  }
};

// XEP-0313 §5.1.2, XEP-0359 §3.2
TEST_F(RoomArchive, what_is_said_is_found_under_the_id_that_everybody_got) {
  Session& crone = owner();
  speaks(crone, "thrice the brinded cat");
  const auto live = scene.got(crone);
  ASSERT_THAT(live, SizeIs(1));
  const std::string id = between(live[0], "by='coven@rooms.capulet.lit' id='", "'");
  ASSERT_THAT(id, SizeIs(32));
  const auto got = asks(crone, "");
  ASSERT_THAT(got, SizeIs(2));
  EXPECT_THAT(got[0], AllOf(HasSubstr("<message from='coven@rooms.capulet.lit' to='crone1@capulet.lit/desktop'"),
                            HasSubstr("<result xmlns='urn:xmpp:mam:2' queryid='f' id='" + id + "'>"),
                            HasSubstr("<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='"),
                            HasSubstr("from='coven@rooms.capulet.lit/firstwitch'"), HasSubstr("thrice the brinded cat"),
                            HasSubstr("<occupant-id"), HasSubstr("jid='crone1@capulet.lit/desktop'"),
                            Not(HasSubstr("stanza-id"))));
  EXPECT_THAT(got[1], AllOf(HasSubstr("<fin xmlns='urn:xmpp:mam:2' complete='true'>"), HasSubstr(id)));
  scene.says(crone,
             "<iq type='get' id='i' to='coven@rooms.capulet.lit'><query "
             "xmlns='http://jabber.org/protocol/disco#info'/></iq>");
  EXPECT_THAT(scene.got(crone), ElementsAre(AllOf(HasSubstr("'urn:xmpp:mam:2'"), HasSubstr("'urn:xmpp:mam:1'"),
                                                  HasSubstr("'urn:xmpp:mam:0'"), HasSubstr("'urn:xmpp:mam:2#extended'"),
                                                  HasSubstr("'urn:xmpp:sid:0'"))));
  scene.says(crone, "<iq type='get' id='m' to='coven@rooms.capulet.lit'><metadata xmlns='urn:xmpp:mam:2'/></iq>");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("<start id='" + id + "'")));
}

// §5.1.2: "the recipient has the right to access the sender's real JID at the time of the query"
TEST_F(RoomArchive, real_addresses_are_for_those_who_may_see_them) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  speaks(crone, "hail");
  EXPECT_THAT(asks(hag, ""), Contains(HasSubstr("hail")));
  EXPECT_THAT(asks(hag, ""), Each(Not(HasSubstr("crone1@"))));
  EXPECT_THAT(asks(crone, ""), Contains(HasSubstr("jid='crone1@capulet.lit/desktop'")));
  configure(crone, {{"muc#roomconfig_whois", "anyone"}});
  EXPECT_THAT(asks(hag, ""), Contains(HasSubstr("jid='crone1@capulet.lit/desktop'")));
  // Whoever writes such an address himself is not believed.
  scene.says(hag,
             "<message type='groupchat' to='coven@rooms.capulet.lit'><body>forged</body><x "
             "xmlns='http://jabber.org/protocol/muc#user'><item jid='crone1@capulet.lit/desktop'/></x></message>");
  const auto got = asks(hag, page("<before/><max>1</max>"));
  EXPECT_THAT(got[0], AllOf(HasSubstr("forged"), HasSubstr("jid='hag66@capulet.lit/pda'"), Not(HasSubstr("crone1@"))));
}

// §5.1.2, §7: "MUST check that the user requesting the archive has the right to enter it"
TEST_F(RoomArchive, nobody_reads_it_who_could_not_be_there) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}});
  speaks(crone, "secret");
  Session& hag = scene.bind("hag66@capulet.lit/pda");
  EXPECT_THAT(asks(hag, ""), ElementsAre(error("forbidden")));
  EXPECT_THAT(asks(hag, "", "urn:xmpp:mam:2", "get"), ElementsAre(error("forbidden")));
  scene.says(hag, "<iq type='get' id='m' to='coven@rooms.capulet.lit'><metadata xmlns='urn:xmpp:mam:2'/></iq>");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("forbidden")));
  enter(hag, "thirdwitch");
  EXPECT_THAT(bodies(hag), ElementsAre("secret"));
  // Who was shown out does not read on from outside, and a banned one does not at all.
  admin(crone, "<item affiliation='outcast' jid='hag66@capulet.lit'/>");
  EXPECT_THAT(asks(hag, ""), ElementsAre(error("forbidden")));
  // A member need not be there.
  admin(crone, "<item affiliation='member' jid='hag66@capulet.lit'/>");
  EXPECT_THAT(bodies(hag), ElementsAre("secret"));
  configure(crone, {{"muc#roomconfig_membersonly", "1"}});
  EXPECT_THAT(bodies(hag), ElementsAre("secret"));
  admin(crone, "<item affiliation='none' jid='hag66@capulet.lit'/>");
  EXPECT_THAT(asks(hag, ""), ElementsAre(error("forbidden")));
  // A password is shown by entering, also by members.
  admin(crone, "<item affiliation='member' jid='hag66@capulet.lit'/>");
  configure(crone, {{"muc#roomconfig_roomsecret", "cauldronburn"}});
  EXPECT_THAT(asks(hag, ""), ElementsAre(error("forbidden")));
  enter(hag, "thirdwitch", "<password>cauldronburn</password>");
  EXPECT_THAT(bodies(hag), ElementsAre("secret"));
}

TEST_F(RoomArchive, pages_go_both_ways_and_filters_hold) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  for (const char* body : {"1", "2", "3", "4"}) {
    scene.stage.clock.advance(std::chrono::seconds(1));
    speaks(*body == '3' ? hag : crone, body);
  }
  EXPECT_THAT(bodies(hag, page("<max>2</max>")), ElementsAre("1", "2"));
  EXPECT_THAT(bodies(hag, page("<max>2</max><before/>")), ElementsAre("3", "4"));
  EXPECT_THAT(bodies(hag, "<flip-page/>" + page("<max>2</max><before/>")), ElementsAre("4", "3"));
  const auto first = asks(hag, page("<max>1</max>"));
  EXPECT_THAT(first.back(), Not(HasSubstr("complete=")));
  const std::string id = between(first.back(), "<last>", "</last>");
  EXPECT_THAT(bodies(hag, page("<after>" + id + "</after>")), ElementsAre("2", "3", "4"));
  EXPECT_THAT(bodies(hag, form(field("before-id", id))), IsEmpty());
  EXPECT_THAT(bodies(hag, form(field("ids", id))), ElementsAre("1"));
  EXPECT_THAT(bodies(hag, form(field("with", "coven@rooms.capulet.lit/thirdwitch"))), ElementsAre("3"));
  // SECURITY: who is behind a nick can't be asked for.
  EXPECT_THAT(bodies(hag, form(field("with", "crone1@capulet.lit"))), IsEmpty());
  EXPECT_THAT(asks(hag, page("<max>0</max>")), ElementsAre(HasSubstr("<count>4</count>")));
  for (const std::string& nothing : {scene.stage.archive_ids.text(1), std::string("x")})
    EXPECT_THAT(asks(hag, page("<after>" + nothing + "</after>")), ElementsAre(error("item-not-found")));
  EXPECT_THAT(asks(hag, form(field("whatever", "x"))), ElementsAre(error("feature-not-implemented")));
  EXPECT_THAT(asks(hag, "", "urn:xmpp:mam:2", "get"), ElementsAre(HasSubstr("var='with'")));
  // The end of a page is a message in the oldest version.
  const auto oldest = asks(hag, page("<max>1</max>"), "urn:xmpp:mam:0");
  ASSERT_THAT(oldest, SizeIs(3));
  EXPECT_THAT(oldest[1], AllOf(HasSubstr("<message"), HasSubstr("<fin xmlns='urn:xmpp:mam:0'")));
}

TEST_F(RoomArchive, what_only_passes_by_is_not_kept) {
  Session& crone = owner();
  const auto says = [&](const std::string& child) {
    scene.says(crone, "<message type='groupchat' to='coven@rooms.capulet.lit'>" + child + "</message>");
  };
  says("<composing xmlns='http://jabber.org/protocol/chatstates'/>");
  says("<body>off the record</body><no-store xmlns='urn:xmpp:hints'/>");
  says("<store xmlns='urn:xmpp:hints'/><thread>x</thread>");
  EXPECT_THAT(scene.got(crone), AllOf(SizeIs(3), Each(Not(HasSubstr("stanza-id")))));
  EXPECT_THAT(scene.stage.archive.messages, IsEmpty());
  says("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>");
  says("<subject>toads</subject>");
  says("<body>hail</body>");
  EXPECT_THAT(scene.got(crone), AllOf(SizeIs(3), Each(HasSubstr("stanza-id"))));
  EXPECT_THAT(scene.stage.archive.messages, SizeIs(3));
  // Nobody who enters needs the marker, and the subject comes last, and once.
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  const auto got = scene.got(hag);
  ASSERT_THAT(got, SizeIs(4));
  EXPECT_THAT(got[2], HasSubstr("hail"));
  EXPECT_THAT(got[3], AllOf(HasSubstr("<subject>toads"), HasSubstr("<delay xmlns='urn:xmpp:delay'")));
}

TEST_F(RoomArchive, who_enters_gets_history_from_it_after_the_room_was_forgotten) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}, {"muc#roomconfig_whois", "anyone"}});
  speaks(crone, "hail");
  scene.says(crone, "<message type='groupchat' to='coven@rooms.capulet.lit'><subject>toads</subject></message>");
  scene.ends(crone);
  scene.stage.clock.advance(scene.stage.limits.account_idle_time + std::chrono::minutes(1));
  scene.stage.timers.advance(scene.stage.clock.now());
  Session& back = enters("crone1@capulet.lit/desktop", "firstwitch");
  const auto got = scene.got(back);
  ASSERT_THAT(got, SizeIs(3));
  EXPECT_THAT(got[1], AllOf(HasSubstr("hail"), HasSubstr("stanza-id"), HasSubstr("<delay"),
                            Not(HasSubstr("crone1@capulet.lit/desktop'/></x>"))));
  EXPECT_THAT(got[2], HasSubstr("<subject>toads"));
  EXPECT_THAT(bodies(back), ElementsAre("hail"));
}

TEST_F(RoomArchive, private_messages_are_not_in_it) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.says(hag, "<message type='chat' to='coven@rooms.capulet.lit/firstwitch'><body>psst</body></message>");
  EXPECT_THAT(scene.got(crone), Contains(HasSubstr("psst")));
  EXPECT_THAT(scene.stage.archive.messages, IsEmpty());
}

TEST_F(RoomArchive, a_room_that_keeps_nothing_says_so) {
  Session& crone = owner({{"muc#roomconfig_enablearchiving", "0"}});
  speaks(crone, "hail");
  EXPECT_THAT(scene.got(crone), ElementsAre(Not(HasSubstr("stanza-id"))));
  EXPECT_THAT(scene.stage.archive.messages, IsEmpty());
  scene.says(crone,
             "<iq type='get' id='i' to='coven@rooms.capulet.lit'><query "
             "xmlns='http://jabber.org/protocol/disco#info'/></iq>");
  EXPECT_THAT(scene.got(crone), ElementsAre(Not(HasSubstr("urn:xmpp:mam"))));
}

TEST_F(RoomArchive, what_the_disk_refuses_has_no_id_and_a_refused_subject_is_an_error) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  scene.stage.disk.failing_writes = true;
  speaks(crone, "hail");
  EXPECT_THAT(scene.got(hag), ElementsAre(AllOf(HasSubstr("hail"), Not(HasSubstr("stanza-id")))));
  scene.got(crone);
  scene.says(crone, "<message type='groupchat' to='coven@rooms.capulet.lit'><subject>toads</subject></message>");
  EXPECT_THAT(scene.got(hag), IsEmpty());
  EXPECT_THAT(scene.got(crone), ElementsAre(error("internal-server-error")));
}

TEST_F(RoomArchive, many_queries_have_to_wait) {
  Session& crone = owner();
  speaks(crone, "hail");
  scene.stage.limits.room_archive_queries = {.per_second = 1, .burst = 2};
  EXPECT_THAT(asks(crone, ""), SizeIs(2));
  EXPECT_THAT(asks(crone, ""), SizeIs(2));
  EXPECT_THAT(asks(crone, ""), ElementsAre(error("resource-constraint")));
  scene.stage.clock.advance(std::chrono::seconds(5));
  EXPECT_THAT(asks(crone, ""), SizeIs(2));
  scene.stage.disk.failing_reads = true;
  scene.stage.clock.advance(std::chrono::seconds(5));
  EXPECT_THAT(asks(crone, ""), ElementsAre(error("internal-server-error")));
}

TEST_F(RoomArchive, it_forgets_in_time_though_the_archive_feature_is_off) {
  Session& crone = owner();
  speaks(crone, "hail");
  scene.stage.clock.advance(Rooms::retention + std::chrono::hours(1));
  speaks(crone, "all hail");
  scene.stage.timers.advance(scene.stage.clock.now());
  scene.settle();
  EXPECT_THAT(bodies(crone), ElementsAre("all hail"));
}

}  // namespace
}  // namespace kith::modules
