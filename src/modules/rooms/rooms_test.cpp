#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/rooms/testing_rooms.h"

namespace kith::modules {
namespace {

using namespace muc::testing;
using muc::Affiliation;
using muc::Role;
using muc::Standing;
using xmpp::Condition;

// --- the words
// ---------------------------------------------------------------------------------------------------------------

TEST(RoomWords, every_word_is_read_as_it_is_written) {
  for (const auto value :
       {Affiliation::outcast, Affiliation::none, Affiliation::member, Affiliation::admin, Affiliation::owner})
    EXPECT_EQ(muc::affiliation_from(muc::wire_word(value)), value);
  for (const auto value : {Role::none, Role::visitor, Role::participant, Role::moderator})
    EXPECT_EQ(muc::role_from(muc::wire_word(value)), value);
  EXPECT_EQ(muc::affiliation_from("king"), std::nullopt);
  EXPECT_EQ(muc::role_from(""), std::nullopt);
}

std::optional<Condition> refusal(Standing actor, Standing subject, Role wanted) {
  const auto error = muc::refusal_of_role(actor, subject, wanted);
  return error ? std::optional(error->condition) : std::nullopt;
}
std::optional<Condition> refusal(Affiliation actor, Affiliation has, Affiliation wanted) {
  const auto error = muc::refusal_of_affiliation(actor, has, wanted);
  return error ? std::optional(error->condition) : std::nullopt;
}

// XEP-0045 §5.1.2, §8, §9.6, §9.7
TEST(RoomWords, roles_are_given_by_those_who_may) {
  const Standing visitor{Affiliation::none, Role::visitor};
  const Standing speaker{Affiliation::none, Role::participant};
  const Standing member{Affiliation::member, Role::participant};
  const Standing helper{Affiliation::none, Role::moderator};
  const Standing helping_member{Affiliation::member, Role::moderator};
  const Standing admin{Affiliation::admin, Role::moderator};
  const Standing owner{Affiliation::owner, Role::moderator};
  const Standing outside{Affiliation::owner, Role::none};
  struct Case {
    Standing actor, subject;
    Role wanted;
    std::optional<Condition> expected;
  };
  const std::vector<Case> cases{
      {visitor, speaker, Role::none, Condition::forbidden},
      {speaker, visitor, Role::none, Condition::forbidden},
      {member, visitor, Role::participant, Condition::forbidden},
      {outside, visitor, Role::participant, Condition::forbidden},
      {helper, visitor, Role::participant, std::nullopt},
      {helper, speaker, Role::visitor, std::nullopt},
      {helper, speaker, Role::none, std::nullopt},
      {helper, member, Role::none, Condition::not_allowed},
      {helping_member, member, Role::none, std::nullopt},
      {helper, speaker, Role::moderator, Condition::forbidden},
      {helper, helper, Role::participant, Condition::not_allowed},
      {helping_member, helper, Role::none, Condition::not_allowed},
      {helper, admin, Role::none, Condition::not_allowed},
      {admin, speaker, Role::moderator, std::nullopt},
      {admin, helper, Role::participant, std::nullopt},
      {admin, helper, Role::none, std::nullopt},
      {admin, admin, Role::participant, Condition::not_allowed},
      {admin, owner, Role::none, Condition::not_allowed},
      {owner, admin, Role::visitor, Condition::not_allowed},
      {owner, admin, Role::none, std::nullopt},
  };
  for (std::size_t i = 0; i < cases.size(); ++i)
    EXPECT_EQ(refusal(cases[i].actor, cases[i].subject, cases[i].wanted), cases[i].expected) << "case " << i;
}

// §5.2.2, §9, §10
TEST(RoomWords, affiliations_are_given_by_those_who_may) {
  using enum Affiliation;
  struct Case {
    Affiliation actor, has, wanted;
    std::optional<Condition> expected;
  };
  const std::vector<Case> cases{
      {none, none, member, Condition::forbidden},
      {member, none, outcast, Condition::forbidden},
      {outcast, none, member, Condition::forbidden},
      {admin, none, member, std::nullopt},
      {admin, none, outcast, std::nullopt},
      {admin, member, none, std::nullopt},
      {admin, outcast, none, std::nullopt},
      {admin, none, admin, Condition::forbidden},
      {admin, none, owner, Condition::forbidden},
      {admin, admin, outcast, Condition::not_allowed},
      {admin, owner, outcast, Condition::not_allowed},
      {admin, owner, member, Condition::not_allowed},
      {owner, admin, none, std::nullopt},
      {owner, none, owner, std::nullopt},
      {owner, owner, outcast, std::nullopt},
  };
  for (std::size_t i = 0; i < cases.size(); ++i)
    EXPECT_EQ(refusal(cases[i].actor, cases[i].has, cases[i].wanted), cases[i].expected) << "case " << i;
}

TEST(RoomNicks, look_alikes_have_the_same_key) {
  EXPECT_EQ(muc::nick_key("First Witch"), muc::nick_key("first witch"));
  EXPECT_EQ(muc::nick_key("ﬁrst"), muc::nick_key("first"));
  EXPECT_NE(muc::nick_key("first"), muc::nick_key("second"));
  EXPECT_NE(muc::nick_key("a b"), muc::nick_key("ab"));
  EXPECT_EQ(muc::nick_key("@ Hag"), muc::nick_key("@ hag"));
  EXPECT_EQ(muc::nick_key(" first  witch "), muc::nick_key("first witch"));
  EXPECT_EQ(muc::nick_key("O'Brien <X>"), muc::nick_key("o'brien <x>"));
  EXPECT_NE(muc::nick_key("a/b"), muc::nick_key("ab"));
  EXPECT_EQ(muc::nick_key("  "), "");
  // Letters of other scripts, and what shows nothing.
  EXPECT_EQ(muc::nick_key("\u0420\u043Em\u0435\u043E"), muc::nick_key("Pomeo"));
  EXPECT_EQ(muc::nick_key("R\u043Emeo"), muc::nick_key("Romeo"));
  EXPECT_EQ(muc::nick_key("Romeo\u2800"), muc::nick_key("Romeo"));
  EXPECT_EQ(muc::nick_key("\u2800"), "");
  EXPECT_NE(muc::nick_key("guest1"), muc::nick_key("guestl"));
}

// --- the configuration
// -----------------------------------------------------------------------------------------------------------

TEST(RoomConfig, what_is_stored_comes_back) {
  muc::RoomConfig config{.name = "A <Dark> Cave",
                         .description = "two\nlines",
                         .language = "en",
                         .persistent = true,
                         .listed = true,
                         .members_only = true,
                         .moderated = true,
                         .password = "cauldronburn",
                         .whois = muc::Whois::anyone,
                         .change_subject = true,
                         .allow_invites = true,
                         .allow_pm = muc::AllowPm::moderators,
                         .history = 7,
                         .archived = false};
  const auto back = muc::config_from_stored(muc::stored_text(config, "key"));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->config, config);
  EXPECT_EQ(back->key, "key");
  EXPECT_FALSE(muc::config_from_stored("<x"));
  EXPECT_FALSE(muc::config_from_stored("<x xmlns='jabber:x:data' type='submit'/>"));
}

TEST(RoomConfig, values_that_are_none_are_not_acceptable) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"muc#roomconfig_membersonly", "yes"}, {"muc#roomconfig_whois", "nobody"},
      {"muc#roomconfig_allowpm", "1"},       {"muc#roomconfig_passwordprotectedroom", "1"},
      {"muc#maxhistoryfetch", "-1"},         {"muc#roomconfig_roomname", std::string(1025, 'x')}};
  for (const auto& [var, value] : wrong) {
    xmpp::DataForm form{.type = "submit", .title = {}, .instructions = {}, .fields = {}};
    form.fields.push_back({.var = var, .values = {value}});
    const auto applied = muc::apply({}, form);
    ASSERT_FALSE(applied) << var;
    EXPECT_EQ(applied.error().condition, Condition::not_acceptable) << var;
  }
}

