#include "modules/bookmarks/bookmarks.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/delivery/delivery.h"
#include "modules/disco/disco.h"
#include "modules/pep/pep.h"
#include "modules/presence/presence.h"
#include "modules/private_xml/private_xml.h"
#include "modules/roster/roster.h"
#include "xmpp/caps.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::bare;
using module::testing::element;
using module::testing::Scene;

constexpr std::string_view open_list = "<storage xmlns='storage:bookmarks'>";
constexpr std::string_view orchard =
    "<item id='orchard@rooms.lit'><conference xmlns='urn:xmpp:bookmarks:1' name='The Orchard' autojoin='1'>"
    "<nick>JC</nick><extensions><pinned xmlns='urn:xmpp:bookmarks-pinning:0'/></extensions></conference></item>";
constexpr std::string_view orchard_listed =
    "<conference jid='orchard@rooms.lit' name='The Orchard' autojoin='1'><nick>JC</nick>"
    "<pinned xmlns='urn:xmpp:bookmarks-pinning:0'/></conference>";

class BookmarksTest : public testing::Test {
 protected:
  BookmarksTest() {
    scene.stage.use<RosterFeature>();
    scene.stage.use<PresenceFeature>();
    scene.stage.use<DeliveryFeature>();
    scene.stage.use<Disco>();
    scene.stage.use<Bookmarks>();
    scene.stage.use<Pep>();
    scene.stage.use<PrivateXml>();
  }
  /// Comes online wanting the events of these nodes.
  Session& comes(std::string_view full, const std::vector<std::string>& nodes = {"urn:xmpp:bookmarks:1"}) {
    std::string query = "<query xmlns='http://jabber.org/protocol/disco#info'>";
    for (const std::string& node : nodes) query += "<feature var='" + node + "+notify'/>";
    query += "</query>";
    const std::string ver = xmpp::caps_hash(element(query)).value();
    Session& session = scene.bind(full);
    scene.says(session, "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:c' ver='" + ver +
                            "'/></presence>");
    for (const std::string& line : scene.got(session)) {
      const auto stanza = module::testing::stanza(line);
      if (stanza.type() != xmpp::StanzaType::get) {
        greeting.push_back(line);
        continue;
      }
      scene.says(session, "<iq type='result' id='" + std::string(stanza.id()) + "' to='" + stanza.from()->text() +
                              "'>" + query + "</iq>");
    }
    for (std::string& line : scene.got(session)) greeting.push_back(std::move(line));
    return session;
  }
  std::string ask(Session& session, std::string_view type, const std::string& payload) {
    scene.says(session, "<iq type='" + std::string(type) + "' id='q'>" + payload + "</iq>");
    std::string answer;
    events.clear();
    for (std::string& line : scene.got(session)) {
      (line.starts_with("<iq ") ? answer : events.emplace_back()) = std::move(line);
    }
    return answer;
  }
  std::string publish(Session& session, std::string_view item, const std::string& node = "urn:xmpp:bookmarks:1",
                      const std::string& model = "whitelist") {
    const auto field = [](const std::string& var, const std::string& value) {
      return "<field var='pubsub#" + var + "'><value>" + value + "</value></field>";
    };
    return ask(session, "set",
               "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='" + node + "'>" + std::string(item) +
                   "</publish><publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
                   "<value>http://jabber.org/protocol/pubsub#publish-options</value></field>" +
                   field("access_model", model) +
                   (node == "urn:xmpp:bookmarks:1" ? field("max_items", "max") : std::string()) +
                   "</x></publish-options></pubsub>");
  }
  std::string publish_list(Session& session, const std::string& content, const std::string& model = "whitelist") {
    return publish(session, "<item id='current'>" + std::string(open_list) + content + "</storage></item>",
                   "storage:bookmarks", model);
  }
  std::string set_private(Session& session, const std::string& content) {
    return ask(session, "set",
               "<query xmlns='jabber:iq:private'>" + std::string(open_list) + content + "</storage></query>");
  }
  std::string private_list(Session& session) {
    return ask(session, "get", "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>");
  }
  std::string items(Session& session, const std::string& node = "urn:xmpp:bookmarks:1") {
    return ask(session, "get",
               "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='" + node + "'/></pubsub>");
  }
  std::string retract(Session& session, const std::string& id) {
    return ask(session, "set",
               "<pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='urn:xmpp:bookmarks:1' notify='1'>"
               "<item id='" +
                   id + "'/></retract></pubsub>");
  }
  static bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
  static std::string conference(const std::string& jid, const std::string& more = "") {
    return "<conference jid='" + jid + "' name='n' autojoin='true'" + more + "/>";
  }
  module::NodeList& nodes() { return scene.stage.account("juliet@capulet.lit").nodes(); }
  auto& stored(const std::string& node) { return scene.stage.pubsub.nodes[{bare("juliet@capulet.lit"), node}].items; }
  void store_private(const std::string& content) {
    scene.stage.documents.documents[{bare("juliet@capulet.lit"), "private", "storage storage:bookmarks"}] =
        std::string(open_list) + content + "</storage>";
  }

