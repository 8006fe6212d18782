#include "modules/disco/disco.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing.h"
#include "xmpp/caps.h"

namespace kith::modules {
namespace {

using module::testing::error_of;
using module::testing::Stage;
using testing::ElementsAre;
using testing::IsEmpty;
namespace ns = xmpp::ns;

/// Stands for any other feature.
class Juggling final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{.name = "juggling",
                                                 .summary = "Throws balls",
                                                 .server_features = {"urn:juggling", ns::disco_info},
                                                 .account_features = {"urn:juggling"}};
  explicit Juggling(const module::ModuleDeps&) {}
  void attach(module::Hooks&) override {}
};

/// Adds an extended form to the server's info, as long as it has something to say.
struct Notice {
  void add(module::DiscoInfo& event) {
    if (event.target != module::Target::server || !event.node.empty() || text.empty()) return;
    event.query.add(
        module::testing::element("<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>"
                                 "<value>urn:notice</value></field><field var='text'><value>" +
                                 text + "</value></field></x>"));
  }
  std::string text;
};

class DiscoTest : public testing::Test {
 protected:
  DiscoTest() { stage.use<Disco>(); }

  std::vector<std::string> features(const xml::Element& query) {
    std::vector<std::string> found;
    query.for_each_child([&](const xml::Element& child) {
      if (child.name() == "feature") found.emplace_back(child.attribute("var").value());
    });
    return found;
  }
  std::vector<std::string> items(const xmpp::Stanza& reply) {
    EXPECT_EQ(reply.type(), xmpp::StanzaType::result) << error_of(reply);
    std::vector<std::string> found;
    reply.payload()->for_each_child(
        [&](const xml::Element& item) { found.emplace_back(item.attribute("jid").value()); });
    return found;
  }
  xmpp::Stanza ask(std::string_view from, std::string_view to, std::string_view what, std::string_view node = {}) {
    stage.iq_from(from, "<iq type='get' id='d1' to='" + std::string(to) +
                            "'><query xmlns='http://jabber.org/protocol/disco#" + std::string(what) + "'" +
                            (node.empty() ? "" : " node='" + std::string(node) + "'") + "/></iq>");
    return stage.answer();
  }

  Stage stage;
};

TEST_F(DiscoTest, the_server_says_who_it_is_and_what_its_features_can_do) {
  stage.use<Juggling>();
  const auto reply = ask("romeo@montague.lit/orchard", "capulet.lit", "info");
  ASSERT_EQ(reply.type(), xmpp::StanzaType::result);
  const xml::Element& query = *reply.payload();
  EXPECT_EQ(query.attribute("node"), std::nullopt);
  const xml::Element* identity = query.child("identity", ns::disco_info);
  ASSERT_NE(identity, nullptr);
  EXPECT_EQ(identity->attribute("category"), "server");
  EXPECT_EQ(identity->attribute("type"), "im");
  EXPECT_EQ(identity->attribute("name"), "capulet.lit");
  EXPECT_THAT(features(query), ElementsAre(ns::caps, ns::disco_info, ns::disco_items, "urn:juggling"));
}

TEST_F(DiscoTest, the_hash_in_the_stream_features_is_that_of_the_whole_answer) {
  Notice notice{"closed on Sundays"};
  stage.hooks.on<module::DiscoInfo>(&notice, &Notice::add);
  const auto features = stage.stream_features(true);
  const xml::Element* c = features.child("c", ns::caps);
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->attribute("hash"), "sha-1");
  const std::string node = std::string(c->attribute("node").value()) + "#" + std::string(c->attribute("ver").value());

  const auto reply = ask("juliet@capulet.lit/balcony", "capulet.lit", "info", node);
  ASSERT_EQ(reply.type(), xmpp::StanzaType::result);
  EXPECT_EQ(reply.payload()->attribute("node"), node);
  EXPECT_NE(reply.payload()->child("x", ns::data_forms), nullptr);
  EXPECT_EQ(xmpp::caps_hash(*reply.payload()), c->attribute("ver"));
}

TEST_F(DiscoTest, a_form_changes_the_hash) {
  Notice notice;
  stage.hooks.on<module::DiscoInfo>(&notice, &Notice::add);
  const std::string before(stage.stream_features(true).child("c", ns::caps)->attribute("ver").value());
  notice.text = "closed on Sundays";
  EXPECT_NE(stage.stream_features(true).child("c", ns::caps)->attribute("ver"), before);
}

TEST_F(DiscoTest, no_capabilities_before_login) {
  EXPECT_EQ(stage.stream_features(false).child("c", ns::caps), nullptr);
}

TEST_F(DiscoTest, a_hash_that_is_not_in_force_is_an_unknown_node) {
  EXPECT_EQ(error_of(ask("juliet@capulet.lit/balcony", "capulet.lit", "info", "urn:kith:server#AAAA")),
            "item-not-found");
  EXPECT_EQ(error_of(ask("juliet@capulet.lit/balcony", "capulet.lit", "info", "urn:kith:server")), "item-not-found");
}

