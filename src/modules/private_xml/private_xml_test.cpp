#include "modules/private_xml/private_xml.h"

#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::element;
using module::testing::error_of;
using module::testing::Stage;

class PrivateXmlTest : public testing::Test {
 protected:
  PrivateXmlTest() {
    stage.use<PrivateXml>();
    hamlet = &stage.bind("hamlet@capulet.lit/denmark");
  }
  void send(std::string_view type, std::string_view content) {
    stage.iq(*hamlet, "<iq type='" + std::string(type) + "' id='1001'><query xmlns='jabber:iq:private'>" +
                          std::string(content) + "</query></iq>");
  }
  xmpp::Stanza set(std::string_view content) {
    send("set", content);
    return stage.answer();
  }
  xmpp::Stanza get(std::string_view content) {
    send("get", content);
    return stage.answer();
  }

  Stage stage;
  module::Session* hamlet;
};

constexpr const char* prefs =
    "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick><a xmlns=''>&lt;b&gt;</a></exodus>";

TEST_F(PrivateXmlTest, what_was_stored_comes_back_as_it_was) {
  const auto stored = set(prefs);
  EXPECT_EQ(stored.type(), xmpp::StanzaType::result);
  EXPECT_EQ(stored.payload(), nullptr);
  const auto reply = get("<exodus xmlns='exodus:prefs'/>");
  ASSERT_EQ(reply.type(), xmpp::StanzaType::result);
  ASSERT_NE(reply.payload()->first_child(), nullptr);
  EXPECT_EQ(*reply.payload()->first_child(), element(prefs));
}

TEST_F(PrivateXmlTest, nothing_stored_is_an_empty_element) {
  const auto reply = get("<exodus xmlns='exodus:prefs'/>");
  ASSERT_EQ(reply.type(), xmpp::StanzaType::result);
  EXPECT_EQ(*reply.payload()->first_child(), element("<exodus xmlns='exodus:prefs'/>"));
}

TEST_F(PrivateXmlTest, the_last_one_counts) {
  set(prefs);
  set("<exodus xmlns='exodus:prefs'>second</exodus>");
  EXPECT_EQ(get("<exodus xmlns='exodus:prefs'/>").payload()->first_child()->text(), "second");
}

TEST_F(PrivateXmlTest, name_and_namespace_both_count) {
  set("<storage xmlns='storage:bookmarks'>marks</storage>");
  set("<storage xmlns='storage:metacontacts'>meta</storage>");
  set("<other xmlns='storage:bookmarks'>other</other>");
  EXPECT_EQ(get("<storage xmlns='storage:bookmarks'/>").payload()->first_child()->text(), "marks");
  EXPECT_EQ(get("<storage xmlns='storage:metacontacts'/>").payload()->first_child()->text(), "meta");
  EXPECT_EQ(get("<other xmlns='storage:bookmarks'/>").payload()->first_child()->text(), "other");
}

TEST_F(PrivateXmlTest, exactly_one_element_is_needed) {
  for (const char* type : {"get", "set"}) {
    send(type, "");
    EXPECT_EQ(error_of(stage.answer()), "not-acceptable") << type;
    send(type, "text only");
    EXPECT_EQ(error_of(stage.answer()), "not-acceptable") << type;
    send(type, "<a xmlns='x'/><b xmlns='x'/>");
    EXPECT_EQ(error_of(stage.answer()), "not-acceptable") << type;
  }
  EXPECT_TRUE(stage.documents.documents.empty());
}

TEST_F(PrivateXmlTest, namespaces_of_the_protocol_are_refused) {
  for (const char* content : {"<vCard xmlns='vcard-temp'><FN>Hamlet</FN></vCard>", "<query xmlns='jabber:iq:roster'/>",
                              "<x xmlns='http://jabber.org/protocol/muc'/>", "<unqualified/>", "<none xmlns=''/>"}) {
    EXPECT_EQ(error_of(set(content)), "not-acceptable") << content;
    EXPECT_EQ(error_of(get(content)), "not-acceptable") << content;
  }
}