  Scene scene;
  std::vector<std::string> events;
  std::vector<std::string> greeting;
};

TEST_F(BookmarksTest, xep0402_an_item_is_in_the_list_that_old_clients_read) {
  Session& phone = comes("juliet@capulet.lit/phone");
  Session& old = comes("juliet@capulet.lit/old", {});
  EXPECT_TRUE(has(publish(phone, orchard), "type='result'"));
  EXPECT_TRUE(has(private_list(old), std::string(open_list) + std::string(orchard_listed) + "</storage>"));
  EXPECT_TRUE(has(items(old, "storage:bookmarks"),
                  "<item id='current'>" + std::string(open_list) + std::string(orchard_listed) + "</storage></item>"));
  EXPECT_TRUE(has(retract(phone, "orchard@rooms.lit"), "type='result'"));
  EXPECT_TRUE(has(private_list(old), "<storage xmlns='storage:bookmarks'/>"));
  EXPECT_TRUE(has(items(old, "storage:bookmarks"), "<storage xmlns='storage:bookmarks'/>"));
}

TEST_F(BookmarksTest, xep0402_examples_1_and_2_a_bookmark_can_have_a_nick_or_nothing_at_all) {
  Session& phone = comes("juliet@capulet.lit/phone");
  const std::string full =
      "<conference xmlns='urn:xmpp:bookmarks:1' name='Council of Oberon' "
      "autojoin='true'><nick>Puck</nick></conference>";
  const std::string least = "<conference xmlns='urn:xmpp:bookmarks:1'/>";
  publish(phone, "<item id='council@conference.underhill.org'>" + full + "</item>");
  publish(phone, "<item id='least@conference.underhill.org'>" + least + "</item>");
  const std::string all = items(phone);
  EXPECT_TRUE(has(all, full)) << all;
  EXPECT_TRUE(has(all, least)) << all;
  EXPECT_TRUE(has(private_list(phone), "<conference jid='least@conference.underhill.org'/>"));
}

TEST_F(BookmarksTest, xep0402_examples_3_to_14_bookmarks_are_added_corrected_and_removed) {
  Session& phone = comes("juliet@capulet.lit/phone");
  Session& balcony = comes("juliet@capulet.lit/balcony");
  scene.forget_all();
  const auto bookmark = [](const std::string& room, const std::string& name, const std::string& more) {
    return "<item id='" + room + "@conference.shakespeare.lit'><conference xmlns='urn:xmpp:bookmarks:1' name='" + name +
           "'" + more + "</conference></item>";
  };
  const std::string state =
      "<extensions><state xmlns='http://myclient.example/bookmark/state' minimized='true'/></extensions>";
  const std::string play = bookmark("theplay", "The Play", " autojoin='true'><nick>JC</nick>");
  const auto put = [&](const std::string& item) {
    const std::string answer = ask(
        phone, "set",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:bookmarks:1'>" + item +
            "</publish><publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>"
            "<value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
            "<field var='pubsub#persist_items'><value>true</value></field>"
            "<field var='pubsub#max_items'><value>max</value></field>"
            "<field var='pubsub#send_last_published_item'><value>never</value></field>"
            "<field var='pubsub#access_model'><value>whitelist</value></field></x></publish-options></pubsub>");
    EXPECT_TRUE(has(answer, "type='result'")) << answer;
    std::string told;
    for (const std::string& line : scene.got(balcony)) told += line;
    EXPECT_TRUE(has(told, "type='headline'"));
    EXPECT_TRUE(has(told, "<items node='urn:xmpp:bookmarks:1'>" + item + "</items>")) << told;
  };
  put(play);
  put(bookmark("orchard", "The Orcard", " autojoin='1'><nick>JC</nick>" + state));
  put(bookmark("orchard", "The Orchard", " autojoin='true'><nick>JC</nick>" + state));
  put(bookmark("theplay", "The Play", "><nick>JC</nick>"));
  EXPECT_TRUE(has(items(phone), "<items node='urn:xmpp:bookmarks:1'>" +
                                    bookmark("orchard", "The Orchard", " autojoin='true'><nick>JC</nick>" + state) +
                                    bookmark("theplay", "The Play", "><nick>JC</nick>") + "</items>"));
  EXPECT_TRUE(has(retract(phone, "theplay@conference.shakespeare.lit"), "type='result'"));
  const auto told = scene.got(balcony);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(has(told[0], "<retract id='theplay@conference.shakespeare.lit'/>")) << told[0];
  EXPECT_FALSE(has(items(phone), "theplay"));
}

