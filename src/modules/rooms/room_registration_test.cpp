#include <string>

#include "modules/push/push.h"
#include "modules/rooms/testing_rooms.h"

namespace kith::modules {
namespace {

using namespace muc::testing;

class RoomRegistration : public RoomsTest {
 protected:
  void asks(Session& session, const std::string& content, const char* type = "set") {
    scene.got(session);
    scene.says(session, "<iq type='" + std::string(type) +
                            "' id='r' to='coven@rooms.capulet.lit'><query xmlns='jabber:iq:register'>" + content +
                            "</query></iq>");
  }
  static std::string form(const std::string& nick, bool notices = false) {
    return "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
           "<value>http://jabber.org/protocol/muc#register</value></field><field var='muc#register_roomnick'><value>" +
           nick + "</value></field>" +
           (notices ? "<field var='{http://tigase.org/protocol/muc}offline'><value>1</value></field>" : "") + "</x>";
  }
  void judges(Session& session, const std::string& nick, const char* allow, const char* type = "submit") {
    scene.says(session, "<message to='coven@rooms.capulet.lit'><x xmlns='jabber:x:data' type='" + std::string(type) +
                            "'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>"
                            "<field var='muc#register_roomnick'><value>" +
                            nick + "</value></field><field var='muc#register_allow'><value>" + allow +
                            "</value></field></x></message>");
  }
  std::vector<std::string> reserved_of(Session& session) {
    scene.got(session);
    scene.says(session,
               "<iq type='get' id='n' to='coven@rooms.capulet.lit'><query "
               "xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/></iq>");
    return scene.got(session);
  }
  /// All that is in memory is gone, and what is stored is read again.
  void forget() {
    scene.settle();
    rooms->forget_all();
  }
};

// XEP-0045 §7.10, §7.12
TEST_F(RoomRegistration, a_nick_is_kept_for_who_registers_it) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  asks(hag, "", "get");
  EXPECT_THAT(scene.got(hag),
              ElementsAre(AllOf(HasSubstr("var='muc#register_roomnick'"), HasSubstr("<value>thirdwitch</value>"),
                                HasSubstr("<required/>"), Not(HasSubstr("<registered/>")))));
  EXPECT_THAT(reserved_of(hag), ElementsAre(Not(HasSubstr("<identity"))));
  scene.got(crone);
  asks(hag, form("thirdwitch"));
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("affiliation='member'"), HasSubstr("type='result'")));
  EXPECT_THAT(scene.got(crone), ElementsAre(AllOf(HasSubstr("/thirdwitch'"), HasSubstr("affiliation='member'"))));
  forget();
  EXPECT_THAT(reserved_of(hag),
              ElementsAre(HasSubstr("<identity category='conference' name='thirdwitch' type='text'/>")));
  asks(hag, "", "get");
  EXPECT_THAT(scene.got(hag),
              ElementsAre(AllOf(HasSubstr("<registered/>"), HasSubstr("<username>thirdwitch</username>"))));
  // Nobody else has it, in whatever way it is written, neither entering nor later.
  Session& hecate = enters("hecate@capulet.lit/broom", "ThirdWitch");
  EXPECT_THAT(scene.got(hecate), ElementsAre(error("conflict")));
  enter(hecate, "th\u0456rdwitch");  // a Cyrillic letter
  EXPECT_THAT(scene.got(hecate), ElementsAre(error("conflict")));
  enter(hecate, "hecate");
  scene.got(hecate);
  scene.says(hecate, "<presence to='coven@rooms.capulet.lit/thirdwitch'/>");
  EXPECT_THAT(scene.got(hecate), ElementsAre(error("conflict")));
  asks(hecate, form("thirdwitch"));
  EXPECT_THAT(scene.got(hecate), ElementsAre(error("conflict")));
  // He himself, from any client, and under another nick as well.
  Session& laptop = enters("hag66@capulet.lit/laptop", "thirdwitch");
  EXPECT_THAT(scene.got(laptop), Contains(code(110)));
  Session& phone = enters("hag66@capulet.lit/phone", "oldhag");
  EXPECT_THAT(scene.got(phone), Contains(code(110)));
  // §9.5: who may see the list of members sees their nicks.
  enter(crone, "firstwitch");
  scene.got(crone);
  admin(crone, "<item affiliation='member'/>", "get");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("jid='hag66@capulet.lit' nick='thirdwitch'")));
}

