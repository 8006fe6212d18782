#include "modules/vcard/vcard.h"

#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::element;
using module::testing::error_of;
using module::testing::Stage;
using module::testing::stanza;

// base64 of "abc", broken into lines as RFC 2045 has it
constexpr const char* card =
    "<vCard xmlns='vcard-temp'><FN>Peter</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>\n YW\n "
    "Jj\r\n</BINVAL></PHOTO></vCard>";
constexpr const char* hash_of_abc = "a9993e364706816aba3e25717850c26c9cd0d89d";

class VcardTest : public testing::Test {
 protected:
  VcardTest() {
    stage.use<Vcard>();
    peter = &stage.bind("peter@capulet.lit/roundabout");
    stage.settle();
  }
  xmpp::Stanza set(std::string_view vcard) {
    stage.iq(*peter, "<iq id='v2' type='set'>" + std::string(vcard) + "</iq>");
    return stage.answer();
  }
  xmpp::Stanza get(std::string_view from, std::string_view to) {
    stage.iq_from(from, "<iq id='v3' type='get' to='" + std::string(to) + "'><vCard xmlns='vcard-temp'/></iq>");
    return stage.answer();
  }
  /// The text of the photo element that leaves with this presence; "-" without one.
  std::string broadcast_hash(module::Session& session, std::string_view text = "<presence/>") {
    auto presence = stanza(text);
    presence.set_from(session.jid());
    module::PresenceFromClient event{session, presence};
    stage.hooks.run(event);
    const xml::Element* update = presence.element().child("x", Vcard::ns_update);
    const xml::Element* photo = update == nullptr ? nullptr : update->child("photo", Vcard::ns_update);
    return photo == nullptr ? "-" : photo->text();
  }

  Stage stage;
  module::Session* peter;
};

TEST_F(VcardTest, xep0054_storing_and_reading_ones_own) {
  EXPECT_EQ(set(card).type(), xmpp::StanzaType::result);
  stage.iq(*peter, "<iq id='v1' type='get'><vCard xmlns='vcard-temp'/></iq>");
  EXPECT_EQ(*stage.answer().payload(), element(card));
}

TEST_F(VcardTest, xep0054_anybody_may_read_it) {
  set(card);
  for (const char* reader : {"juliet@capulet.lit/balcony", "stranger@montague.lit/x", "montague.lit"}) {
    EXPECT_EQ(*get(reader, "peter@capulet.lit").payload(), element(card)) << reader;
  }
}

TEST_F(VcardTest, xep0054_none_of_ones_own_is_an_empty_card) {
  stage.iq(*peter, "<iq id='v1' type='get'><vCard xmlns='vcard-temp'/></iq>");
  EXPECT_EQ(*stage.answer().payload(), element("<vCard xmlns='vcard-temp'/>"));
}

TEST_F(VcardTest, xep0054_no_card_and_no_account_look_the_same) {
  EXPECT_EQ(error_of(get("juliet@capulet.lit/balcony", "peter@capulet.lit")), "service-unavailable");
  EXPECT_EQ(error_of(get("juliet@capulet.lit/balcony", "nobody@capulet.lit")), "service-unavailable");
}

TEST_F(VcardTest, xep0054_setting_anothers_is_forbidden) {
  set(card);
  for (const char* target : {"peter@capulet.lit", "nobody@capulet.lit"}) {
    stage.iq_from("juliet@capulet.lit/balcony", std::string("<iq id='v2' type='set' to='") + target +
                                                    "'><vCard xmlns='vcard-temp'><FN>x</FN></vCard></iq>");
    EXPECT_EQ(error_of(stage.answer()), "forbidden") << target;
  }
  EXPECT_EQ(*get("juliet@capulet.lit/balcony", "peter@capulet.lit").payload(), element(card));
  EXPECT_EQ(stage.documents.documents.size(), 1U);
}

TEST_F(VcardTest, has_a_limit) {
  stage.limits.vcard_bytes = 300;
  set(card);
  EXPECT_EQ(error_of(set("<vCard xmlns='vcard-temp'><DESC>" + std::string(300, 'x') + "</DESC></vCard>")),
            "policy-violation");
  EXPECT_EQ(*get("juliet@capulet.lit/balcony", "peter@capulet.lit").payload(), element(card));
}