TEST_F(DiscoTest, an_unknown_node_is_not_found) {
  EXPECT_EQ(error_of(ask("juliet@capulet.lit/balcony", "capulet.lit", "info", "music")), "item-not-found");
  EXPECT_EQ(error_of(ask("juliet@capulet.lit/balcony", "capulet.lit", "items", "music")), "item-not-found");
  stage.account("juliet@capulet.lit");
  EXPECT_EQ(error_of(ask("juliet@capulet.lit/balcony", "juliet@capulet.lit", "info", "music")), "item-not-found");
  EXPECT_EQ(error_of(ask("juliet@capulet.lit/balcony", "juliet@capulet.lit", "items", "music")), "item-not-found");
}

struct Library {
  module::Outcome describe(module::DiscoInfo& event) {
    if (event.node != "music") return module::Next{};
    event.query.add(xml::Element("identity", ns::disco_info).set("category", "hierarchy").set("type", "branch"));
    return module::Done{};
  }
  module::Outcome list(module::DiscoItems& event) {
    if (event.node != "music") return module::Next{};
    event.query.add(xml::Element("item", ns::disco_items).set("jid", "capulet.lit").set("node", "music/D"));
    return module::Done{};
  }
};

TEST_F(DiscoTest, a_feature_answers_for_its_node) {
  Library library;
  stage.hooks.on<module::DiscoInfo>(module::Phase::annotate, &library, &Library::describe);
  stage.hooks.on<module::DiscoItems>(module::Phase::annotate, &library, &Library::list);
  const auto info = ask("juliet@capulet.lit/balcony", "capulet.lit", "info", "music");
  EXPECT_EQ(info.payload()->attribute("node"), "music");
  EXPECT_EQ(info.payload()->child("identity", ns::disco_info)->attribute("type"), "branch");
  const auto list = ask("juliet@capulet.lit/balcony", "capulet.lit", "items", "music");
  EXPECT_EQ(list.payload()->attribute("node"), "music");
  EXPECT_THAT(items(list), ElementsAre("capulet.lit"));
}

TEST_F(DiscoTest, an_account_is_described_to_itself_and_to_who_may_see_its_presence) {
  stage.use<Juggling>();
  auto& juliet = stage.bind("juliet@capulet.lit/balcony");
  stage.iq(juliet, "<iq type='get' id='d1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
  const auto own = stage.answer();
  EXPECT_EQ(own.payload()->child("identity", ns::disco_info)->attribute("category"), "account");
  EXPECT_EQ(own.payload()->child("identity", ns::disco_info)->attribute("type"), "registered");
  EXPECT_THAT(features(*own.payload()), ElementsAre(ns::disco_info, ns::disco_items, "urn:juggling"));

  stage.subscribe("juliet@capulet.lit", "romeo@montague.lit", xmpp::Subscription::from);
  EXPECT_EQ(ask("romeo@montague.lit/orchard", "juliet@capulet.lit", "info")
                .element()
                .child("query", ns::disco_info)
                ->children(),
            own.payload()->children());
}

TEST_F(DiscoTest, to_a_stranger_an_account_looks_like_none) {
  stage.bind_available("juliet@capulet.lit/balcony");
  stage.subscribe("juliet@capulet.lit", "tybalt@montague.lit", xmpp::Subscription::to);
  for (const char* stranger :
       {"romeo@montague.lit/orchard", "tybalt@montague.lit/x", "montague.lit", "nurse@capulet.lit/x"}) {
    for (const char* target : {"juliet@capulet.lit", "nobody@capulet.lit"}) {
      EXPECT_EQ(error_of(ask(stranger, target, "info")), "service-unavailable") << stranger << target;
      EXPECT_EQ(error_of(ask(stranger, target, "info", "music")), "service-unavailable") << stranger << target;
      // XEP-0030 §10: here it is an empty list.
      EXPECT_THAT(items(ask(stranger, target, "items")), IsEmpty()) << stranger << target;
      EXPECT_THAT(items(ask(stranger, target, "items", "music")), IsEmpty()) << stranger << target;
    }
  }
}

TEST_F(DiscoTest, an_accounts_items_are_its_available_resources) {
  stage.bind_available("juliet@capulet.lit/balcony");
  stage.bind("juliet@capulet.lit/hidden");
  stage.bind_available("juliet@capulet.lit/chamber");
  stage.subscribe("juliet@capulet.lit", "romeo@montague.lit", xmpp::Subscription::both);
  EXPECT_THAT(items(ask("romeo@montague.lit/orchard", "juliet@capulet.lit", "items")),
              ElementsAre("juliet@capulet.lit/balcony", "juliet@capulet.lit/chamber"));
}

TEST_F(DiscoTest, the_server_has_no_items_of_its_own) {
  EXPECT_THAT(items(ask("romeo@montague.lit/orchard", "capulet.lit", "items")), IsEmpty());
}

TEST_F(DiscoTest, a_set_is_nobodys_business) {
  stage.iq_from("romeo@montague.lit/orchard",
                "<iq type='set' id='d1' to='capulet.lit'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
  EXPECT_EQ(error_of(stage.answer()), "service-unavailable");
}

}  // namespace
}  // namespace kith::modules