// --- rooms
// -----------------------------------------------------------------------------------------------------------------------

TEST_F(RoomsTest, whoever_enters_hears_of_the_others_then_of_himself_then_the_subject) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  const auto got = scene.got(hag);
  ASSERT_THAT(got, SizeIs(3));
  EXPECT_THAT(got[0], AllOf(HasSubstr("from='coven@rooms.capulet.lit/firstwitch'"), Not(HasSubstr("jid='crone1"))));
  EXPECT_THAT(got[1], AllOf(HasSubstr("from='coven@rooms.capulet.lit/thirdwitch'"), code(110)));
  EXPECT_THAT(got[2], HasSubstr("<subject/>"));
  EXPECT_THAT(scene.got(crone),
              ElementsAre(AllOf(HasSubstr("/thirdwitch'"), HasSubstr("jid='hag66@capulet.lit/pda'"))));
}

TEST_F(RoomsTest, a_nick_is_nobody_else_s_but_all_of_one_s_own_clients_may_have_it) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "FirstWitch");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("conflict")));
  Session& laptop = enters("crone1@capulet.lit/laptop", "firstwitch");
  EXPECT_THAT(scene.got(laptop), Contains(code(110)));
  scene.forget_all();
  speaks(laptop, "hail");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("hail")));
  EXPECT_THAT(scene.got(laptop), ElementsAre(HasSubstr("hail")));
  // One of them leaves; the occupant stays.
  enter(hag, "thirdwitch");
  scene.forget_all();
  scene.ends(laptop);
  EXPECT_THAT(scene.got(hag), IsEmpty());
  scene.ends(crone);
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("type='unavailable'")));
}

