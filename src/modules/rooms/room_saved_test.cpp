#include <string>

#include "modules/rooms/testing_rooms.h"

namespace kith::modules {
namespace {

using module::RoomAdministration;
using namespace muc::testing;

class RoomSaved : public RoomsTest {
 protected:
  /// The server stops, and another begins with what was written down: a second feature on the same stage that has no
  /// room in memory.
  void restart() {
    module::ServerStops event;
    scene.stage.hooks.run(event);
    scene.settle();
    scene.stage.clock.advance(std::chrono::minutes(1));
    rooms->forget_all();
  }
  void pings(Session& session, const std::string& nick) {
    scene.got(session);
    scene.says(session,
               "<iq type='get' id='p' to='coven@rooms.capulet.lit/" + nick + "'><ping xmlns='urn:xmpp:ping'/></iq>");
  }
};

TEST_F(RoomSaved, who_resumes_after_a_restart_is_still_there) {
  Session& crone = owner({{"muc#roomconfig_moderatedroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  Session& laptop = enters("hag66@capulet.lit/laptop", "thirdwitch");
  admin(crone, "<item nick='thirdwitch' role='participant'/>");
  scene.forget_all();
  restart();
  scene.forget_all();
  speaks(hag, "hail");
  for (Session* session : {&crone, &hag, &laptop}) EXPECT_THAT(scene.got(*session), ElementsAre(HasSubstr("hail")));
  pings(hag, "thirdwitch");
  EXPECT_THAT(scene.got(hag), ElementsAre(HasSubstr("type='result'")));
  Session& late = enters("wiccarocks@capulet.lit/laptop", "secondwitch");
  EXPECT_THAT(scene.got(late), AllOf(Contains(HasSubstr("/firstwitch'")), Contains(HasSubstr("/thirdwitch'"))));
  // It holds for one start: what came after is not undone by an older list.
  scene.ends(laptop);
  scene.ends(hag);
  rooms->forget_all();
  speaks(crone, "alone");
  EXPECT_THAT(scene.got(crone), Contains(error("not-acceptable")));
}

TEST_F(RoomSaved, a_self_ping_is_answered_by_the_room_or_says_that_one_is_out) {
  Session& crone = owner();
  pings(crone, "firstwitch");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("type='result'")));
  Session& hag = scene.bind("hag66@capulet.lit/pda");
  pings(hag, "thirdwitch");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("not-acceptable")));
  // XEP-0410 §3.2: "item-not-found" would mean that one is there.
  scene.says(hag, "<iq type='get' id='p' to='nowhere@rooms.capulet.lit/x'><ping xmlns='urn:xmpp:ping'/></iq>");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("not-acceptable")));
}

TEST_F(RoomSaved, a_failed_write_leaves_nothing_in_memory_that_is_not_on_disk) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  scene.stage.disk.failing_writes = true;
  scene.stage.disk.failing_reads = true;
  admin(crone, "<item affiliation='admin' jid='hag66@capulet.lit'/>");
  EXPECT_THAT(scene.got(crone), Contains(error("internal-server-error")));
  configure(crone, {{"muc#roomconfig_membersonly", "1"}});
  speaks(crone, "unheard of");
  scene.says(crone, "<message type='groupchat' to='coven@rooms.capulet.lit'><subject>toads</subject></message>");
  scene.stage.disk.failing_writes = false;
  scene.stage.disk.failing_reads = false;
  scene.stage.clock.advance(Rooms::sweep_every + std::chrono::seconds(1));
  scene.stage.timers.advance(scene.stage.clock.now());
  scene.settle();
  EXPECT_THAT(scene.got(hag), Contains(AllOf(HasSubstr("/thirdwitch'"), HasSubstr("affiliation='none'"))));
  scene.got(crone);
  admin(hag, "<item affiliation='member' jid='wiccarocks@capulet.lit'/>");
  EXPECT_THAT(scene.got(hag), ElementsAre(error("forbidden")));
  Session& late = enters("wiccarocks@capulet.lit/laptop", "secondwitch");
  const auto got = scene.got(late);
  EXPECT_THAT(got, Contains(code(110)));
  EXPECT_THAT(got, Each(Not(HasSubstr("toads"))));
  EXPECT_THAT(got, Each(Not(HasSubstr("unheard of"))));
}