TEST_F(BookmarksTest, what_is_set_in_private_xml_becomes_items_and_each_is_told_of_what_changed_only) {
  Session& phone = comes("juliet@capulet.lit/phone");
  Session& old = comes("juliet@capulet.lit/old", {});
  scene.forget_all();
  EXPECT_TRUE(has(set_private(old, conference("a@rooms.lit") + conference("b@rooms.lit")), "type='result'"));
  const auto first = scene.got(phone);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_TRUE(has(first[0],
                  "<item id='a@rooms.lit'><conference xmlns='urn:xmpp:bookmarks:1' name='n' "
                  "autojoin='true'/></item>"))
      << first[0];
  EXPECT_TRUE(has(first[0], "type='headline'"));

  set_private(old, conference("a@rooms.lit") + "<conference jid='c@rooms.lit' name='c'/>");
  const auto second = scene.got(phone);
  ASSERT_EQ(second.size(), 2U);
  EXPECT_TRUE(has(second[0], "<item id='c@rooms.lit'>")) << second[0];
  EXPECT_TRUE(has(second[1], "<retract id='b@rooms.lit'/>")) << second[1];
  EXPECT_EQ(stored("urn:xmpp:bookmarks:1").size(), 2U);

  set_private(old, conference("a@rooms.lit") + "<conference jid='c@rooms.lit' name='c'/>");
  EXPECT_TRUE(scene.got(phone).empty());
  const module::Node* node = nodes().find("urn:xmpp:bookmarks:1");
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->config.access_model, xmpp::AccessModel::whitelist);
  EXPECT_EQ(node->config.max_items, std::nullopt);
}

TEST_F(BookmarksTest, xep0411_the_old_node_tells_of_every_change) {
  Session& phone = comes("juliet@capulet.lit/phone");
  Session& older = comes("juliet@capulet.lit/older", {"storage:bookmarks"});
  set_private(phone, conference("a@rooms.lit"));
  auto told = scene.got(older);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(has(told[0], "<items node='storage:bookmarks'><item id='current'>")) << told[0];
  EXPECT_TRUE(has(told[0], "jid='a@rooms.lit'"));
  publish(phone, orchard);
  told = scene.got(older);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(has(told[0], orchard_listed)) << told[0];
  // And it is there for who comes online.
  greeting.clear();
  comes("juliet@capulet.lit/later", {"storage:bookmarks"});
  ASSERT_FALSE(greeting.empty());
  EXPECT_TRUE(has(greeting.back(), orchard_listed)) << greeting.back();
}