TEST_F(RoomRegistration, what_is_no_registration_is_refused) {
  owner({{"muc#roomconfig_persistentroom", "1"}});
  Session& hag = scene.bind("hag66@capulet.lit/pda");
  const auto refused = [&](const std::string& content) {
    asks(hag, content);
    const auto answers = scene.got(hag);
    return answers.size() == 1 ? answers[0] : std::string();
  };
  EXPECT_THAT(refused(""), error("bad-request"));
  EXPECT_THAT(refused("<username>thirdwitch</username>"), error("bad-request"));
  EXPECT_THAT(refused("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>other</value></field></x>"),
              error("bad-request"));
  EXPECT_THAT(refused(form("")), error("not-acceptable"));
  EXPECT_THAT(refused(form("firstwitch")), error("conflict"));
  // Five in a row, and then one a minute.
  EXPECT_THAT(refused(form("again")), error("resource-constraint"));
  scene.stage.clock.advance(std::chrono::minutes(10));
  EXPECT_THAT(refused(form(std::string(200, 'x'))), error("not-acceptable"));
  EXPECT_THAT(refused(form("\u2800")), error("not-acceptable"));  // nothing to be seen
  EXPECT_THAT(refused("<remove/>"), error("registration-required"));
}

TEST_F(RoomRegistration, who_leaves_or_is_banned_keeps_nothing) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  Session& hecate = enters("hecate@capulet.lit/broom", "hecate");
  asks(hag, form("thirdwitch"));
  asks(hecate, form("queen"));
  asks(hag, "<remove/>");
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("affiliation='none'"), HasSubstr("type='result'")));
  admin(crone, "<item affiliation='outcast' jid='hecate@capulet.lit'/>");
  forget();
  EXPECT_THAT(reserved_of(hag), ElementsAre(Not(HasSubstr("<identity"))));
  asks(hecate, "", "get");
  EXPECT_THAT(scene.got(hecate), ElementsAre(error("not-allowed")));
  Session& another = enters("wiccarocks@capulet.lit/laptop", "queen");
  EXPECT_THAT(scene.got(another), Contains(code(110)));
  // Admins and owners stay what they are.
  asks(crone, form("firstwitch"));
  asks(crone, "<remove/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("type='result'")));
  admin(crone, "<item affiliation='owner'/>", "get");
  EXPECT_THAT(scene.got(crone), ElementsAre(AllOf(HasSubstr("crone1@capulet.lit"), Not(HasSubstr("nick=")))));
}

// SECURITY: who gets the name of an account that is gone gets no nick with it.
TEST_F(RoomRegistration, of_an_account_that_is_gone_nothing_is_kept) {
  owner({{"muc#roomconfig_persistentroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  asks(hag, form("thirdwitch"));
  scene.stage.rooms.rooms.at(xmpp::BareJid::from_stored("coven@rooms.capulet.lit")).people.clear();
  forget();
  EXPECT_THAT(reserved_of(hag), ElementsAre(Not(HasSubstr("<identity"))));
}

// §9.9
TEST_F(RoomRegistration, where_it_brings_rights_the_admins_are_asked) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}, {"muc#roomconfig_membersonly", "1"}});
  scene.says(crone, "<presence/>");
  Session& hag = scene.comes("hag66@capulet.lit/pda");
  Session& hecate = scene.comes("hecate@capulet.lit/broom");
  scene.forget_all();
  asks(hag, form("thirdwitch"));
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("type='result'")));
  EXPECT_THAT(scene.got(crone),
              ElementsAre(AllOf(HasSubstr("<message"), HasSubstr("from='coven@rooms.capulet.lit'"),
                                HasSubstr("<value>hag66@capulet.lit</value>"), HasSubstr("<value>thirdwitch</value>"),
                                HasSubstr("muc#register_allow"))));
  asks(hecate, form("thirdwitch"));
  EXPECT_THAT(scene.got(hecate), ElementsAre(error("conflict")));
  enter(hag, "thirdwitch");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("registration-required")));
  judges(hag, "thirdwitch", "1");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("forbidden")));
  judges(crone, "nobody", "1");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("item-not-found")));
  judges(crone, "thirdwitch", "1", "cancel");
  EXPECT_THAT(scene.got(hag), IsEmpty());
  judges(crone, "thirdwitch", "1");
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("<invite from='crone1@capulet.lit'/>")));
  enter(hag, "thirdwitch");
  EXPECT_THAT(scene.got(hag), Contains(AllOf(code(110), HasSubstr("affiliation='member'"))));
  asks(hecate, form("hecate"));
  judges(crone, "hecate", "0");
  enter(hecate, "hecate");
  EXPECT_THAT(scene.got(hecate), Contains(error("registration-required")));
}