TEST_F(RoomSaved, a_damaged_list_of_occupants_is_told_and_left_alone) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}});
  scene.ends(crone);
  rooms->forget_all();
  scene.stage.documents.put(module::testing::bare("coven@rooms.capulet.lit"), std::string(Rooms::occupants_kind), "",
                            "<occupants");
  Session& back = enters("crone1@capulet.lit/desktop", "firstwitch");
  EXPECT_THAT(scene.got(back), Contains(code(110)));
  EXPECT_THAT(scene.stage.log, HasSubstr("room_occupants_unreadable"));
}

// SECURITY: the name may have another owner tomorrow.
TEST_F(RoomSaved, who_takes_the_name_of_a_removed_account_is_nobody_in_loaded_rooms) {
  Session& crone = owner();
  enters("hag66@capulet.lit/pda", "thirdwitch");
  admin(crone, "<item affiliation='admin' jid='hag66@capulet.lit'/>");
  const xmpp::BareJid gone = module::testing::bare("hag66@capulet.lit");
  module::AccountGone event{gone};
  scene.stage.hooks.run(event);
  scene.settle();
  scene.got(crone);
  admin(crone, "<item affiliation='admin'/>", "get");
  EXPECT_THAT(scene.got(crone), ElementsAre(Not(HasSubstr("hag66"))));
}

// --- what an administrator may
// -------------------------------------------------------------------------------------------------------

class RoomAdmin : public RoomsTest {
 protected:
  std::string asks(RoomAdministration::Wish wish, const std::string& object = "", const std::string& value = "",
                   const std::string& room = "coven@rooms.capulet.lit") {
    auto text = std::make_shared<std::string>("unanswered");
    std::move_only_function<void(std::expected<RoomAdministration::Lines, xmpp::StanzaError>)> answer =
        [text](std::expected<RoomAdministration::Lines, xmpp::StanzaError> lines) {
          text->clear();
          if (!lines) *text = "error " + std::string(xmpp::wire_word(lines.error().condition));
          if (lines) {
            for (const auto& line : *lines) *text += line.first + "=" + line.second + "\n";
          }
        };
    RoomAdministration event{
        .room = module::testing::bare(room), .wish = wish, .object = object, .value = value, .answer = answer};
    const auto outcome = scene.stage.hooks.run(event);
    if (!std::holds_alternative<module::Done>(outcome)) return "nobody's";
    scene.settle();
    return *text;
  }
};

TEST_F(RoomAdmin, sees_and_changes_a_room) {
  using enum RoomAdministration::Wish;
  Session& crone = owner({{"muc#roomconfig_roomsecret", "cauldronburn"}});
  EXPECT_THAT(asks(show),
              AllOf(HasSubstr("owner=crone1@capulet.lit\n"), HasSubstr("membersonly=0\n"),
                    HasSubstr("occupant=firstwitch (crone1@capulet.lit/desktop)\n"), Not(HasSubstr("cauldronburn"))));
  EXPECT_EQ(asks(affiliate, "hag66@capulet.lit", "member"), "");
  EXPECT_THAT(asks(show), HasSubstr("member=hag66@capulet.lit\n"));
  scene.got(crone);
  EXPECT_EQ(asks(configure, "membersonly", "1"), "");
  EXPECT_THAT(scene.got(crone), ElementsAre(code(104)));
  EXPECT_THAT(asks(show), HasSubstr("membersonly=1\n"));
  EXPECT_EQ(asks(destroy), "");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("<destroy")));
  EXPECT_EQ(asks(show), "error item-not-found");
}

TEST_F(RoomAdmin, is_refused_what_makes_no_sense) {
  using enum RoomAdministration::Wish;
  owner({{"muc#roomconfig_persistentroom", "1"}});
  EXPECT_EQ(asks(affiliate, "crone1@capulet.lit", "none"), "error conflict");
  EXPECT_EQ(asks(affiliate, "crone1@capulet.lit", "king"), "error bad-request");
  EXPECT_EQ(asks(affiliate, "@", "member"), "error jid-malformed");
  EXPECT_EQ(asks(configure, "membersonly", "perhaps"), "error not-acceptable");
  EXPECT_EQ(asks(configure, "whatever", "1"), "error bad-request");
  EXPECT_EQ(asks(show, "", "", "nowhere@rooms.capulet.lit"), "error item-not-found");
  EXPECT_EQ(asks(show, "", "", "crone1@capulet.lit"), "nobody's");
  scene.stage.disk.failing_writes = true;
  EXPECT_EQ(asks(affiliate, "hag66@capulet.lit", "member"), "error internal-server-error");
  scene.stage.disk.failing_reads = true;
  rooms->forget_all();
  EXPECT_EQ(asks(show), "error internal-server-error");
}

}  // namespace
}  // namespace kith::modules