TEST_F(BookmarksTest, a_list_at_the_old_node_becomes_items_and_private_xml) {
  Session& phone = comes("juliet@capulet.lit/phone");
  Session& older = comes("juliet@capulet.lit/older", {"storage:bookmarks"});
  scene.forget_all();
  const std::string answer = publish_list(older, conference("a@rooms.lit") + "<url name='u' url='http://u'/>");
  EXPECT_TRUE(has(answer, "<publish node='storage:bookmarks'><item id='current'/></publish>")) << answer;
  EXPECT_EQ(scene.got(phone).size(), 1U);
  EXPECT_TRUE(has(private_list(phone), "jid='a@rooms.lit'"));
  EXPECT_TRUE(has(private_list(phone), "<url name='u' url='http://u'/>"));
  // What it was never sent it does not remove.
  publish(phone, orchard);
  stored("storage:bookmarks").front().payload = std::string(open_list) + conference("a@rooms.lit") + "</storage>";
  publish_list(older, "");
  EXPECT_TRUE(has(items(phone), "orchard@rooms.lit"));
  EXPECT_FALSE(has(items(phone), "a@rooms.lit"));
}

TEST_F(BookmarksTest, extensions_survive_a_client_that_drops_them) {
  Session& phone = comes("juliet@capulet.lit/phone");
  publish(phone, orchard);
  Session& old = comes("juliet@capulet.lit/old", {});
  set_private(old, "<conference jid='orchard@rooms.lit' name='An orchard' autojoin='1'><nick>JC</nick></conference>");
  EXPECT_TRUE(has(items(phone),
                  "<item id='orchard@rooms.lit'><conference xmlns='urn:xmpp:bookmarks:1' name='An orchard' "
                  "autojoin='1'><nick>JC</nick><extensions><pinned xmlns='urn:xmpp:bookmarks-pinning:0'/>"
                  "</extensions></conference></item>"))
      << items(phone);
}

TEST_F(BookmarksTest, what_does_not_validate_is_kept_as_it_is) {
  Session& old = comes("juliet@capulet.lit/old");
  const std::string odd =
      "<url name='Works' url='http://the-tech.mit.edu/'/><conference name='nowhere'/><conference jid='a@@b'/>"
      "<conference jid='a@rooms.lit/nick'/><something xmlns='else'>text</something>";
  set_private(old, odd + conference("a@rooms.lit"));
  EXPECT_EQ(stored("urn:xmpp:bookmarks:1").size(), 1U);
  const std::string list = private_list(old);
  EXPECT_TRUE(has(list, odd + "</storage>")) << list;
  EXPECT_TRUE(has(list, "jid='a@rooms.lit'"));
  publish(old, orchard);
  EXPECT_TRUE(has(private_list(old), odd + "</storage>"));
}

TEST_F(BookmarksTest, what_a_limit_forbids_as_an_item_stays_in_the_list) {
  scene.stage.limits.pubsub_items = 2;
  Session& old = comes("juliet@capulet.lit/old");
  set_private(old, conference("a@rooms.lit") + conference("b@rooms.lit") + conference("c@rooms.lit"));
  EXPECT_EQ(stored("urn:xmpp:bookmarks:1").size(), 2U);
  EXPECT_TRUE(has(private_list(old), "jid='c@rooms.lit'"));
  // As soon as there is room it is an item, too.
  set_private(old, conference("b@rooms.lit") + conference("c@rooms.lit"));
  set_private(old, conference("b@rooms.lit") + conference("c@rooms.lit"));
  EXPECT_TRUE(has(items(old), "c@rooms.lit"));
  EXPECT_FALSE(has(items(old), "a@rooms.lit"));
}

TEST_F(BookmarksTest, a_list_that_is_too_big_changes_nothing) {
  scene.stage.limits.private_xml_bytes = 300;
  Session& old = comes("juliet@capulet.lit/old");
  set_private(old, conference("a@rooms.lit"));
  EXPECT_TRUE(has(set_private(old, conference(std::string(300, 'x') + "@rooms.lit")), "<policy-violation"));
  EXPECT_TRUE(has(publish_list(old, conference(std::string(300, 'x') + "@rooms.lit")), "<payload-too-big"));
  EXPECT_TRUE(has(private_list(old), "jid='a@rooms.lit'"));
}

TEST_F(BookmarksTest, a_room_named_twice_is_one_item) {
  Session& old = comes("juliet@capulet.lit/old");
  set_private(old, conference("a@rooms.lit") + conference("A@rooms.lit"));
  EXPECT_EQ(stored("urn:xmpp:bookmarks:1").size(), 1U);
  EXPECT_FALSE(has(private_list(old), "A@rooms.lit"));
}

