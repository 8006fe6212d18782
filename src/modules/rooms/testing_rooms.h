// A room on the stage, and what its people say. Not part of the program.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/delivery/delivery.h"
#include "modules/presence/presence.h"
#include "modules/rooms/rooms.h"

namespace kith::modules::muc::testing {

// What the tests of this room say: `using namespace muc::testing` is all that they need.
using module::Session;
using module::testing::Scene;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;

class RoomsTest : public ::testing::Test {
 protected:
  RoomsTest() {
    scene.stage.use<PresenceFeature>();
    scene.stage.use<DeliveryFeature>();
    rooms = &scene.stage.use<Rooms>();
  }
  Session& enters(const char* full, const std::string& nick, const std::string& more = "") {
    Session& session = scene.bind(full);
    enter(session, nick, more);
    return session;
  }
  void enter(Session& session, const std::string& nick, const std::string& more = "") {
    scene.says(session, "<presence to='coven@rooms.capulet.lit/" + nick +
                            "'><x xmlns='http://jabber.org/protocol/muc'>" + more + "</x></presence>");
  }
  /// The room with its owner in it, configured with these fields.
  Session& owner(const std::vector<std::pair<std::string, std::string>>& fields = {}) {
    Session& session = enters("crone1@capulet.lit/desktop", "firstwitch");
    configure(session, fields);
    scene.forget_all();
    return session;
  }
  void configure(Session& session, const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string form;
    for (const auto& [var, value] : fields) form += "<field var='" + var + "'><value>" + value + "</value></field>";
    scene.says(session,
               "<iq type='set' id='c' to='coven@rooms.capulet.lit'><query "
               "xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>" +
                   form + "</x></query></iq>");
  }
  void admin(Session& session, const std::string& items, const char* type = "set") {
    scene.says(session, "<iq type='" + std::string(type) +
                            "' id='a' to='coven@rooms.capulet.lit'><query "
                            "xmlns='http://jabber.org/protocol/muc#admin'>" +
                            items + "</query></iq>");
  }
  void speaks(Session& session, const std::string& body) {
    scene.says(session, "<message type='groupchat' to='coven@rooms.capulet.lit'><body>" + body + "</body></message>");
  }

  Scene scene;
  Rooms* rooms = nullptr;
};

inline ::testing::Matcher<std::string> error(const char* condition) {
  return ::testing::AllOf(::testing::HasSubstr("type='error'"), ::testing::HasSubstr("<" + std::string(condition)));
}
inline ::testing::Matcher<std::string> code(int code) {
  return ::testing::HasSubstr("<status code='" + std::to_string(code) + "'/>");
}

}  // namespace kith::modules::muc::testing
