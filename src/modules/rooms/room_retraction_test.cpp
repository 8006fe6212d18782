#include <string>
#include <vector>

#include "modules/rooms/testing_rooms.h"

namespace kith::modules {
namespace {

using namespace muc::testing;

class RoomRetraction : public RoomsTest {
 protected:
  RoomRetraction() { scene.stage.limits.room_messages = {.per_second = 1000, .burst = 10'000}; }
  static std::string between(const std::string& text, const std::string& start, const std::string& end) {
    const std::size_t from = text.find(start);
    if (from == std::string::npos) return "";
    return text.substr(from + start.size(), text.find(end, from + start.size()) - from - start.size());
  }
  /// Says it; the id that the room gave it.
  std::string says(Session& session, const std::string& children, const std::string& id) {
    scene.got(session);
    scene.says(session,
               "<message type='groupchat' to='coven@rooms.capulet.lit' id='" + id + "'>" + children + "</message>");
    const auto got = scene.got(session);
    return got.empty() ? "" : between(got.back(), "by='coven@rooms.capulet.lit' id='", "'");
  }
  void retracts(Session& session, const std::string& what) {
    says(session, "<body>/me took it back</body><retract xmlns='urn:xmpp:message-retract:1' id='" + what + "'/>",
         "retraction");
  }
  void moderates(Session& session, const std::string& what) {
    scene.got(session);
    scene.says(session,
               "<iq type='set' id='m' to='coven@rooms.capulet.lit'><moderate "
               "xmlns='urn:xmpp:message-moderate:1' id='" +
                   what + "'><retract xmlns='urn:xmpp:message-retract:1'/><reason>Foul</reason></moderate></iq>");
  }
  std::string stored(std::size_t index) const {
    auto entry = scene.stage.archive.messages.begin();
    std::advance(entry, static_cast<std::ptrdiff_t>(index));
    return entry->second.stanza;
  }
};

// XEP-0424 "Tombstones", "Business Rules"
TEST_F(RoomRetraction, what_its_author_takes_back_leaves_a_tombstone_and_no_history) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  says(crone, "<body>stays</body>", "1");
  const std::string id = says(hag, "<body>secret</body>", "2");
  says(hag, "<body>secret, too</body><replace xmlns='urn:xmpp:message-correct:0' id='2'/>", "3");
  ASSERT_THAT(scene.stage.archive.messages, SizeIs(3));
  retracts(hag, id);
  ASSERT_THAT(scene.stage.archive.messages, SizeIs(4));
  for (const std::size_t index : {std::size_t{1}, std::size_t{2}}) {
    EXPECT_THAT(stored(index), AllOf(Not(HasSubstr("secret")), HasSubstr("<retracted"), HasSubstr("id='retraction'"),
                                     HasSubstr("<occupant-id"), HasSubstr("hag66@capulet.lit/pda")));
  }
  EXPECT_THAT(stored(0), HasSubstr("stays"));
  // Whoever enters hears neither of it nor of its end.
  Session& late = enters("wiccarocks@capulet.lit/laptop", "secondwitch");
  const auto got = scene.got(late);
  EXPECT_THAT(got, Contains(HasSubstr("stays")));
  EXPECT_THAT(got, Each(Not(HasSubstr("secret"))));
  EXPECT_THAT(got, Each(Not(HasSubstr("took it back"))));
}

TEST_F(RoomRetraction, nobody_takes_back_what_another_has_said) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  const std::string id = says(crone, "<body>stays</body>", "1");
  retracts(hag, id);
  retracts(hag, "1");
  EXPECT_THAT(stored(0), HasSubstr("stays"));
  Session& late = enters("wiccarocks@capulet.lit/laptop", "secondwitch");
  EXPECT_THAT(scene.got(late), Contains(HasSubstr("stays")));
  // By one's own id it works, too: some clients know no better.
  retracts(crone, "1");
  EXPECT_THAT(stored(0), AllOf(Not(HasSubstr("stays")), HasSubstr("<retracted")));
}

// XEP-0425 §3, §4
TEST_F(RoomRetraction, a_moderator_takes_back_what_anybody_has_said) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  const std::string id = says(hag, "<body>buy potions</body>", "1");
  scene.forget_all();
  moderates(crone, id);
  const auto told = scene.got(hag);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_THAT(told[0],
              AllOf(HasSubstr("from='coven@rooms.capulet.lit' "), HasSubstr("type='groupchat'"),
                    HasSubstr("<retract xmlns='urn:xmpp:message-retract:1' id='" + id + "'><moderated "),
                    HasSubstr("by='coven@rooms.capulet.lit/firstwitch'"), HasSubstr("<reason>Foul</reason>"),
                    HasSubstr("<apply-to xmlns='urn:xmpp:fasten:0' id='" + id + "'>"), HasSubstr("<stanza-id")));
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("<retract "), HasSubstr("type='result'")));
  ASSERT_THAT(scene.stage.archive.messages, SizeIs(2));
  EXPECT_THAT(stored(0), AllOf(Not(HasSubstr("potions")), HasSubstr("<retracted"), HasSubstr("<moderated"),
                               HasSubstr("Foul"), HasSubstr("'urn:xmpp:message-moderate:0'")));
  Session& late = enters("wiccarocks@capulet.lit/laptop", "secondwitch");
  EXPECT_THAT(scene.got(late), Each(Not(HasSubstr("potions"))));
}

TEST_F(RoomRetraction, older_clients_moderate_in_their_own_words) {
  Session& crone = owner();
  const std::string id = says(crone, "<body>buy potions</body>", "1");
  scene.says(crone, "<iq type='set' id='m' to='coven@rooms.capulet.lit'><apply-to xmlns='urn:xmpp:fasten:0' id='" + id +
                        "'><moderate xmlns='urn:xmpp:message-moderate:0'><retract "
                        "xmlns='urn:xmpp:message-retract:0'/></moderate></apply-to></iq>");
  EXPECT_THAT(scene.got(crone), ElementsAre(HasSubstr("<moderated"), HasSubstr("type='result'")));
  EXPECT_THAT(stored(0), Not(HasSubstr("potions")));
}

TEST_F(RoomRetraction, only_moderators_moderate_and_only_what_there_is) {
  Session& crone = owner();
  Session& hag = enters("hag66@capulet.lit/pda", "thirdwitch");
  const std::string id = says(crone, "<body>stays</body>", "1");
  moderates(hag, id);
  EXPECT_THAT(scene.got(hag), ElementsAre(error("forbidden")));
  Session& outsider = scene.bind("tybalt@capulet.lit/x");
  moderates(outsider, id);
  EXPECT_THAT(scene.got(outsider), ElementsAre(error("forbidden")));
  scene.forget_all();
  for (const std::string& nothing : {scene.stage.archive_ids.text(1), std::string("x"), std::string()}) {
    moderates(crone, nothing);
    EXPECT_THAT(scene.got(crone), ElementsAre(error("item-not-found"))) << nothing;
  }
  EXPECT_THAT(scene.got(hag), IsEmpty());
  EXPECT_THAT(stored(0), HasSubstr("stays"));
  scene.stage.disk.failing_writes = true;
  moderates(crone, id);
  EXPECT_THAT(scene.got(crone), ElementsAre(error("internal-server-error")));
  EXPECT_THAT(scene.got(hag), IsEmpty());
}

}  // namespace
}  // namespace kith::modules
