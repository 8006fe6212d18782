// In-band registration (XEP-0077) as a client sees it, from the stream's features to the first login with the new
// account: what no scenario can say, since its clients log in first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.h"

namespace kith::scenario {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view open_stream =
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    "to='localhost' version='1.0'>";
constexpr std::string_view fields = "<iq type='get' id='reg1' to='localhost'><query xmlns='jabber:iq:register'/></iq>";

std::string application(std::string_view name, std::string_view password) {
  return "<iq type='set' id='reg2'><query xmlns='jabber:iq:register'><username>" + std::string(name) +
         "</username><password>" + std::string(password) + "</password></query></iq>";
}

class RegistrationWorld {
 public:
  explicit RegistrationWorld(bool open) : world_({.settings = {{"registration", {{"open", open}}}}}) {}

  /// Sends, and gives what has come back.
  std::string talk(WorldClient& client, std::string_view bytes) {
    client.send(bytes);
    world_.settle();
    return client.link().take();
  }
  std::unique_ptr<WorldClient> connect_without_tls() {
    auto client = world_.connect();
    features = talk(*client, open_stream);
    return client;
  }
  std::unique_ptr<WorldClient> connect() {
    auto client = connect_without_tls();
    EXPECT_THAT(talk(*client, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), HasSubstr("<proceed"));
    features = talk(*client, open_stream);
    return client;
  }
  World& world() { return world_; }
  std::string features;

 private:
  World world_;
};

TEST(RegistrationOverAStream, makes_an_account_that_can_log_in) {
  RegistrationWorld house(true);
  const auto client = house.connect();
  EXPECT_THAT(house.features, HasSubstr("http://jabber.org/features/iq-register"));
  EXPECT_THAT(house.talk(*client, fields), HasSubstr("<username/>"));
  EXPECT_THAT(house.talk(*client, application("Bill", "Calliope")), HasSubstr("type='result'"));
  const auto bill = house.world().log_in("bill@localhost", "Calliope", "globe");
  ASSERT_TRUE(bill) << bill.error();
  EXPECT_EQ((*bill)->full_jid, "bill@localhost/globe");
  EXPECT_FALSE(house.world().log_in("bill@localhost", "calliope", "globe"));
}

TEST(RegistrationOverAStream, refuses_a_taken_name_and_lets_the_client_try_another) {
  RegistrationWorld house(true);
  house.world().add_account("bill@localhost", "his own");
  const auto client = house.connect();
  EXPECT_THAT(house.talk(*client, application("bill", "Calliope")), HasSubstr("<conflict"));
  EXPECT_THAT(house.talk(*client, application("will", "Calliope")), HasSubstr("type='result'"));
  EXPECT_TRUE(house.world().log_in("bill@localhost", "his own", "globe"));
  EXPECT_TRUE(house.world().has_account("will@localhost"));
}

TEST(RegistrationOverAStream, is_neither_offered_nor_done_without_tls) {
  RegistrationWorld house(true);
  const auto client = house.connect_without_tls();
  EXPECT_THAT(house.features, Not(HasSubstr("iq-register")));
  EXPECT_THAT(house.talk(*client, application("bill", "Calliope")), HasSubstr("not-authorized"));
  EXPECT_FALSE(house.world().has_account("bill@localhost"));
}

TEST(RegistrationOverAStream, closed_is_closed) {
  RegistrationWorld house(false);
  const auto client = house.connect();
  EXPECT_THAT(house.features, Not(HasSubstr("iq-register")));
  EXPECT_THAT(house.talk(*client, fields), HasSubstr("<service-unavailable"));
  EXPECT_THAT(house.talk(*client, application("bill", "Calliope")), HasSubstr("<service-unavailable"));
  EXPECT_FALSE(house.world().has_account("bill@localhost"));
}

TEST(RegistrationOverAStream, a_full_disk_makes_no_account_and_says_try_again) {
  RegistrationWorld house(true);
  const auto client = house.connect();
  house.world().fail_writes(true);
  EXPECT_THAT(house.talk(*client, application("bill", "Calliope")), HasSubstr("type='wait'"));
  house.world().fail_writes(false);
  EXPECT_FALSE(house.world().has_account("bill@localhost"));
  EXPECT_THAT(house.talk(*client, application("bill", "Calliope")), HasSubstr("type='result'"));
}

TEST(RegistrationOverAStream, other_iqs_before_login_end_the_stream) {
  RegistrationWorld house(true);
  const auto client = house.connect();
  EXPECT_THAT(house.talk(*client, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"),
              HasSubstr("<not-authorized"));
}

}  // namespace
}  // namespace kith::scenario