TEST_F(PrivateXmlTest, is_nobody_elses) {
  set(prefs);
  stage.subscribe("hamlet@capulet.lit", "macbeth@capulet.lit", xmpp::Subscription::both);
  auto& macbeth = stage.bind("macbeth@capulet.lit/scotland");
  for (const char* target : {"hamlet@capulet.lit", "nobody@capulet.lit"}) {
    for (const char* type : {"get", "set"}) {
      stage.iq(macbeth, std::string("<iq id='1003' to='") + target + "' type='" + type +
                            "'><query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'/></query></iq>");
      EXPECT_EQ(error_of(stage.answer()), "service-unavailable") << target << type;
    }
  }
  EXPECT_EQ(*get("<exodus xmlns='exodus:prefs'/>").payload()->first_child(), element(prefs));
}

TEST_F(PrivateXmlTest, the_last_one_counts_whatever_the_disk_answers_first) {
  set(prefs);
  for (int i = 0; i < 5; ++i) send("set", "<exodus xmlns='exodus:prefs'>" + std::to_string(i) + "</exodus>");
  stage.disk.reverse();
  EXPECT_EQ(stage.take().size(), 5U);
  EXPECT_EQ(get("<exodus xmlns='exodus:prefs'/>").payload()->first_child()->text(), "4");
}

TEST_F(PrivateXmlTest, one_document_has_a_limit_in_bytes) {
  stage.limits.private_xml_bytes = 200;
  EXPECT_EQ(set("<a xmlns='x'>" + std::string(150, 'a') + "</a>").type(), xmpp::StanzaType::result);
  EXPECT_EQ(error_of(set("<a xmlns='x'>" + std::string(200, 'b') + "</a>")), "policy-violation");
  EXPECT_EQ(get("<a xmlns='x'/>").payload()->first_child()->text(), std::string(150, 'a'));
}

TEST_F(PrivateXmlTest, documents_are_limited_in_number_also_when_all_are_sent_at_once) {
  stage.limits.private_xml_entries = 3;
  for (int i = 0; i < 6; ++i) send("set", "<a xmlns='x" + std::to_string(i) + "'/>");
  int stored = 0;
  for (const auto& reply : stage.take()) stored += reply.type() == xmpp::StanzaType::result ? 1 : 0;
  EXPECT_EQ(stored, 3);
  EXPECT_EQ(stage.documents.documents.size(), 3U);
  EXPECT_EQ(error_of(set("<a xmlns='y'/>")), "policy-violation");
  EXPECT_EQ(set("<a xmlns='x0'>again</a>").type(), xmpp::StanzaType::result);
}

TEST_F(PrivateXmlTest, a_failed_write_is_no_success_and_takes_no_place) {
  stage.limits.private_xml_entries = 1;
  stage.disk.failing_writes = true;
  EXPECT_EQ(error_of(set(prefs)), "internal-server-error");
  stage.disk.failing_writes = false;
  EXPECT_EQ(set(prefs).type(), xmpp::StanzaType::result);
}

TEST_F(PrivateXmlTest, the_result_waits_for_the_commit) {
  send("set", prefs);
  stage.disk.run();
  ASSERT_EQ(stage.delivery.routed.size(), 1U);
  EXPECT_EQ(stage.delivery.routed.front().gate, stage.disk.last());
  EXPECT_TRUE(stage.delivery.routed.front().gate);
}

TEST_F(PrivateXmlTest, a_failed_read_is_an_error_to_try_again) {
  stage.disk.failing_reads = true;
  EXPECT_EQ(error_of(get("<exodus xmlns='exodus:prefs'/>")), "internal-server-error");
  EXPECT_EQ(error_of(set(prefs)), "internal-server-error");
}

TEST_F(PrivateXmlTest, a_damaged_row_does_not_harm) {
  set(prefs);
  stage.documents.documents.begin()->second = "<exodus xmlns='exodus:prefs'";
  EXPECT_EQ(error_of(get("<exodus xmlns='exodus:prefs'/>")), "internal-server-error");
}

}  // namespace
}  // namespace kith::modules