TEST_F(BookmarksTest, an_item_that_is_no_bookmark_is_left_alone) {
  Session& old = comes("juliet@capulet.lit/old");
  publish(old, "<item id='no room/'><conference xmlns='urn:xmpp:bookmarks:1'/></item>");
  publish(old, "<item id='b@rooms.lit'><other xmlns='x'/></item>");
  EXPECT_TRUE(has(private_list(old), "<storage xmlns='storage:bookmarks'/>"));
  set_private(old, conference("a@rooms.lit"));
  set_private(old, "");
  EXPECT_EQ(stored("urn:xmpp:bookmarks:1").size(), 2U);
}

TEST_F(BookmarksTest, lists_from_before_are_taken_over_at_the_first_login) {
  store_private(conference("a@rooms.lit") + conference("orchard@rooms.lit") + "<url url='u'/>");
  Session& phone = comes("juliet@capulet.lit/phone");
  const std::string there = items(phone);
  EXPECT_TRUE(has(there, "<item id='a@rooms.lit'>")) << there;
  EXPECT_TRUE(has(private_list(phone), "<url url='u'/>"));
  // Once: what is removed later does not come back from the old document.
  retract(phone, "a@rooms.lit");
  scene.ends(phone);
  Session& again = comes("juliet@capulet.lit/again");
  EXPECT_FALSE(has(items(again), "a@rooms.lit"));
  EXPECT_FALSE(has(private_list(again), "a@rooms.lit"));
}

TEST_F(BookmarksTest, of_what_was_in_both_the_items_count) {
  scene.stage.account("juliet@capulet.lit");
  nodes().add("urn:xmpp:bookmarks:1", {.access_model = xmpp::AccessModel::whitelist, .max_items = std::nullopt});
  stored("urn:xmpp:bookmarks:1")
      .push_back({.id = "a@rooms.lit", .payload = "<conference xmlns='urn:xmpp:bookmarks:1' name='mine'/>"});
  store_private(conference("a@rooms.lit") + conference("b@rooms.lit"));
  Session& phone = comes("juliet@capulet.lit/phone");
  const std::string list = private_list(phone);
  EXPECT_TRUE(has(list, "<conference jid='a@rooms.lit' name='mine'/>")) << list;
  EXPECT_TRUE(has(list, "jid='b@rooms.lit'"));
}

TEST_F(BookmarksTest, for_who_has_no_bookmarks_it_is_written_once_that_there_are_none) {
  Session& phone = comes("juliet@capulet.lit/phone");
  EXPECT_TRUE(has(private_list(phone), "<storage xmlns='storage:bookmarks'/>"));
  EXPECT_TRUE(has(items(phone, "storage:bookmarks"), "<item-not-found"));
  EXPECT_EQ(scene.stage.disk.last().number, 1U);
  EXPECT_EQ(nodes().find("storage:bookmarks"), nullptr);
  EXPECT_EQ(nodes().find("urn:xmpp:bookmarks:1"), nullptr);
}

TEST_F(BookmarksTest, xep0411_what_was_private_is_not_published_at_an_open_node) {
  Session& phone = comes("juliet@capulet.lit/phone");
  publish(phone, orchard, "urn:xmpp:bookmarks:1", "open");
  publish(phone, "<item id='current'><x xmlns='x'/></item>", "storage:bookmarks", "open");
  EXPECT_EQ(nodes().find("storage:bookmarks")->config.access_model, xmpp::AccessModel::whitelist);
  set_private(phone, conference("a@rooms.lit"));
  EXPECT_EQ(nodes().find("urn:xmpp:bookmarks:1")->config.access_model, xmpp::AccessModel::whitelist);
  EXPECT_TRUE(has(publish_list(phone, conference("b@rooms.lit"), "open"), "<precondition-not-met"));
  EXPECT_FALSE(has(private_list(phone), "b@rooms.lit"));
}