TEST_F(RoomRegistration, an_admin_keeps_nicks_for_members) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}});
  admin(crone, "<item affiliation='member' jid='hag66@capulet.lit' nick='thirdwitch'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("type='result'")));
  Session& hag = scene.bind("hag66@capulet.lit/pda");
  EXPECT_THAT(reserved_of(hag), ElementsAre(HasSubstr("name='thirdwitch'")));
  admin(crone, "<item affiliation='member' jid='hecate@capulet.lit' nick='ThirdWitch'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("conflict")));
  // Of two under one nick in one request the first has it.
  admin(crone,
        "<item affiliation='member' jid='hecate@capulet.lit' nick='queen'/>"
        "<item affiliation='member' jid='wiccarocks@capulet.lit' nick='Queen'/>");
  Session& wicca = scene.bind("wiccarocks@capulet.lit/laptop");
  EXPECT_THAT(reserved_of(wicca), ElementsAre(Not(HasSubstr("<identity"))));
  admin(crone, "<item affiliation='member' jid='hag66@capulet.lit' nick=''/>");
  EXPECT_THAT(reserved_of(hag), ElementsAre(Not(HasSubstr("<identity"))));
}

TEST_F(RoomRegistration, a_write_that_fails_leaves_what_was) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  asks(hag, form("thirdwitch"));
  scene.stage.disk.failing_writes = true;
  asks(hag, form("queen"));
  EXPECT_THAT(scene.got(hag), ElementsAre(error("internal-server-error")));
  scene.stage.disk.failing_writes = false;
  scene.settle();
  EXPECT_THAT(reserved_of(hag), ElementsAre(HasSubstr("name='thirdwitch'")));
  EXPECT_THAT(scene.got(crone), Not(IsEmpty()));
}

// --- those who are away
// ----------------------------------------------------------------------------------------------------------

class RoomAbsent : public RoomRegistration {
 protected:
  RoomAbsent() { scene.stage.use<Push>(); }
  /// Hag66 has a phone that can be woken, and the room among his bookmarks.
  void sleeps(const std::string& conference = "autojoin='true'/>") {
    Session& phone = scene.comes("hag66@capulet.lit/phone");
    scene.says(phone, "<iq type='set' id='e'><enable xmlns='urn:xmpp:push:0' jid='push.example' node='n'/></iq>");
    EXPECT_THAT(scene.got(phone), ElementsAre(HasSubstr("type='result'")));
    bookmark(conference);
    scene.ends(phone);
    scene.forget_all();
  }
  void bookmark(const std::string& conference) {
    scene.stage.pubsub.publish(
        xmpp::BareJid::from_stored("hag66@capulet.lit"), "urn:xmpp:bookmarks:1",
        {{.id = "coven@rooms.capulet.lit", .payload = "<conference xmlns='urn:xmpp:bookmarks:1' " + conference}},
        {.most_items = 100});
    scene.settle();
  }
  /// What left for elsewhere since.
  std::vector<std::string> told() { return std::exchange(scene.outside, {}); }
  Session& coven(std::vector<std::pair<std::string, std::string>> fields) {
    fields.emplace_back("muc#roomconfig_persistentroom", "1");
    Session& crone = owner(fields);
    admin(crone,
          "<item affiliation='member' jid='hag66@capulet.lit'/><item affiliation='member' jid='x@montague.lit'/>");
    scene.forget_all();
    return crone;
  }
};

TEST_F(RoomAbsent, in_a_room_for_members_those_who_are_away_are_woken) {
  Session& crone = coven({{"muc#roomconfig_membersonly", "1"}});
  sleeps();
  speaks(crone, "secret words");
  // Other servers' people did not ask for anything.
  EXPECT_THAT(told(), ElementsAre(AllOf(HasSubstr("to='push.example'"), HasSubstr("<notification"),
                                        Not(HasSubstr("secret")), Not(HasSubstr("coven")))));
  // The room hears no complaint, and the message waits nowhere: it is in the room's archive.
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("secret words")));
  EXPECT_THAT(scene.stage.offline.messages, IsEmpty());
  // Nobody is woken by what is not worth it.
  scene.says(crone,
             "<message type='groupchat' to='coven@rooms.capulet.lit'><composing "
             "xmlns='http://jabber.org/protocol/chatstates'/></message>");
  scene.says(crone, "<message type='groupchat' to='coven@rooms.capulet.lit'><subject>Toads</subject></message>");
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(RoomAbsent, who_is_in_the_room_is_told_once) {
  Session& crone = coven({{"muc#roomconfig_membersonly", "1"}});
  sleeps();
  Session& desktop = enters("hag66@capulet.lit/desktop", "thirdwitch");
  scene.forget_all();
  speaks(crone, "hail");
  EXPECT_THAT(scene.got(desktop), ElementsAre(HasSubstr("hail")));
  EXPECT_THAT(told(), SizeIs(1));  // the phone
}

