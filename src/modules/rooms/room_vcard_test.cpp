#include <string>

#include "modules/rooms/testing_rooms.h"

namespace kith::modules {
namespace {

using namespace muc::testing;

class RoomAvatar : public RoomsTest {
 protected:
  std::vector<std::string> card(Session& session, const char* type, const std::string& inside = "") {
    scene.got(session);
    scene.says(session, "<iq type='" + std::string(type) +
                            "' id='v' to='coven@rooms.capulet.lit'><vCard xmlns='vcard-temp'>" + inside +
                            "</vCard></iq>");
    return scene.got(session);
  }
  std::string info(Session& session) {
    scene.got(session);
    scene.says(session,
               "<iq type='get' id='i' to='coven@rooms.capulet.lit'><query "
               "xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    return scene.got(session).back();
  }
  // The SHA-1 of "hello".
  const std::string photo = "<PHOTO><TYPE>image/png</TYPE><BINVAL>aGVs\nbG8=</BINVAL></PHOTO>";
  const std::string hash = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
};

// XEP-0486 §3
TEST_F(RoomAvatar, is_set_by_an_owner_and_found_by_everybody) {
  Session& crone = owner({{"muc#roomconfig_persistentroom", "1"}});
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  scene.forget_all();
  EXPECT_THAT(info(hag), AllOf(HasSubstr("'vcard-temp'"), Not(HasSubstr("avatarhash"))));
  EXPECT_THAT(card(hag, "get"), ElementsAre(HasSubstr("<vCard xmlns='vcard-temp'/>")));
  EXPECT_THAT(card(hag, "set", photo), ElementsAre(error("forbidden")));
  EXPECT_THAT(card(crone, "set", photo), ElementsAre(code(104), HasSubstr("type='result'")));
  EXPECT_THAT(scene.got(hag), ElementsAre(code(104)));
  EXPECT_THAT(card(hag, "get"), ElementsAre(HasSubstr("aGVs")));
  EXPECT_THAT(info(hag), AllOf(HasSubstr("muc#roominfo_avatarhash"), HasSubstr(hash)));
  rooms->forget_all();
  EXPECT_THAT(info(hag), HasSubstr(hash));
  enter(crone, "firstwitch");
  EXPECT_THAT(card(crone, "set"), Contains(HasSubstr("type='result'")));
  EXPECT_THAT(info(hag), Not(HasSubstr("avatarhash")));
}

TEST_F(RoomAvatar, has_its_limits) {
  Session& crone = owner();
  scene.stage.limits.vcard_bytes = 20;
  EXPECT_THAT(card(crone, "set", photo), ElementsAre(error("not-acceptable")));
  scene.stage.limits.vcard_bytes = 1000;
  scene.stage.disk.failing_writes = true;
  EXPECT_THAT(card(crone, "set", photo), ElementsAre(error("internal-server-error")));
  EXPECT_THAT(info(crone), Not(HasSubstr("avatarhash")));
  scene.stage.disk.failing_reads = true;
  EXPECT_THAT(card(crone, "get"), ElementsAre(error("internal-server-error")));
}

TEST_F(RoomAvatar, waits_until_the_room_is_configured) {
  Session& crone = enters("crone1@capulet.lit/desktop", "firstwitch");
  EXPECT_THAT(card(crone, "set", photo), ElementsAre(error("not-allowed")));
}

}  // namespace
}  // namespace kith::modules