TEST_F(BookmarksTest, who_leaves_out_the_publish_options_has_private_bookmarks_too) {
  Session& phone = comes("juliet@capulet.lit/phone");
  for (const char* room : {"a@rooms.lit", "b@rooms.lit"}) {
    EXPECT_TRUE(has(ask(phone, "set",
                        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:bookmarks:1'><item "
                        "id='" +
                            std::string(room) +
                            "'><conference xmlns='urn:xmpp:bookmarks:1'/></item></publish>"
                            "</pubsub>"),
                    "type='result'"));
  }
  EXPECT_EQ(nodes().find("urn:xmpp:bookmarks:1")->config.access_model, xmpp::AccessModel::whitelist);
  EXPECT_EQ(stored("urn:xmpp:bookmarks:1").size(), 2U);
}

TEST_F(BookmarksTest, nobody_else_reads_or_writes_the_list) {
  Session& phone = comes("juliet@capulet.lit/phone");
  set_private(phone, conference("a@rooms.lit"));
  Session& tybalt = comes("tybalt@capulet.lit/street");
  const auto foreign = [&](const std::string& type, const std::string& payload) {
    scene.says(tybalt, "<iq type='" + type + "' id='q' to='juliet@capulet.lit'>" + payload + "</iq>");
    return scene.got(tybalt).back();
  };
  EXPECT_TRUE(has(foreign("get", "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>"),
                  "type='error'"));
  EXPECT_TRUE(has(foreign("get",
                          "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items "
                          "node='storage:bookmarks'/></pubsub>"),
                  "type='error'"));
  EXPECT_TRUE(has(foreign("set",
                          "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish "
                          "node='storage:bookmarks'><item id='current'><storage xmlns='storage:bookmarks'/>"
                          "</item></publish></pubsub>"),
                  "<forbidden"));
  EXPECT_TRUE(has(private_list(phone), "a@rooms.lit"));
}

TEST_F(BookmarksTest, lists_that_are_written_side_by_side_come_one_after_the_other) {
  Session& one = comes("juliet@capulet.lit/one", {});
  Session& two = comes("juliet@capulet.lit/two", {});
  const auto set = [&](Session& session, const std::string& content) {
    scene.stage.iq(session, "<iq type='set' id='q'><query xmlns='jabber:iq:private'>" + std::string(open_list) +
                                content + "</storage></query></iq>");
  };
  set(one, conference("a@rooms.lit"));
  set(two, conference("b@rooms.lit"));
  scene.stage.disk.reverse();
  scene.settle();
  EXPECT_TRUE(has(scene.got(one).back(), "type='result'"));
  EXPECT_TRUE(has(scene.got(two).back(), "type='result'"));
  EXPECT_TRUE(has(private_list(one), "b@rooms.lit"));
  EXPECT_FALSE(has(private_list(one), "a@rooms.lit"));
}

TEST_F(BookmarksTest, who_cannot_be_served_by_the_disk_is_told_to_wait) {
  Session& phone = comes("juliet@capulet.lit/phone");
  scene.stage.disk.failing_reads = true;
  EXPECT_TRUE(has(private_list(phone), "type='wait'"));
  EXPECT_TRUE(has(set_private(phone, conference("a@rooms.lit")), "type='wait'"));
  scene.stage.disk.failing_reads = false;
  scene.stage.disk.failing_writes = true;
  EXPECT_TRUE(has(set_private(phone, conference("a@rooms.lit")), "type='wait'"));
  scene.stage.disk.failing_writes = false;
  EXPECT_TRUE(has(private_list(phone), "<storage xmlns='storage:bookmarks'/>"));
  EXPECT_TRUE(has(set_private(phone, conference("a@rooms.lit")), "type='result'"));
  EXPECT_TRUE(has(items(phone), "a@rooms.lit"));
}

TEST_F(BookmarksTest, is_announced_on_the_account) {
  Session& phone = comes("juliet@capulet.lit/phone");
  const std::string info = ask(phone, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
  for (const char* feature :
       {"urn:xmpp:bookmarks:1#compat", "urn:xmpp:bookmarks:1#compat-pep", "urn:xmpp:bookmarks-conversion:0"}) {
    EXPECT_TRUE(has(info, "<feature var='" + std::string(feature) + "'/>")) << feature;
  }
}

}  // namespace
}  // namespace kith::modules