TEST_F(RoomsTest, an_outsider_is_refused) {
  owner();
  Session& hag = scene.bind("hag66@capulet.lit/pda");
  speaks(hag, "let me in");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("not-acceptable")));
  scene.says(hag, "<message to='coven@rooms.capulet.lit/firstwitch' type='chat'><body>psst</body></message>");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("not-acceptable")));
  admin(hag, "<item affiliation='owner' jid='hag66@capulet.lit'/>");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("forbidden")));
  admin(hag, "<item nick='firstwitch' role='none'/>");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("forbidden")));
  configure(hag, {});
  EXPECT_THAT(scene.got(hag), ElementsAre(error("forbidden")));
  scene.says(hag, "<iq type='get' id='p' to='coven@rooms.capulet.lit/hag'><ping xmlns='urn:xmpp:ping'/></iq>");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("not-acceptable")));
  // §7.2.2: a client that believes that it is there is told that it isn't.
  scene.says(hag, "<presence to='coven@rooms.capulet.lit/hag'/>");
  EXPECT_THAT(scene.got(hag), ElementsAre(AllOf(code(110), code(307), code(333))));
}

TEST_F(RoomsTest, the_door_has_its_locks) {
  Session& crone = owner({{"muc#roomconfig_membersonly", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("registration-required")));
  admin(crone, "<item affiliation='member' jid='hag66@capulet.lit'/>");
  enter(hag, "thirdwitch");
  EXPECT_THAT(scene.got(hag), Contains(AllOf(code(110), HasSubstr("affiliation='member'"))));
  configure(crone, {{"muc#roomconfig_membersonly", "0"}, {"muc#roomconfig_roomsecret", "cauldronburn"}});
  Session& wiccarocks = enters("wiccarocks@capulet.lit/laptop", "secondwitch");
  EXPECT_THAT(scene.got(wiccarocks), ElementsAre(error("not-authorized")));
  enter(wiccarocks, "secondwitch", "<password>wrong</password>");
  EXPECT_THAT(scene.got(wiccarocks), ElementsAre(error("not-authorized")));
  enter(wiccarocks, "secondwitch", "<password>cauldronburn</password>");
  EXPECT_THAT(scene.got(wiccarocks), Contains(code(110)));
  admin(crone, "<item affiliation='outcast' nick='secondwitch'><reason>Treason</reason></item>");
  EXPECT_THAT(scene.got(wiccarocks),
              ElementsAre(AllOf(code(301), code(110), HasSubstr("affiliation='outcast'"), HasSubstr("Treason"))));
  enter(wiccarocks, "secondwitch", "<password>cauldronburn</password>");
  EXPECT_THAT(scene.got(wiccarocks), ElementsAre(error("forbidden")));
}

TEST_F(RoomsTest, a_room_that_becomes_members_only_shows_the_others_out) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  configure(crone, {{"muc#roomconfig_membersonly", "1"}});
  EXPECT_THAT(scene.got(hag), ElementsAre(code(104), AllOf(code(322), code(110))));
  EXPECT_THAT(scene.got(crone), ElementsAre(code(104), code(322), HasSubstr("type='result'")));
}

