// What people try who want more than they may have, and clients that do too much: the right answer, and the room as it
// was.
#include <string>

#include "modules/rooms/testing_rooms.h"

namespace kith::modules {
namespace {

using namespace muc::testing;

class RoomBadInput : public RoomsTest {
 protected:
  void asks_info(Session& session, const std::string& to, const std::string& node = "") {
    scene.got(session);
    scene.says(session, "<iq type='get' id='i' to='" + to + "'><query xmlns='http://jabber.org/protocol/disco#info'" +
                            (node.empty() ? "" : " node='" + node + "'") + "/></iq>");
  }
  /// The clock goes on, and what waits for it happens.
  void later(Duration time) {
    scene.stage.clock.advance(time);
    scene.stage.timers.advance(scene.stage.clock.now());
    scene.settle();
  }
};

TEST_F(RoomBadInput, an_item_has_an_affiliation_or_a_role) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  admin(crone, "<item nick='thirdwitch' role='moderator' affiliation='owner'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("bad-request")));
  EXPECT_THAT(scene.got(hag), IsEmpty());
  for (const char* item : {"<item/>", "<item nick='thirdwitch'/>", "<item role='king' nick='thirdwitch'/>",
                           "<item affiliation='king' jid='hag66@capulet.lit'/>"}) {
    admin(crone, item);
    EXPECT_THAT(scene.got(crone), ElementsAre(error("bad-request"))) << item;
  }
  admin(crone, "<item affiliation='member' jid='@'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("jid-malformed")));
}

// XEP-0045 §8.5, §9.8, §10.5, §10.8
TEST_F(RoomBadInput, lists_are_for_those_who_may_change_them) {
  Session& crone = owner();
  Session& wicca = enters("wiccarocks@capulet.lit/laptop", "secondwitch");
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  Session& hecate = enters("hecate@capulet.lit/broom", "hecate");
  admin(crone, "<item affiliation='admin' jid='wiccarocks@capulet.lit'/>");
  admin(crone, "<item role='moderator' nick='thirdwitch'/>");
  const auto answers = [&](Session& session, const std::string& list) {
    scene.forget_all();
    admin(session, "<item " + list + "/>", "get");
    return scene.got(session);
  };
  for (const char* list : {"affiliation='owner'", "affiliation='admin'"}) {
    EXPECT_THAT(answers(crone, list), ElementsAre(HasSubstr("type='result'"))) << list;
    for (Session* other : {&wicca, &hag, &hecate})
      EXPECT_THAT(answers(*other, list), ElementsAre(error("forbidden"))) << list;
  }
  for (const char* list : {"affiliation='member'", "affiliation='outcast'", "role='moderator'"}) {
    for (Session* one : {&crone, &wicca})
      EXPECT_THAT(answers(*one, list), ElementsAre(HasSubstr("type='result'"))) << list;
    for (Session* other : {&hag, &hecate}) EXPECT_THAT(answers(*other, list), ElementsAre(error("forbidden"))) << list;
  }
  for (const char* list : {"role='participant'", "role='visitor'"}) {
    for (Session* one : {&crone, &wicca, &hag})
      EXPECT_THAT(answers(*one, list), ElementsAre(HasSubstr("type='result'"))) << list;
    EXPECT_THAT(answers(hecate, list), ElementsAre(error("forbidden"))) << list;
  }
  // In a group in which everybody sees everybody, its admins and owners are known, too.
  configure(crone, {{"muc#roomconfig_whois", "anyone"}});
  EXPECT_THAT(answers(wicca, "affiliation='owner'"), ElementsAre(HasSubstr("crone1@capulet.lit")));
}

TEST_F(RoomBadInput, outsiders_learn_nothing_of_occupants) {
  Session& crone = enters("crone1@capulet.lit/desktop", "firstwitch");
  Session& hag = scene.bind("hag66@capulet.lit/pda");
  // §17.2: it is still locked.
  speaks(hag, "hail");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("item-not-found")));
  configure(crone, {});
  scene.got(crone);
  asks_info(hag, "coven@rooms.capulet.lit/firstwitch");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("bad-request")));
  asks_info(hag, "coven@rooms.capulet.lit/nobody");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("bad-request")));
  asks_info(hag, "coven@rooms.capulet.lit", "http://jabber.org/protocol/muc#traffic");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("feature-not-implemented")));
  EXPECT_THAT(scene.got(crone), IsEmpty());
  // §17.3: what is no request to enter is none to leave, and the other way round.
  for (const char* type : {"probe", "subscribe", "unavailable"}) {
    scene.says(hag, "<presence type='" + std::string(type) + "' to='coven@rooms.capulet.lit/hag'/>");
    scene.says(crone, "<presence type='probe' to='coven@rooms.capulet.lit/firstwitch'/>");
    EXPECT_THAT(scene.got(hag), IsEmpty()) << type;
    EXPECT_THAT(scene.got(crone), IsEmpty()) << type;
  }
}

// §17.3
TEST_F(RoomBadInput, who_enters_twice_is_seen_as_he_is_now) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  enter(hag, "thirdwitch");
  EXPECT_THAT(scene.got(hag), Contains(code(110)));
  EXPECT_THAT(scene.got(crone), IsEmpty());
  scene.says(hag,
             "<presence to='coven@rooms.capulet.lit/thirdwitch'><show>away</show><x "
             "xmlns='http://jabber.org/protocol/muc'/></presence>");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("<show>away</show>")));
}