TEST_F(RoomAbsent, who_has_left_the_room_for_good_sleeps_on) {
  Session& crone = coven({{"muc#roomconfig_membersonly", "1"}});
  sleeps("autojoin='false'/>");
  speaks(crone, "hail");
  EXPECT_THAT(told(), IsEmpty());
  bookmark(
      "autojoin='true'><extensions><notify xmlns='urn:xmpp:notification-settings:1'><never/></notify></extensions>"
      "</conference>");
  speaks(crone, "hail");
  EXPECT_THAT(told(), IsEmpty());
  bookmark(
      "autojoin='true'><nick>oldhag</nick><extensions><notify xmlns='urn:xmpp:notification-settings:1'>"
      "<on-mention/></notify></extensions></conference>");
  speaks(crone, "hail");
  EXPECT_THAT(told(), IsEmpty());
  speaks(crone, "OldHag: hail");
  EXPECT_THAT(told(), SizeIs(1));
}

TEST_F(RoomAbsent, elsewhere_those_are_told_who_have_asked_for_it) {
  Session& crone = coven({});
  sleeps();
  speaks(crone, "hail");
  EXPECT_THAT(told(), IsEmpty());
  Session& desktop = scene.bind("hag66@capulet.lit/desktop");
  asks(desktop, form("thirdwitch", true));
  asks(desktop, "", "get");
  EXPECT_THAT(scene.got(desktop), ElementsAre(HasSubstr("room'><value>1</value>")));
  forget();
  enter(crone, "firstwitch");
  scene.forget_all();
  speaks(crone, "hail");
  EXPECT_THAT(told(), SizeIs(1));
  // Somebody of another server, too: it goes to his server, which knows what he wants.
  scene.arrives(
      "<iq type='set' id='r' from='x@montague.lit/y' to='coven@rooms.capulet.lit'><query "
      "xmlns='jabber:iq:register'>" +
      form("x", true) + "</query></iq>");
  told();
  speaks(crone, "hail");
  EXPECT_THAT(told(), Contains(AllOf(HasSubstr("to='x@montague.lit'"), HasSubstr("type='groupchat'"),
                                     HasSubstr("from='coven@rooms.capulet.lit/firstwitch'"), HasSubstr("hail"))));
}

// --- how fast
// --------------------------------------------------------------------------------------------------------------------

// XEP-0500
TEST_F(RoomRegistration, in_slow_mode_everybody_waits_but_those_who_keep_order) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}, {"muc#roomconfig_slow_mode_duration", "20"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  Session& other = enters("hag66@capulet.lit/phone", "other");
  scene.forget_all();
  speaks(hag, "one");
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("one")));
  scene.got(other);
  // By person, whatever client or nick he has.
  speaks(other, "two");
  EXPECT_THAT(scene.got(other),
              ElementsAre(AllOf(error("policy-violation"), HasSubstr("type='wait'"), HasSubstr("20 seconds"))));
  EXPECT_THAT(scene.got(hag), IsEmpty());
  scene.says(hag,
             "<message type='groupchat' to='coven@rooms.capulet.lit'><composing "
             "xmlns='http://jabber.org/protocol/chatstates'/></message>");
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("composing")));
  speaks(crone, "one");
  speaks(crone, "two");
  scene.forget_all();
  // Not even when the room was dropped from memory meanwhile.
  scene.stage.clock.advance(std::chrono::seconds(15));
  forget();
  enter(hag, "thirdwitch");
  scene.forget_all();
  speaks(hag, "three");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("policy-violation")));
  scene.stage.clock.advance(std::chrono::seconds(5));
  speaks(hag, "four");
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("four")));
  scene.says(hag,
             "<iq type='get' id='i' to='coven@rooms.capulet.lit'><query "
             "xmlns='http://jabber.org/protocol/disco#info'/></iq>");
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("var='muc#roominfo_slow_mode_duration' type='text-single'>"
                                                    "<value>20</value>")));
  scene.says(crone,
             "<iq type='get' id='o' to='coven@rooms.capulet.lit'><query "
             "xmlns='http://jabber.org/protocol/muc#owner'/></iq>");
  EXPECT_THAT(scene.got(crone), Contains(HasSubstr("<validate xmlns='http://jabber.org/protocol/xdata-validate' "
                                                   "datatype='xs:integer'><range min='0' max='86400'/></validate>")));
  for (const char* wrong : {"-1", "soon", "99999999999999999999"}) {
    enter(crone, "firstwitch");
    scene.forget_all();
    configure(crone, {{"muc#roomconfig_slow_mode_duration", wrong}});
    EXPECT_THAT(scene.got(crone), ElementsAre(error("not-acceptable"))) << wrong;
  }
}

}  // namespace
}  // namespace kith::modules
