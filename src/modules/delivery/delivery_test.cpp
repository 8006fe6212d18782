#include "modules/delivery/delivery.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/offline/offline.h"
#include "modules/presence/presence.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::Scene;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// What becomes of a message: who gets it, whether it is kept, whether its sender gets an error.
struct Fate {
  bool phone = false;
  bool desk = false;
  bool kept = false;
  bool refused = false;
  friend bool operator==(const Fate&, const Fate&) = default;
  friend void PrintTo(const Fate& fate, std::ostream* out) {
    *out << (fate.phone ? "phone " : "") << (fate.desk ? "desk " : "") << (fate.kept ? "kept " : "")
         << (fate.refused ? "refused" : "");
  }
};

constexpr Fate nothing{};
constexpr Fate phone{.phone = true};
constexpr Fate desk{.desk = true};
constexpr Fate both{.phone = true, .desk = true};
constexpr Fate kept{.kept = true};
constexpr Fate refused{.refused = true};

/// Who of the receiver's sessions is there: none, bound without presence, or with this priority.
constexpr int gone = 1000;
constexpr int silent = 1001;

struct Row {
  const char* what;
  const char* to;
  int phone_state;
  int desk_state;
  // By type: normal, chat, groupchat, headline, error.
  Fate fates[5];
};

constexpr const char* to_bare = "juliet@capulet.lit";
constexpr const char* to_phone = "juliet@capulet.lit/phone";

// RFC 6121 §8.5.2 (bare JID) and §8.5.3 (full JID), every type in every state of the receiver; the rows are those of
// Table 1 (§8.5.4) and some between them. Where it says O/E, a message is kept; M/A, it goes to all; S/E, a normal one
// and one of a group chat come back, a headline doesn't.
const Row table[] = {
    {"nobody there, bare", to_bare, gone, gone, {kept, kept, refused, nothing, nothing}},
    {"nobody there, full", to_phone, gone, gone, {refused, kept, refused, nothing, nothing}},
    {"bound without presence, bare", to_bare, silent, gone, {kept, kept, refused, nothing, nothing}},
    {"bound without presence, full", to_phone, silent, gone, {phone, phone, phone, phone, phone}},
    {"negative only, bare", to_bare, -1, gone, {kept, kept, refused, nothing, nothing}},
    {"negative only, full", to_phone, -1, gone, {phone, phone, phone, phone, phone}},
    {"zero, bare", to_bare, 0, gone, {phone, phone, refused, phone, nothing}},
    {"positive, bare", to_bare, 5, gone, {phone, phone, refused, phone, nothing}},
    {"positive, full", to_phone, 5, gone, {phone, phone, phone, phone, phone}},
    {"two, bare", to_bare, 0, 5, {both, both, refused, both, nothing}},
    {"two, full", to_phone, 0, 5, {phone, phone, phone, phone, phone}},
    {"one of two negative, bare", to_bare, -1, 5, {desk, desk, refused, desk, nothing}},
    {"one of two negative, full", to_phone, -1, 5, {phone, phone, phone, phone, phone}},
    {"one of two silent, bare", to_bare, silent, 5, {desk, desk, refused, desk, nothing}},
    {"both negative, bare", to_bare, -1, -5, {kept, kept, refused, nothing, nothing}},
    {"no match, other there", to_phone, gone, 0, {refused, desk, refused, nothing, nothing}},
    {"no match, other negative", to_phone, gone, -1, {refused, kept, refused, nothing, nothing}},
    {"no match, other silent", to_phone, gone, silent, {refused, kept, refused, nothing, nothing}},
};
constexpr const char* types[] = {"normal", "chat", "groupchat", "headline", "error"};

void furnish(Scene& scene) {
  scene.stage.use<PresenceFeature>();
  scene.stage.use<OfflineFeature>();
  scene.stage.use<DeliveryFeature>();
  scene.stage.account("juliet@capulet.lit");
}

void enter(Scene& scene, const char* full, int state) {
  if (state == gone) return;
  Session& session = scene.bind(full);
  // Long enough for everybody to have made up his mind about presence.
  scene.stage.clock.advance(OfflineFeature::settling_time);
  if (state != silent) scene.says(session, "<presence><priority>" + std::to_string(state) + "</priority></presence>");
}

class Delivering : public ::testing::Test {
 protected:
  Delivering() { furnish(scene); }
  Scene scene;
};

TEST(DeliveryTable, every_type_in_every_state_of_the_receiver) {
  for (const Row& row : table) {
    for (int type = 0; type < 5; ++type) {
      SCOPED_TRACE(std::string(row.what) + ", " + types[type]);
      Scene scene;
      furnish(scene);
      enter(scene, "juliet@capulet.lit/phone", row.phone_state);
      enter(scene, "juliet@capulet.lit/desk", row.desk_state);
      scene.forget_all();

      const std::string error = std::string(types[type]) == "error"
                                    ? "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                                    : "";
      scene.arrives("<message from='romeo@montague.lit/orchard' to='" + std::string(row.to) + "' type='" + types[type] +
                    "' id='m'><body>hark</body>" + error + "</message>");

      Fate fate;
      if (row.phone_state != gone) fate.phone = !scene.got("juliet@capulet.lit/phone").empty();
      if (row.desk_state != gone) fate.desk = !scene.got("juliet@capulet.lit/desk").empty();
      fate.kept = !scene.stage.offline.messages[module::testing::bare("juliet@capulet.lit")].empty();
      fate.refused = !scene.outside.empty();
      EXPECT_EQ(fate, row.fates[type]);
      if (fate.refused) {
        EXPECT_THAT(scene.outside, ElementsAre(HasSubstr("service-unavailable")));
      }
    }
  }
}

TEST_F(Delivering, leaves_the_address_as_it_was_sent) {
  Session& session = scene.comes("juliet@capulet.lit/phone");
  scene.arrives("<message from='romeo@montague.lit/orchard' to='juliet@capulet.lit'><body>hark</body></message>");
  EXPECT_THAT(scene.got(session), ElementsAre(HasSubstr("to='juliet@capulet.lit'")));
}

TEST_F(Delivering, a_message_without_to_goes_to_the_sender_s_own_sessions) {
  Session& session = scene.comes("juliet@capulet.lit/phone");
  scene.says(session, "<message><body>note to self</body></message>");
  EXPECT_THAT(scene.got(session), ElementsAre(HasSubstr("note to self")));
}

TEST_F(Delivering, without_a_place_to_keep_messages_the_sender_hears_of_it) {
  Scene bare_scene;
  bare_scene.stage.use<DeliveryFeature>();
  bare_scene.stage.account("juliet@capulet.lit");
  bare_scene.arrives(
      "<message from='romeo@montague.lit/orchard' to='juliet@capulet.lit' type='chat'><body>hark</body></message>");
  EXPECT_THAT(bare_scene.outside, ElementsAre(HasSubstr("service-unavailable")));
}

TEST_F(Delivering, what_waits_for_a_write_that_fails_reaches_nobody) {
  Session& session = scene.comes("juliet@capulet.lit/phone");
  scene.stage.disk.failing_writes = true;
  const storage::Ticket lost = scene.stage.disk.write([] {});
  scene.stage.disk.failing_writes = false;
  scene.stage.delivery.route(
      module::testing::stanza("<message from='romeo@montague.lit' to='juliet@capulet.lit'><body>hark</body></message>"),
      lost, {});
  scene.settle();
  EXPECT_THAT(scene.got(session), IsEmpty());
}

}  // namespace
}  // namespace kith::modules