TEST_F(VcardTest, the_result_waits_for_the_commit) {
  stage.iq(*peter, "<iq id='v2' type='set'>" + std::string(card) + "</iq>");
  ASSERT_EQ(stage.delivery.routed.size(), 1U);
  EXPECT_TRUE(stage.delivery.routed.front().gate);
  EXPECT_EQ(stage.delivery.routed.front().gate, stage.disk.last());
  EXPECT_EQ(peter->account().last_write(), stage.disk.last());
}

TEST_F(VcardTest, a_failed_write_is_no_success_and_leaves_the_hash_as_it_was) {
  stage.disk.failing_writes = true;
  EXPECT_EQ(error_of(set(card)), "internal-server-error");
  EXPECT_EQ(broadcast_hash(*peter), "-");
}

TEST_F(VcardTest, storage_trouble_and_damaged_rows_are_errors) {
  set(card);
  stage.disk.failing_reads = true;
  EXPECT_EQ(error_of(get("juliet@capulet.lit/balcony", "peter@capulet.lit")), "internal-server-error");
  stage.disk.failing_reads = false;
  stage.documents.documents.begin()->second = "<vCard";
  EXPECT_EQ(error_of(get("juliet@capulet.lit/balcony", "peter@capulet.lit")), "internal-server-error");
}

TEST_F(VcardTest, xep0153_presence_gets_the_hash_of_a_stored_photo) {
  set(card);
  EXPECT_EQ(broadcast_hash(*peter), hash_of_abc);
  EXPECT_EQ(broadcast_hash(*peter, "<presence><show>away</show></presence>"), hash_of_abc);
}

TEST_F(VcardTest, xep0153_what_the_client_says_itself_stands) {
  set(card);
  auto presence = stanza("<presence><x xmlns='vcard-temp:x:update'/></presence>");
  module::PresenceFromClient event{*peter, presence};
  stage.hooks.run(event);
  EXPECT_EQ(presence.element(), element("<presence><x xmlns='vcard-temp:x:update'/></presence>"));
  EXPECT_EQ(broadcast_hash(*peter, "<presence><x xmlns='vcard-temp:x:update'><photo>00</photo></x></presence>"), "00");
}

TEST_F(VcardTest, directed_and_unavailable_presence_is_left_alone) {
  set(card);
  EXPECT_EQ(broadcast_hash(*peter, "<presence to='romeo@montague.lit'/>"), "-");
  EXPECT_EQ(broadcast_hash(*peter, "<presence type='unavailable'/>"), "-");
  EXPECT_EQ(broadcast_hash(*peter, "<presence type='subscribe' to='romeo@montague.lit'/>"), "-");
}

TEST_F(VcardTest, a_card_without_photo_adds_nothing) {
  set(card);
  set("<vCard xmlns='vcard-temp'><FN>Peter</FN><PHOTO><BINVAL/></PHOTO></vCard>");
  EXPECT_EQ(broadcast_hash(*peter), "-");
}

TEST_F(VcardTest, the_hash_is_found_at_the_next_login) {
  stage.documents.put(module::testing::bare("mercutio@capulet.lit"), "vcard", "", card);
  auto& mercutio = stage.bind("mercutio@capulet.lit/street");
  EXPECT_EQ(broadcast_hash(mercutio), "-");  // not read yet: presence does not wait for it
  stage.settle();
  EXPECT_EQ(broadcast_hash(mercutio), hash_of_abc);
}

TEST_F(VcardTest, a_card_set_while_the_old_one_is_being_read_wins) {
  stage.documents.put(module::testing::bare("mercutio@capulet.lit"), "vcard", "", card);
  auto& mercutio = stage.bind("mercutio@capulet.lit/street");
  stage.iq(mercutio, "<iq id='v' type='set'><vCard xmlns='vcard-temp'/></iq>");
  stage.settle();
  EXPECT_EQ(broadcast_hash(mercutio), "-");
}

TEST(VcardPhotoHash, is_empty_without_a_readable_photo) {
  EXPECT_EQ(photo_hash(element("<vCard xmlns='vcard-temp'/>")), "");
  EXPECT_EQ(photo_hash(element("<vCard xmlns='vcard-temp'><PHOTO/></vCard>")), "");
  EXPECT_EQ(photo_hash(element("<vCard xmlns='vcard-temp'><PHOTO><EXTVAL>http://x</EXTVAL></PHOTO></vCard>")), "");
  EXPECT_EQ(photo_hash(element("<vCard xmlns='vcard-temp'><PHOTO><BINVAL>not base64!</BINVAL></PHOTO></vCard>")), "");
}

}  // namespace
}  // namespace kith::modules