TEST_F(RoomsTest, in_a_moderated_room_voice_is_asked_for_and_given) {
  Session& crone = owner({{"muc#roomconfig_moderatedroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  speaks(hag, "hail");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("forbidden")));
  const std::string form =
      "<message to='coven@rooms.capulet.lit'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
      "<value>http://jabber.org/protocol/muc#request</value></field>";
  scene.says(hag, form + "<field var='muc#role'><value>participant</value></field></x></message>");
  EXPECT_THAT(scene.got(crone), ElementsAre(AllOf(HasSubstr("thirdwitch"), HasSubstr("hag66@capulet.lit/pda"))));
  // He can't give it to himself.
  const std::string grant = form +
                            "<field var='muc#roomnick'><value>thirdwitch</value></field><field "
                            "var='muc#request_allow'><value>1</value></field></x></message>";
  scene.says(hag, grant);
  scene.got(crone);
  speaks(hag, "hail");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("forbidden")));
  scene.says(crone, grant);
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("role='participant'")));
  speaks(hag, "hail");
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("hail")));
}

TEST_F(RoomsTest, a_room_is_never_without_owner) {
  Session& crone = owner();
  admin(crone, "<item affiliation='admin' jid='crone1@capulet.lit'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("conflict")));
  admin(crone, "<item affiliation='owner' jid='hag66@capulet.lit'/>");
  admin(crone, "<item affiliation='none' jid='crone1@capulet.lit'/><item affiliation='none' jid='hag66@capulet.lit'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("type='result'"), error("conflict")));
  admin(crone, "<item affiliation='admin' jid='crone1@capulet.lit'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("affiliation='admin'"), HasSubstr("type='result'")));
}

TEST_F(RoomsTest, a_room_is_handed_over_in_one_request) {
  Session& crone = owner();
  admin(crone,
        "<item affiliation='owner' jid='hag66@capulet.lit'/><item affiliation='none' jid='hag66@capulet.lit'/>"
        "<item affiliation='none' jid='crone1@capulet.lit'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("conflict")));
  admin(crone,
        "<item affiliation='none' jid='crone1@capulet.lit'/><item affiliation='owner' jid='hag66@capulet.lit'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("affiliation='none'"), HasSubstr("type='result'")));
}

// XEP-0045 §5.1.1
TEST_F(RoomsTest, visitors_may_invite) {
  owner({{"muc#roomconfig_moderatedroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  Session& guest = scene.comes("wiccarocks@capulet.lit/laptop");
  scene.forget_all();
  scene.says(hag,
             "<message to='coven@rooms.capulet.lit'><x xmlns='http://jabber.org/protocol/muc#user'><invite "
             "to='wiccarocks@capulet.lit'/></x></message>");
  EXPECT_THAT(scene.got(guest), ElementsAre(HasSubstr("<invite from='hag66@capulet.lit'")));
}

TEST_F(RoomsTest, private_messages_and_iqs_find_their_way_without_addresses) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  scene.says(hag, "<message to='coven@rooms.capulet.lit/firstwitch' type='chat' id='m'><body>psst</body></message>");
  EXPECT_THAT(
      scene.got(crone),
      ElementsAre(AllOf(HasSubstr("from='coven@rooms.capulet.lit/thirdwitch'"), HasSubstr("psst"),
                        HasSubstr("<x xmlns='http://jabber.org/protocol/muc#user'/>"), Not(HasSubstr("hag66")))));
  scene.says(hag, "<message to='coven@rooms.capulet.lit/nobody' type='chat'><body>psst</body></message>");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("item-not-found")));
  scene.says(hag,
             "<iq type='get' id='v' to='coven@rooms.capulet.lit/firstwitch'><query "
             "xmlns='jabber:iq:version'/></iq>");
  const auto asked = scene.got(crone);
  ASSERT_THAT(asked,
              ElementsAre(AllOf(HasSubstr("from='coven@rooms.capulet.lit/thirdwitch'"), Not(HasSubstr("id='v'")))));
  const std::string id = asked[0].substr(asked[0].find("id='") + 4, 22);
  // Somebody else answers: it is not taken.
  Session& wiccarocks = enters("wiccarocks@capulet.lit/laptop", "secondwitch");
  scene.forget_all();
  const std::string answer = "<iq type='result' id='" + id +
                             "' to='coven@rooms.capulet.lit/thirdwitch'><query xmlns='jabber:iq:version'/></iq>";
  scene.says(wiccarocks, answer);
  EXPECT_THAT(scene.got(hag), IsEmpty());
  scene.says(crone, answer);
  EXPECT_THAT(scene.got(hag), ElementsAre(AllOf(HasSubstr("from='coven@rooms.capulet.lit/firstwitch'"),
                                                HasSubstr("id='v'"), Not(HasSubstr("crone1")))));
}

TEST_F(RoomsTest, invitations_make_members_and_can_be_declined_once) {
  Session& crone = owner({{"muc#roomconfig_membersonly", "1"}});
  Session& hecate = scene.comes("hecate@capulet.lit/broom");
  const std::string invitation =
      "<message to='coven@rooms.capulet.lit'><x xmlns='http://jabber.org/protocol/muc#user'><invite "
      "to='hecate@capulet.lit'><reason>Come</reason></invite></x></message>";
  scene.says(crone, invitation);
  EXPECT_THAT(scene.got(hecate), ElementsAre(AllOf(HasSubstr("from='coven@rooms.capulet.lit'"), HasSubstr("Come"),
                                                   HasSubstr("<invite from='crone1@capulet.lit'>"))));
  const std::string decline =
      "<message to='coven@rooms.capulet.lit'><x xmlns='http://jabber.org/protocol/muc#user'><decline "
      "to='crone1@capulet.lit/desktop'><reason>Busy</reason></decline></x></message>";
  scene.says(hecate, decline);
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("<decline from='hecate@capulet.lit'>")));
  scene.says(hecate, decline);
  EXPECT_THAT(scene.got(crone), IsEmpty());
  EXPECT_THAT(scene.got(hecate), ElementsAre(error("item-not-found")));
  enter(hecate, "hecate");
  EXPECT_THAT(scene.got(hecate), Contains(code(110)));
  // Members may not invite unless the room says so.
  scene.says(hecate, invitation);
  EXPECT_THAT(scene.got(hecate), ElementsAre(error("forbidden")));
}

TEST_F(RoomsTest, a_destroyed_room_says_where_to_go_and_leaves_nothing) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  speaks(crone, "hail");
  scene.forget_all();
  EXPECT_THAT(scene.stage.rooms.rooms, SizeIs(1));
  scene.says(crone,
             "<iq type='set' id='d' to='coven@rooms.capulet.lit'><query "
             "xmlns='http://jabber.org/protocol/muc#owner'><destroy jid='new@rooms.capulet.lit'>"
             "<reason>Macbeth</reason></destroy></query></iq>");
  EXPECT_THAT(scene.got(hag), ElementsAre(AllOf(HasSubstr("type='unavailable'"), HasSubstr("Macbeth"),
                                                HasSubstr("<destroy jid='new@rooms.capulet.lit'>"))));
  EXPECT_THAT(scene.got(crone), Contains(HasSubstr("type='result'")));
  EXPECT_THAT(scene.stage.rooms.rooms, IsEmpty());
  EXPECT_THAT(scene.stage.archive.messages, IsEmpty());
}

TEST_F(RoomsTest, who_can_t_be_reached_is_not_there) {
  owner();
  scene.arrives(
      "<presence from='hecate@montague.lit/x' to='coven@rooms.capulet.lit/hecate'><x "
      "xmlns='http://jabber.org/protocol/muc'/></presence>");
  EXPECT_THAT(scene.outside, SizeIs(3));
  scene.forget_all();
  scene.arrives(
      "<message type='error' from='hecate@montague.lit/x' to='coven@rooms.capulet.lit'><error "
      "type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
  EXPECT_THAT(scene.got("crone1@capulet.lit/desktop"), ElementsAre(AllOf(code(307), code(333))));
}

TEST_F(RoomsTest, strangers_make_no_rooms) {
  scene.arrives(
      "<presence from='hecate@montague.lit/x' to='other@rooms.capulet.lit/hecate'><x "
      "xmlns='http://jabber.org/protocol/muc'/></presence>");
  EXPECT_THAT(scene.outside, ElementsAre(error("not-allowed")));
}

TEST_F(RoomsTest, limits_are_kept) {
  scene.stage.limits.room_occupants = 2;
  scene.stage.limits.room_nick_bytes = 12;
  scene.stage.limits.room_subject_bytes = 5;
  scene.stage.limits.room_people = 2;
  scene.stage.limits.room_messages = {.per_second = 0.001, .burst = 2};
  scene.stage.limits.room_creations = {.per_second = 0.001, .burst = 2};
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "a-nick-that-is-long");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("not-acceptable")));
  enter(hag, "thirdwitch");
  Session& hecate = enters("hecate@capulet.lit/broom", "hecate");
  EXPECT_THAT(scene.got(hecate), ElementsAre(error("service-unavailable")));
  scene.forget_all();
  scene.says(crone, "<message type='groupchat' to='coven@rooms.capulet.lit'><subject>longer</subject></message>");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("not-acceptable")));
  speaks(crone, "one");
  scene.forget_all();
  speaks(crone, "two");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("resource-constraint")));
  admin(crone, "<item affiliation='member' jid='a@b.lit'/><item affiliation='member' jid='c@b.lit'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("resource-constraint")));
  const auto make = [&](const char* name) {
    scene.says(crone, "<presence to='" + std::string(name) +
                          "@rooms.capulet.lit/x'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    return scene.got(crone);
  };
  EXPECT_THAT(make("second"), Contains(code(201)));
  EXPECT_THAT(make("third"), ElementsAre(error("resource-constraint")));
  for (const char* name :
       {"room_nick_bytes", "room_occupants", "room_subject_bytes", "room_messages", "room_people", "room_creations"})
    EXPECT_THAT(scene.stage.log, HasSubstr(name));
}

TEST_F(RoomsTest, what_the_disk_refuses_is_said_without_an_id) {
  Session& crone = owner();
  scene.stage.disk.failing_writes = true;
  speaks(crone, "hail");
  EXPECT_THAT(scene.got(crone), ElementsAre(AllOf(HasSubstr("hail"), Not(HasSubstr("stanza-id")))));
  admin(crone, "<item affiliation='member' jid='hag66@capulet.lit'/>");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("internal-server-error")));
}

TEST_F(RoomsTest, a_room_that_cannot_be_read_is_not_made_anew) {
  scene.stage.disk.failing_reads = true;
  Session& crone = enters("crone1@capulet.lit/desktop", "firstwitch");
  EXPECT_THAT(scene.got(crone), ElementsAre(error("internal-server-error")));
}

}  // namespace
}  // namespace kith::modules
