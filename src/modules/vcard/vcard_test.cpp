#include "modules/vcard/vcard.h"

#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/pep/pep.h"
#include "modules/presence/presence.h"

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
  EXPECT_EQ(broadcast_hash(*peter, "<presence><x xmlns='vcard-temp:x:update'><photo/></x></presence>"), "");
  EXPECT_EQ(broadcast_hash(*peter, "<presence><x xmlns='vcard-temp:x:update'><photo>00</photo></x></presence>"), "00");
}

TEST_F(VcardTest, xep0398_who_is_not_ready_to_say_is_helped_and_directed_presence_has_the_hash_too) {
  set(card);
  EXPECT_EQ(broadcast_hash(*peter, "<presence><x xmlns='vcard-temp:x:update'/></presence>"), hash_of_abc);
  EXPECT_EQ(broadcast_hash(*peter, "<presence to='room@montague.lit/nick'/>"), hash_of_abc);
}

TEST_F(VcardTest, unavailable_presence_is_left_alone) {
  set(card);
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

class AvatarTest : public testing::Test {
 protected:
  AvatarTest() {
    scene.stage.use<PresenceFeature>();
    scene.stage.use<Pep>();
    scene.stage.use<Vcard>();
    scene.stage.account("romeo@capulet.lit");
    scene.stage.subscribe("peter@capulet.lit", "romeo@capulet.lit", xmpp::Subscription::from);
    peter = &scene.bind("peter@capulet.lit/roundabout");
    scene.says(*peter, "<presence/>");
    romeo = &scene.bind("romeo@capulet.lit/orchard");
    scene.says(*romeo, "<presence/>");
    scene.forget_all();
  }
  void publish(std::string_view node, std::string_view item, std::string_view access = "open") {
    scene.says(*peter, "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='" +
                           std::string(node) + "'>" + std::string(item) +
                           "</publish><publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' "
                           "type='hidden'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
                           "<field var='pubsub#access_model'><value>" +
                           std::string(access) + "</value></field></x></publish-options></pubsub></iq>");
  }
  void publish_avatar(std::string_view id = hash_of_abc, std::string_view access = "open") {
    publish(Vcard::ns_avatar_data,
            "<item id='" + std::string(id) + "'><data xmlns='urn:xmpp:avatar:data'>YWJj</data></item>", access);
    publish(Vcard::ns_avatar_metadata,
            "<item id='" + std::string(id) +
                "'><metadata xmlns='urn:xmpp:avatar:metadata'><info id='elsewhere' url='u'/>"
                "<info id='" +
                std::string(id) + "' type='image/png' bytes='3'/></metadata></item>",
            access);
  }
  std::string stored_card() {
    const auto found = scene.stage.documents.documents.find({module::testing::bare("peter@capulet.lit"), "vcard", ""});
    return found == scene.stage.documents.documents.end() ? std::string() : found->second;
  }
  std::size_t told(std::string_view part) {
    std::size_t count = 0;
    for (const std::string& line : scene.got(*romeo)) count += line.find(part) == std::string::npos ? 0 : 1;
    return count;
  }

  module::testing::Scene scene;
  module::Session* peter;
  module::Session* romeo;
};

TEST_F(AvatarTest, xep0398_an_avatar_becomes_the_cards_photo_and_contacts_are_told_its_hash) {
  scene.says(*peter, "<iq type='set' id='v'><vCard xmlns='vcard-temp'><FN>Peter</FN></vCard></iq>");
  publish_avatar();
  EXPECT_NE(stored_card().find("<FN>Peter</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>YWJj</BINVAL></PHOTO>"),
            std::string::npos);
  EXPECT_EQ(told(hash_of_abc), 1U);
  // Without an avatar the card has no photo any more.
  publish(Vcard::ns_avatar_metadata, "<item id='none'><metadata xmlns='urn:xmpp:avatar:metadata'/></item>");
  EXPECT_EQ(stored_card().find("PHOTO"), std::string::npos);
  EXPECT_NE(stored_card().find("<FN>Peter</FN>"), std::string::npos);
}

TEST_F(AvatarTest, xep0398_a_cards_photo_becomes_an_avatar) {
  scene.says(*peter, "<iq type='set' id='v'>" + std::string(card) + "</iq>");
  EXPECT_EQ(told(hash_of_abc), 1U);
  const auto& nodes = scene.stage.pubsub.nodes;
  const auto owner = module::testing::bare("peter@capulet.lit");
  const auto& data = nodes.at({owner, std::string(Vcard::ns_avatar_data)}).items;
  ASSERT_EQ(data.size(), 1U);
  EXPECT_EQ(data[0].id, hash_of_abc);
  EXPECT_NE(data[0].payload.find("YWJj"), std::string::npos);
  const auto& metadata = nodes.at({owner, std::string(Vcard::ns_avatar_metadata)}).items;
  ASSERT_EQ(metadata.size(), 1U);
  EXPECT_NE(metadata[0].payload.find("bytes='3'"), std::string::npos);
  EXPECT_EQ(peter->account().nodes().find(Vcard::ns_avatar_data)->config.access_model, xmpp::AccessModel::open);
  EXPECT_EQ(stored_card(), xml::to_string(element(card)));
}

TEST_F(AvatarTest, an_avatar_that_is_not_for_everybody_is_in_no_card) {
  publish_avatar(hash_of_abc, "presence");
  EXPECT_EQ(stored_card(), "");
}

TEST_F(AvatarTest, an_avatar_under_a_wrong_name_is_in_no_card) {
  publish_avatar("0000000000000000000000000000000000000000");
  EXPECT_EQ(stored_card(), "");
}

}  // namespace
}  // namespace kith::modules