TEST_F(RoomBadInput, a_flood_of_presence_is_told_in_the_end_only) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  for (int i = 0; i < 500; ++i)
    scene.says(
        hag, "<presence to='coven@rooms.capulet.lit/thirdwitch'><status>" + std::to_string(i) + "</status></presence>");
  const auto seen = scene.got(crone);
  EXPECT_THAT(seen, SizeIs(20));
  later(std::chrono::seconds(2));
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("<status>499</status>")));
  later(std::chrono::minutes(1));
  EXPECT_THAT(scene.got(crone), IsEmpty());
  EXPECT_THAT(scene.stage.log, HasSubstr("room_presences"));
}

TEST_F(RoomBadInput, a_storm_of_entering_and_leaving_is_stopped_at_the_door) {
  Session& crone = owner();
  Session& hag = scene.bind("hag66@capulet.lit/pda");
  std::size_t seen = 0;
  bool refused = false;
  for (int i = 0; i < 1000; ++i) {
    enter(hag, "thirdwitch");
    const auto answers = scene.got(hag);
    refused = refused || (answers.size() == 1 && ::testing::Value(answers[0], error("resource-constraint")));
    scene.says(hag, "<presence type='unavailable' to='coven@rooms.capulet.lit/thirdwitch'/>");
    seen += scene.got(crone).size();
  }
  EXPECT_TRUE(refused);
  EXPECT_THAT(seen, Le(601U));
  // Others are not in the way of it, and he comes in when he has calmed down.
  Session& hecate = enters("hecate@capulet.lit/broom", "hecate");
  EXPECT_THAT(scene.got(hecate), Contains(code(110)));
  later(std::chrono::seconds(1));
  enter(hag, "thirdwitch");
  EXPECT_THAT(scene.got(hag), Contains(code(110)));
}

TEST_F(RoomBadInput, a_history_of_everything_is_as_much_as_the_room_gives) {
  scene.stage.limits.room_messages = {.per_second = 1000, .burst = 1000};
  Session& crone = owner({{"muc#maxhistoryfetch", "5"}});
  for (int i = 0; i < 150; ++i) speaks(crone, "line " + std::to_string(i) + ".");
  int visitors = 0;
  for (const char* history : {"", "<history maxstanzas='99999999999999999999'/>", "<history maxstanzas='1000000'/>",
                              "<history maxchars='-1'/>", "<history seconds='999999999999'/>",
                              "<history since='0001-01-01T00:00:00Z'/>", "<history since='yesterday'/>"}) {
    ++visitors;
    Session& hag = enters(("hag" + std::to_string(visitors) + "@capulet.lit/pda").c_str(),
                          "witch" + std::to_string(visitors), history);
    std::vector<std::string> told;
    for (const std::string& line : scene.got(hag)) {
      if (line.find("<body>") != std::string::npos) told.push_back(line);
    }
    EXPECT_THAT(told, SizeIs(5)) << history;
    EXPECT_THAT(told.back(), HasSubstr("line 149.")) << history;
  }
}

TEST_F(RoomBadInput, rooms_and_nicks_have_names_in_every_script) {
  Session& crone = scene.bind("crone1@capulet.lit/desktop");
  const auto made = [&](const std::string& room, const std::string& nick) {
    scene.got(crone);
    const auto to = xmpp::Jid::parse(room + "@rooms.capulet.lit/" + nick);
    if (!to) return std::string("no address");
    scene.says(crone, "<presence to='" + to->text() + "'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    const auto answers = scene.got(crone);
    return answers.empty() ? std::string() : answers.front();
  };
  for (const auto& [room, nick] : std::vector<std::pair<std::string, std::string>>{{"höhle", "Hexe mit Ü"},
                                                                                   {"пещера", "Ведьма"},
                                                                                   {"洞窟", "魔女"},
                                                                                   {"مغارة", "ساحرة"},
                                                                                   {"מערה", "מכשפה"},
                                                                                   {"गुफा", "डायन"},
                                                                                   {"ถ้ำ", "แม่มด"}})
    EXPECT_THAT(made(room, nick), code(201)) << room;
  EXPECT_THAT(made("dark cave", "Witch"), "no address");
  EXPECT_THAT(made("cave\u202E", "Witch"), "no address");
  EXPECT_THAT(made("moon", "W\u202Eitch"), "no address");
  EXPECT_THAT(made("sun", "\u2800 \u2800"), error("not-acceptable"));
}

// XEP-0421: what somebody says of himself is not what the room says of him.
TEST_F(RoomBadInput, ids_of_occupants_can_t_be_forged) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  const std::string forged = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>";
  scene.says(hag, "<presence to='coven@rooms.capulet.lit/thirdwitch'>" + forged + forged + "</presence>");
  scene.says(hag,
             "<message type='groupchat' to='coven@rooms.capulet.lit'><body>x</body>" + forged + forged + "</message>");
  scene.says(hag,
             "<message type='chat' to='coven@rooms.capulet.lit/firstwitch'><body>x</body>" + forged + "</message>");
  EXPECT_THAT(scene.got(crone), AllOf(SizeIs(3), Each(AllOf(HasSubstr("<occupant-id "), Not(HasSubstr("forged"))))));
}

}  // namespace
}  // namespace kith::modules
