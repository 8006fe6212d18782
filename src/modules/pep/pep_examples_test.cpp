// The examples of XEP-0163, XEP-0222, XEP-0223 and XEP-0060 that an account's nodes can play, by their numbers (in the
// order of the document). A request and its answer are one test. Of XEP-0060's there are left out: those of other
// addresses (4, 5), of a service that does less than this one (19, 25, 39, 82, 88, 106, 107, 124, 126, 127, 130, 136,
// 141, 144, 155, 156, 166, 186, 191, 199, 204, 205), of payment and anonymous users (34, 35, 92, 127), of subscription
// options, identifiers and leases (43–45, 49, 53–71, 84, 85, 104, 118, 216–225), of collections, redirects and full
// nodes that refuse (40, 108, 158), of the command get-pending (176–183), and of addresses as text (227–236).
#include "modules/pep/testing_pep.h"

namespace kith::modules {
namespace {

using module::testing::bare;
using pep::testing::Client;
using pep::testing::PepTest;
using pep::testing::Session;
using pep::testing::Subscription;
using pep::testing::tune;

constexpr const char* finzi =
    "<tune xmlns='http://jabber.org/protocol/tune'><artist>Gerald Finzi</artist><length>255</length>"
    "<source>Music for \"Love's Labors Lost\" (Suite for small orchestra)</source>"
    "<title>Introduction (Allegro vigoroso)</title><track>1</track></tune>";
constexpr const char* entry =
    "<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title>"
    "<summary>\nTo be, or not to be: that is the question:\n</summary>"
    "<link rel='alternate' type='text/html' href='http://denmark.lit/2003/12/13/atom03'/></entry>";
constexpr const char* musings = "princely_musings";

class ExamplesTest : public PepTest {
 protected:
  ExamplesTest() {
    juliet = &comes("juliet@capulet.lit/balcony", listener);
    romeo = &comes("romeo@capulet.lit/orchard", listener);
    scene.forget_all();
  }
  std::string asks(Session& who, std::string_view type, const std::string& payload) {
    return ask(who, type, payload, "juliet@capulet.lit");
  }
  std::string own(std::string_view type, const std::string& payload) { return ask(*juliet, type, payload); }
  /// Her node, with these items, that everybody may read.
  void musings_with(const std::vector<std::string>& ids, const std::string& options = field("access_model", "open")) {
    for (const std::string& id : ids) {
      const std::string answer =
          publish(*juliet, "<item id='" + id + "'>" + entry + "</item>", musings, options + field("max_items", "10"));
      EXPECT_TRUE(has(answer, "type='result'")) << answer;
    }
    if (ids.empty()) {
      EXPECT_TRUE(
          has(own("set", pubsub("<create node='princely_musings'/><configure>" + submitted(options) + "</configure>")),
              "type='result'"));
    }
    scene.forget_all();
  }
  static std::string subscribing(const std::string& what = "subscribe", const std::string& jid = "romeo@capulet.lit",
                                 const std::string& node = musings) {
    return pubsub("<" + what + " node='" + node + "' jid='" + jid + "'/>");
  }
  static std::string empty_result(const std::string& to = "romeo@capulet.lit/orchard") {
    return "<iq from='juliet@capulet.lit' id='q' to='" + to + "' type='result'/>";
  }
  static bool is_empty_result(const std::string& answer) {
    return has(answer, "type='result'") && answer.ends_with("/>") && !has(answer, "><");
  }
  std::vector<std::string> told(Session& who) { return scene.got(who); }
  static std::string items_of(const std::vector<std::string>& ids) {
    std::string all = "<items node='princely_musings'>";
    for (const std::string& id : ids) all += "<item id='" + id + "'>" + entry + "</item>";
    return all + "</items>";
  }
  void becomes(const char* who, const std::string& affiliation) {
    EXPECT_TRUE(has(own("set", owner_pubsub("<affiliations node='princely_musings'><affiliation jid='" +
                                            std::string(who) + "' affiliation='" + affiliation + "'/></affiliations>")),
                    "type='result'"));
  }

  Session* juliet = nullptr;
  Session* romeo = nullptr;
};

// --- XEP-0163

TEST_F(ExamplesTest, xep0163_examples_1_to_3_and_6_a_song_reaches_who_is_interested) {
  scene.stage.account("nurse@capulet.lit");
  scene.stage.subscribe("juliet@capulet.lit", "nurse@capulet.lit", Subscription::both);
  scene.stage.subscribe("nurse@capulet.lit", "juliet@capulet.lit", Subscription::both);
  Session& nurse = comes("nurse@capulet.lit/chamber", listener);
  Session& chamber = comes("juliet@capulet.lit/chamber", listener);
  Session& tybalt = comes("tybalt@capulet.lit/street", listener);
  scene.forget_all();
  const std::string answer = publish(*juliet, "<item>" + std::string(finzi) + "</item>");
  EXPECT_TRUE(has(answer, "<publish node='http://jabber.org/protocol/tune'><item id='")) << answer;
  std::vector<std::string> all = told(*romeo);
  for (Session* session : {&nurse, &chamber}) {
    for (std::string& line : told(*session)) all.push_back(std::move(line));
  }
  all.insert(all.end(), events.begin(), events.end());
  ASSERT_EQ(all.size(), 4U);
  for (const std::string& line : all) {
    EXPECT_TRUE(has(line, "from='juliet@capulet.lit'"));
    EXPECT_TRUE(has(line, "type='headline'"));
    EXPECT_TRUE(has(line, std::string("'>") + finzi + "</item></items></event></message>")) << line;
  }
  EXPECT_TRUE(told(tybalt).empty());
}

TEST_F(ExamplesTest, xep0163_examples_4_5_and_7_to_9_the_newest_song_meets_who_comes_online) {
  publish(*juliet, "<item>" + std::string(finzi) + "</item>");
  scene.says(*romeo, "<presence type='unavailable'/>");
  scene.forget_all();
  const Client exodus =
      Client::with({"http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/geoloc+notify",
                    "http://jabber.org/protocol/tune+notify"});
  comes("romeo@capulet.lit/orchard2", exodus);
  const auto line = scene.got("romeo@capulet.lit/orchard2");
  ASSERT_EQ(count(line, finzi), 1U);
  EXPECT_TRUE(has(line.back(), "<delay xmlns='urn:xmpp:delay' from='juliet@capulet.lit' stamp='")) << line.back();
}

TEST_F(ExamplesTest, xep0163_examples_10_and_11_the_account_answers_for_itself) {
  const std::string answer = asks(*juliet, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
  EXPECT_TRUE(has(answer, "<identity category='account' type='registered'/>"));
  EXPECT_TRUE(has(answer, "<identity category='pubsub' type='pep'/>"));
  for (const std::string feature :
       {"access-presence", "auto-create", "auto-subscribe", "config-node", "create-and-configure", "create-nodes",
        "filtered-notifications", "persistent-items", "publish", "retrieve-items", "subscribe"}) {
    EXPECT_TRUE(has(answer, "'http://jabber.org/protocol/pubsub#" + feature + "'")) << feature;
  }
}

// --- XEP-0222, XEP-0223

TEST_F(ExamplesTest, xep0222_examples_1_to_5_a_key_is_kept_for_friends) {
  scene.stage.account("juliet@capulet.lit")
      .roster()
      .put(
          {.contact = bare("romeo@capulet.lit"), .groups = {"Friends"}, .state = {.subscription = Subscription::both}});
  const Client wants_keys = Client::with({"urn:xmpp:tmp:pubkey+notify"});
  Session& reader = comes("romeo@capulet.lit/keys", wants_keys);
  Session& chamber = comes("juliet@capulet.lit/chamber", wants_keys);
  scene.forget_all();
  const std::string key =
      "<item id='julietRSAkey1hash'><key xmlns='urn:xmpp:tmp:pubkey'><x509cert>der</x509cert></key></item>";
  const std::string options = field("persist_items", "true") + field("send_last_published_item", "never") +
                              field("access_model", "roster") + field("roster_groups_allowed", "Friends");
  EXPECT_TRUE(has(publish(*juliet, key, "urn:xmpp:tmp:pubkey", options), "type='result'"));
  EXPECT_EQ(count(told(reader), key), 1U);
  EXPECT_EQ(count(told(chamber), key), 1U);
  EXPECT_TRUE(has(publish(*juliet, key, "urn:xmpp:tmp:pubkey"), "type='result'"));
  // Kept, and not sent to who comes online.
  Session& later = comes("romeo@capulet.lit/later", wants_keys);
  EXPECT_EQ(count(told(later), key), 0U);
  EXPECT_TRUE(has(items(later, "juliet@capulet.lit", "urn:xmpp:tmp:pubkey"), key));
}

TEST_F(ExamplesTest, xep0223_examples_1_to_4_what_is_private_reaches_ones_own_clients_alone) {
  const Client wants = Client::with({"urn:example:private+notify"});
  Session& balcony = comes("juliet@capulet.lit/b", wants);
  Session& chamber = comes("juliet@capulet.lit/chamber", wants);
  Session& reader = comes("romeo@capulet.lit/r", wants);
  scene.forget_all();
  const std::string options = field("persist_items", "true") + field("access_model", "whitelist");
  const std::string data = "<p xmlns='urn:example:private'>Gl0b3</p>";
  EXPECT_TRUE(has(publish(balcony, "<item>" + data + "</item>", "urn:example:private", options), "type='result'"));
  EXPECT_EQ(count(events, data), 1U);
  EXPECT_EQ(count(told(chamber), data), 1U);
  EXPECT_TRUE(told(reader).empty());
  EXPECT_TRUE(has(publish(balcony, "<item>" + data + "</item>", "urn:example:private"), "type='result'"));
}

TEST_F(ExamplesTest, xep0222_examples_6_and_7_xep0223_examples_5_and_6_the_server_says_it_too) {
  const std::string answer =
      ask(*juliet, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "capulet.lit");
  EXPECT_TRUE(has(answer, "<identity category='pubsub' type='pep'/>")) << answer;
  EXPECT_TRUE(has(answer, "<feature var='http://jabber.org/protocol/pubsub#publish-options'/>"));
}

// --- XEP-0060 §5: discovery

TEST_F(ExamplesTest, xep0060_examples_7_8_and_211_features) {
  const std::string answer = asks(*romeo, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
  EXPECT_TRUE(has(answer, "<feature var='http://jabber.org/protocol/pubsub'/>"));
  EXPECT_TRUE(has(answer, "<feature var='http://jabber.org/protocol/pubsub#pubsub-on-a-jid'/>"));
}

TEST_F(ExamplesTest, xep0060_examples_6_and_9_to_15_nodes_and_their_items) {
  musings_with({"1", "2"}, field("access_model", "open") + field("title", "Princely Musings (Atom)") +
                               field("type", "http://www.w3.org/2005/Atom"));
  EXPECT_TRUE(has(asks(*romeo, "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
                  "<item jid='juliet@capulet.lit' node='princely_musings' name='Princely Musings (Atom)'/>"));
  const std::string about =
      asks(*romeo, "get", "<query xmlns='http://jabber.org/protocol/disco#info' node='princely_musings'/>");
  EXPECT_TRUE(has(about, "<identity category='pubsub' type='leaf'"));
  EXPECT_TRUE(has(about, "<value>http://jabber.org/protocol/pubsub#meta-data</value>"));
  EXPECT_TRUE(has(about, "<field var='pubsub#type'><value>http://www.w3.org/2005/Atom</value></field>")) << about;
  EXPECT_TRUE(has(about, "<field var='pubsub#owner'><value>juliet@capulet.lit</value></field>"));
  // The owner's groups are nobody's business.
  EXPECT_FALSE(has(about, "roster_groups_allowed"));
  EXPECT_TRUE(
      has(asks(*romeo, "get", "<query xmlns='http://jabber.org/protocol/disco#items' node='princely_musings'/>"),
          "<item jid='juliet@capulet.lit' name='1'/><item jid='juliet@capulet.lit' name='2'/></query>"));
}

TEST_F(ExamplesTest, xep0060_examples_16_to_21_subscriptions_of_the_asker) {
  musings_with({});
  const std::string none = asks(*romeo, "get", pubsub("<subscriptions/>"));
  EXPECT_TRUE(has(none, pubsub("<subscriptions/>"))) << none;
  asks(*romeo, "set", subscribing());
  const std::string subscription =
      "<subscription node='princely_musings' jid='romeo@capulet.lit' subscription='subscribed'/>";
  EXPECT_TRUE(has(asks(*romeo, "get", pubsub("<subscriptions/>")),
                  pubsub("<subscriptions>" + subscription + "</subscriptions>")));
  EXPECT_TRUE(has(asks(*romeo, "get", pubsub("<subscriptions node='princely_musings'/>")),
                  pubsub("<subscriptions node='princely_musings'>" + subscription + "</subscriptions>")));
}

TEST_F(ExamplesTest, xep0060_examples_22_to_27_affiliations_of_the_asker) {
  musings_with({});
  EXPECT_TRUE(has(asks(*romeo, "get", pubsub("<affiliations/>")), pubsub("<affiliations/>")));
  becomes("romeo@capulet.lit", "publisher");
  const std::string affiliation = "<affiliation node='princely_musings' affiliation='publisher'/>";
  EXPECT_TRUE(
      has(asks(*romeo, "get", pubsub("<affiliations/>")), pubsub("<affiliations>" + affiliation + "</affiliations>")));
  EXPECT_TRUE(has(asks(*romeo, "get", pubsub("<affiliations node='princely_musings'/>")),
                  pubsub("<affiliations node='princely_musings'>" + affiliation + "</affiliations>")));
  EXPECT_TRUE(has(own("get", pubsub("<affiliations/>")), "<affiliation node='princely_musings' affiliation='owner'/>"));
}

// --- §6: subscribers

TEST_F(ExamplesTest, xep0060_examples_28_29_and_46_a_subscription_and_the_newest_item) {
  musings_with({"1", "2"});
  const std::string answer = asks(*romeo, "set", subscribing());
  EXPECT_TRUE(
      has(answer, pubsub("<subscription node='princely_musings' jid='romeo@capulet.lit' subscription='subscribed'/>")))
      << answer;
  ASSERT_EQ(count(events, "pubsub#event"), 1U);
  EXPECT_TRUE(has(events.front(), items_of({"2"})));
}

TEST_F(ExamplesTest, xep0060_example_30_another_cannot_be_subscribed) {
  musings_with({});
  EXPECT_TRUE(fails(asks(*romeo, "set", subscribing("subscribe", "tybalt@capulet.lit")), "modify", "bad-request",
                    "invalid-jid"));
  EXPECT_TRUE(fails(asks(*romeo, "set", pubsub("<subscribe node='princely_musings'/>")), "modify", "bad-request",
                    "invalid-jid"));
  // Another of one's own clients can.
  EXPECT_TRUE(
      has(asks(*romeo, "set", subscribing("subscribe", "romeo@capulet.lit/home")), "subscription='subscribed'"));
}

TEST_F(ExamplesTest, xep0060_examples_31_to_33_37_and_41_who_may_not_subscribe) {
  Session& tybalt = comes("tybalt@capulet.lit/street", deaf);
  musings_with({}, field("access_model", "presence"));
  EXPECT_TRUE(fails(asks(tybalt, "set", subscribing("subscribe", "tybalt@capulet.lit")), "auth", "not-authorized",
                    "presence-subscription-required"));
  const auto configured = [&](const std::string& fields) {
    EXPECT_TRUE(is_empty_result(
        own("set", owner_pubsub("<configure node='princely_musings'>" + submitted(fields) + "</configure>"))));
    return asks(*romeo, "set", subscribing());
  };
  EXPECT_TRUE(fails(configured(field("access_model", "roster") + field("roster_groups_allowed", "courtiers")), "auth",
                    "not-authorized", "not-in-roster-group"));
  EXPECT_TRUE(fails(configured(field("access_model", "whitelist")), "cancel", "not-allowed", "closed-node"));
  becomes("romeo@capulet.lit", "outcast");
  EXPECT_TRUE(fails(configured(field("access_model", "open")), "auth", "forbidden"));
  EXPECT_TRUE(
      fails(asks(*romeo, "set", subscribing("subscribe", "romeo@capulet.lit", "none")), "cancel", "item-not-found"));
}

TEST_F(ExamplesTest, xep0060_examples_36_and_42_a_subscription_waits_for_the_owner) {
  musings_with({}, field("access_model", "authorize"));
  EXPECT_TRUE(has(asks(*romeo, "set", subscribing()),
                  pubsub("<subscription node='princely_musings' jid='romeo@capulet.lit' subscription='pending'/>")));
  EXPECT_TRUE(fails(asks(*romeo, "set", subscribing()), "auth", "not-authorized", "pending-subscription"));
}

TEST_F(ExamplesTest, xep0060_example_38_too_many_subscriptions) {
  musings_with({});
  scene.stage.limits.pubsub_people = 1;
  asks(*romeo, "set", subscribing());
  EXPECT_TRUE(fails(asks(*romeo, "set", subscribing("subscribe", "romeo@capulet.lit/orchard")), "wait",
                    "policy-violation", "too-many-subscriptions"));
  // What is there already takes no more room.
  EXPECT_TRUE(has(asks(*romeo, "set", subscribing()), "subscription='subscribed'"));
}

TEST_F(ExamplesTest, xep0060_examples_47_48_and_50_to_52_a_subscription_ends) {
  musings_with({});
  EXPECT_TRUE(fails(asks(*romeo, "set", subscribing("unsubscribe")), "cancel", "unexpected-request", "not-subscribed"));
  EXPECT_TRUE(fails(asks(*romeo, "set", subscribing("unsubscribe", "tybalt@capulet.lit")), "auth", "forbidden"));
  EXPECT_TRUE(
      fails(asks(*romeo, "set", subscribing("unsubscribe", "romeo@capulet.lit", "none")), "cancel", "item-not-found"));
  asks(*romeo, "set", subscribing("subscribe", "romeo@capulet.lit/gone"));
  // §6.2.3.3: also that of a client which will not come back.
  EXPECT_TRUE(is_empty_result(asks(*romeo, "set", subscribing("unsubscribe", "romeo@capulet.lit/gone"))));
  EXPECT_TRUE(nodes().find(musings)->subscriptions.empty());
}

TEST_F(ExamplesTest, xep0060_examples_62_72_and_73_there_are_no_subscription_options) {
  musings_with({});
  for (const std::string what : {"<options node='princely_musings' jid='romeo@capulet.lit'/>", "<default/>"}) {
    const std::string answer = asks(*romeo, "get", pubsub(what));
    EXPECT_TRUE(fails(answer, "cancel", "feature-not-implemented", "unsupported")) << answer;
    EXPECT_TRUE(has(answer, "feature='subscription-options'"));
  }
}

TEST_F(ExamplesTest, xep0060_examples_74_to_76_all_items_or_a_page_of_them) {
  musings_with({"1", "2", "3"});
  EXPECT_TRUE(has(items(*romeo, "juliet@capulet.lit", musings), pubsub(items_of({"1", "2", "3"}))));
  const std::string page = asks(*romeo, "get",
                                pubsub("<items node='princely_musings'/><set xmlns='http://jabber.org/protocol/rsm'>"
                                       "<max>2</max></set>"));
  EXPECT_TRUE(has(page, items_of({"1", "2"}) + "<set xmlns='http://jabber.org/protocol/rsm'>")) << page;
  EXPECT_TRUE(has(page, "<last>2</last><count>3</count></set>")) << page;
}

TEST_F(ExamplesTest, xep0060_examples_77_80_and_81_the_newest_items) {
  musings_with({"1", "2", "3"});
  const auto newest = [&](const std::string& number) {
    return asks(*romeo, "get", pubsub("<items node='princely_musings' max_items='" + number + "'/>"));
  };
  EXPECT_TRUE(has(newest("1"), items_of({"3"})));
  EXPECT_TRUE(has(newest("2"), items_of({"2", "3"})));
  EXPECT_TRUE(has(newest("9"), items_of({"1", "2", "3"})));
}

TEST_F(ExamplesTest, xep0060_examples_78_79_83_and_95_items_by_their_ids) {
  musings_with({"1", "2", "3"});
  const auto named = [&](const std::string& ids) {
    return asks(*romeo, "get", pubsub("<items node='princely_musings'>" + ids + "</items>"));
  };
  EXPECT_TRUE(has(named("<item id='1'/><item id='3'/>"), pubsub(items_of({"1", "3"}))));
  EXPECT_TRUE(has(named("<item id='2'/>"), pubsub(items_of({"2"}))));
  EXPECT_TRUE(has(named("<item id='9'/>"), pubsub("<items node='princely_musings'/>")));
}

TEST_F(ExamplesTest, xep0060_example_82_no_items) {
  musings_with({});
  EXPECT_TRUE(has(items(*romeo, "juliet@capulet.lit", musings), pubsub("<items node='princely_musings'/>")));
}

TEST_F(ExamplesTest, xep0060_examples_86_to_94_who_gets_no_items) {
  Session& tybalt = comes("tybalt@capulet.lit/street", deaf);
  musings_with({}, field("access_model", "authorize"));
  const auto configured = [&](const std::string& fields) {
    own("set", owner_pubsub("<configure node='princely_musings'>" + submitted(fields) + "</configure>"));
    return items(*romeo, "juliet@capulet.lit", musings);
  };
  EXPECT_TRUE(fails(items(*romeo, "juliet@capulet.lit", musings), "auth", "not-authorized", "not-subscribed"));
  EXPECT_TRUE(fails(configured(field("access_model", "roster")), "auth", "not-authorized", "not-in-roster-group"));
  EXPECT_TRUE(fails(configured(field("access_model", "whitelist")), "cancel", "not-allowed", "closed-node"));
  const std::string transient = configured(field("access_model", "presence") + field("persist_items", "0"));
  EXPECT_TRUE(fails(transient, "cancel", "feature-not-implemented", "unsupported"));
  EXPECT_TRUE(has(transient, "feature='persistent-items'"));
  EXPECT_TRUE(
      fails(items(tybalt, "juliet@capulet.lit", musings), "auth", "not-authorized", "presence-subscription-required"));
  becomes("romeo@capulet.lit", "outcast");
  EXPECT_TRUE(fails(items(*romeo, "juliet@capulet.lit", musings), "auth", "forbidden"));
  EXPECT_TRUE(fails(items(*romeo, "juliet@capulet.lit", "none"), "cancel", "item-not-found"));
}

// --- §7: publishers

TEST_F(ExamplesTest, xep0060_examples_1_2_and_96_to_100_an_item_is_published) {
  musings_with({});
  asks(*romeo, "set", subscribing());
  const std::string named =
      publish(*juliet, "<item id='bnd81g37d61f49fgn581'>" + std::string(entry) + "</item>", musings);
  EXPECT_TRUE(has(named, pubsub("<publish node='princely_musings'><item id='bnd81g37d61f49fgn581'/></publish>")))
      << named;
  auto line = told(*romeo);
  ASSERT_EQ(line.size(), 1U);
  EXPECT_TRUE(has(line[0], items_of({"bnd81g37d61f49fgn581"})));
  EXPECT_TRUE(has(line[0], " id='"));
  const std::string unnamed = publish(*juliet, "<item>" + std::string(entry) + "</item>", musings);
  EXPECT_TRUE(has(unnamed, "<publish node='princely_musings'><item id='")) << unnamed;
}

TEST_F(ExamplesTest, xep0060_examples_3_and_113_what_is_neither_kept_nor_sent_along_is_no_item) {
  musings_with({}, field("access_model", "open") + field("persist_items", "0") + field("deliver_payloads", "0"));
  asks(*romeo, "set", subscribing());
  EXPECT_TRUE(fails(publish(*juliet, "<item id='1'>" + std::string(entry) + "</item>", musings), "modify",
                    "bad-request", "item-forbidden"));
  EXPECT_TRUE(told(*romeo).empty());
  EXPECT_TRUE(has(publish(*juliet, "", musings), pubsub("<publish node='princely_musings'/>")));
  const auto line = told(*romeo);
  ASSERT_EQ(line.size(), 1U);
  EXPECT_TRUE(has(line[0], "<items node='princely_musings'/></event>")) << line[0];
}

TEST_F(ExamplesTest, xep0060_examples_101_to_103_a_notification_without_payload) {
  musings_with({}, field("access_model", "open") + field("deliver_payloads", "0"));
  asks(*romeo, "set", subscribing());
  publish(*juliet, "<item id='1'>" + std::string(entry) + "</item>", musings);
  const auto line = told(*romeo);
  ASSERT_EQ(line.size(), 1U);
  EXPECT_TRUE(has(line[0], "<items node='princely_musings'><item id='1'/></items>"));
  EXPECT_TRUE(
      has(asks(*romeo, "get", pubsub("<items node='princely_musings'><item id='1'/></items>")), items_of({"1"})));
}

TEST_F(ExamplesTest, xep0060_example_105_who_may_not_publish) {
  musings_with({});
  EXPECT_TRUE(fails(
      asks(*romeo, "set", pubsub("<publish node='princely_musings'><item>" + std::string(entry) + "</item></publish>")),
      "auth", "forbidden"));
}

TEST_F(ExamplesTest, xep0060_examples_109_to_112_what_is_no_item) {
  scene.stage.limits.pubsub_item_bytes = 500;
  musings_with({"1"}, field("access_model", "open") + field("type", "http://www.w3.org/2005/Atom"));
  const std::string large = "<entry xmlns='http://www.w3.org/2005/Atom'>" + std::string(500, 'x') + "</entry>";
  EXPECT_TRUE(fails(publish(*juliet, "<item id='1'>" + large + "</item>", musings), "modify", "not-acceptable",
                    "payload-too-big"));
  EXPECT_TRUE(fails(publish(*juliet, "<item id='1'>" + std::string(entry) + entry + "</item>", musings), "modify",
                    "bad-request", "invalid-payload"));
  EXPECT_TRUE(fails(publish(*juliet, "<item id='1'><entry xmlns='urn:wrong'/></item>", musings), "modify",
                    "bad-request", "invalid-payload"));
  EXPECT_TRUE(fails(publish(*juliet, "", musings), "modify", "bad-request", "item-required"));
  EXPECT_TRUE(fails(publish(*juliet, "<item id='1'/>", musings), "modify", "bad-request", "payload-required"));
  EXPECT_TRUE(has(items(*romeo, "juliet@capulet.lit", musings), pubsub(items_of({"1"}))));
}

TEST_F(ExamplesTest, xep0060_example_114_options_are_conditions) {
  musings_with({});
  EXPECT_TRUE(
      fails(publish(*juliet, "<item>" + std::string(entry) + "</item>", musings, field("access_model", "presence")),
            "cancel", "conflict", "precondition-not-met"));
  EXPECT_TRUE(has(publish(*juliet, "<item>" + std::string(entry) + "</item>", musings, field("access_model", "open")),
                  "type='result'"));
}

TEST_F(ExamplesTest, xep0060_examples_115_to_117_an_item_is_deleted) {
  musings_with({"1", "2"}, field("access_model", "open") + field("notify_retract", "0"));
  asks(*romeo, "set", subscribing());
  scene.forget_all();
  EXPECT_TRUE(is_empty_result(own("set", pubsub("<retract node='princely_musings'><item id='1'/></retract>"))));
  EXPECT_TRUE(told(*romeo).empty());
  EXPECT_TRUE(
      is_empty_result(own("set", pubsub("<retract node='princely_musings' notify='true'><item id='2'/></retract>"))));
  const auto line = told(*romeo);
  ASSERT_EQ(line.size(), 1U);
  EXPECT_TRUE(has(line[0], "<items node='princely_musings'><retract id='2'/></items>"));
}

TEST_F(ExamplesTest, xep0060_examples_119_to_123_what_cannot_be_deleted) {
  musings_with({"1"});
  EXPECT_TRUE(fails(asks(*romeo, "set", pubsub("<retract node='princely_musings'><item id='1'/></retract>")), "auth",
                    "forbidden"));
  EXPECT_TRUE(fails(own("set", pubsub("<retract node='princely_musings'><item id='9'/></retract>")), "cancel",
                    "item-not-found"));
  EXPECT_TRUE(fails(own("set", pubsub("<retract node='none'><item id='1'/></retract>")), "cancel", "item-not-found"));
  EXPECT_TRUE(
      fails(own("set", pubsub("<retract><item id='1'/></retract>")), "modify", "bad-request", "nodeid-required"));
  EXPECT_TRUE(
      fails(own("set", pubsub("<retract node='princely_musings'/>")), "modify", "bad-request", "item-required"));
  EXPECT_TRUE(fails(own("set", pubsub("<retract node='princely_musings'><item/></retract>")), "modify", "bad-request",
                    "item-required"));
  own("set",
      owner_pubsub("<configure node='princely_musings'>" + submitted(field("persist_items", "0")) + "</configure>"));
  const std::string transient = own("set", pubsub("<retract node='princely_musings'><item id='1'/></retract>"));
  EXPECT_TRUE(fails(transient, "cancel", "feature-not-implemented", "unsupported"));
  EXPECT_TRUE(has(transient, "feature='persistent-items'"));
}

// --- §8: owners

TEST_F(ExamplesTest, xep0060_examples_125_and_128_to_138_nodes_are_made) {
  EXPECT_TRUE(is_empty_result(own("set", pubsub("<create node='princely_musings'/>"))));
  EXPECT_TRUE(fails(own("set", pubsub("<create node='princely_musings'/>")), "cancel", "conflict"));
  EXPECT_TRUE(fails(asks(*romeo, "set", pubsub("<create node='his'/>")), "auth", "forbidden"));
  const std::string instant = own("set", pubsub("<create/>"));
  EXPECT_TRUE(has(instant, "<create node='")) << instant;
  EXPECT_TRUE(is_empty_result(own(
      "set", pubsub("<create node='open'/><configure>" + submitted(field("access_model", "open")) + "</configure>"))));
  EXPECT_EQ(nodes().find("open")->config.access_model, xmpp::AccessModel::open);
  EXPECT_TRUE(fails(
      own("set", pubsub("<create node='odd'/><configure>" + submitted(field("access_model", "odd")) + "</configure>")),
      "modify", "not-acceptable"));
  EXPECT_EQ(nodes().find("odd"), nullptr);
}

TEST_F(ExamplesTest, xep0060_examples_139_140_142_143_and_145_the_configuration_is_asked_for) {
  musings_with({});
  const std::string form = own("get", owner_pubsub("<configure node='princely_musings'/>"));
  EXPECT_TRUE(has(form, "<configure node='princely_musings'><x xmlns='jabber:x:data' type='form'>"));
  EXPECT_TRUE(has(form, "<value>http://jabber.org/protocol/pubsub#node_config</value>"));
  for (const std::string var : {"title",
                                "deliver_notifications",
                                "deliver_payloads",
                                "notify_config",
                                "notify_delete",
                                "notify_retract",
                                "persist_items",
                                "max_items",
                                "item_expire",
                                "access_model",
                                "roster_groups_allowed",
                                "publish_model",
                                "send_last_published_item",
                                "max_payload_size",
                                "notification_type",
                                "type",
                                "itemreply",
                                "language",
                                "contact",
                                "node_type"}) {
    EXPECT_TRUE(has(form, "var='pubsub#" + var + "'")) << var;
  }
  EXPECT_TRUE(fails(asks(*romeo, "get", owner_pubsub("<configure node='princely_musings'/>")), "auth", "forbidden"));
  EXPECT_TRUE(fails(own("get", owner_pubsub("<configure/>")), "modify", "bad-request", "nodeid-required"));
  EXPECT_TRUE(fails(own("get", owner_pubsub("<configure node='none'/>")), "cancel", "item-not-found"));
}

TEST_F(ExamplesTest, xep0060_examples_146_to_149_the_configuration_is_changed) {
  musings_with({});
  const auto configure = [&](const std::string& form) {
    return own("set", owner_pubsub("<configure node='princely_musings'>" + form + "</configure>"));
  };
  // The form of the example, with the fields that only other services know.
  EXPECT_TRUE(is_empty_result(configure(submitted(
      field("title", "Princely Musings (Atom)") + field("deliver_notifications", "1") + field("deliver_payloads", "1") +
      field("persist_items", "1") + field("max_items", "10") + field("item_expire", "604800") +
      field("access_model", "roster") +
      "<field var='pubsub#roster_groups_allowed'><value>friends</value><value>servants</value></field>" +
      field("publish_model", "publishers") + field("purge_offline", "0") + field("send_last_published_item", "never") +
      field("presence_based_delivery", "false") + field("notification_type", "headline") + field("notify_config", "0") +
      field("notify_delete", "0") + field("notify_retract", "0") + field("notify_sub", "0") +
      field("max_payload_size", "1028") + field("type", "urn:example:e2ee:bundle") +
      field("body_xslt", "http://jabxslt.jabberstudio.org/atom_body.xslt")))));
  const xmpp::NodeConfig there = nodes().find(musings)->config;
  EXPECT_EQ(there.item_expire, 604800U);
  EXPECT_EQ(there.max_payload_size, 1028U);
  EXPECT_EQ(there.roster_groups_allowed, (std::vector<std::string>{"friends", "servants"}));
  EXPECT_TRUE(is_empty_result(configure("<x xmlns='jabber:x:data' type='cancel'/>")));
  EXPECT_TRUE(
      fails(configure(submitted(field("title", "x") + field("max_items", "many"))), "modify", "not-acceptable"));
  EXPECT_EQ(nodes().find(musings)->config, there);
}

TEST_F(ExamplesTest, xep0060_examples_150_and_151_subscribers_hear_of_a_new_configuration) {
  musings_with({}, field("access_model", "open") + field("notify_config", "1"));
  asks(*romeo, "set", subscribing());
  const auto retitled = [&](const std::string& title, const std::string& payloads) {
    own("set", owner_pubsub("<configure node='princely_musings'>" +
                            submitted(field("title", title) + field("deliver_payloads", payloads)) + "</configure>"));
    return told(*romeo);
  };
  const auto full = retitled("Musings", "1");
  ASSERT_EQ(full.size(), 1U);
  EXPECT_TRUE(has(full[0], "<configuration node='princely_musings'><x xmlns='jabber:x:data' type='result'>"))
      << full[0];
  EXPECT_TRUE(has(full[0], "<field var='pubsub#title'><value>Musings</value></field>"));
  EXPECT_FALSE(has(full[0], "roster_groups_allowed"));
  const auto only = retitled("More", "0");
  ASSERT_EQ(only.size(), 1U);
  EXPECT_TRUE(has(only[0], "<configuration node='princely_musings'/>"));
}

TEST_F(ExamplesTest, xep0060_examples_152_to_154_the_default_configuration) {
  const std::string form = own("get", owner_pubsub("<default/>"));
  EXPECT_TRUE(has(form, "<default><x xmlns='jabber:x:data' type='form'>"));
  EXPECT_TRUE(fails(asks(*romeo, "get", owner_pubsub("<default/>")), "auth", "forbidden"));
}

TEST_F(ExamplesTest, xep0060_examples_157_and_159_to_162_a_node_is_deleted) {
  musings_with({"1"}, field("access_model", "authorize"));
  asks(*romeo, "set", subscribing());  // he has not been answered yet, and hears of it all the same
  EXPECT_TRUE(fails(asks(*romeo, "set", owner_pubsub("<delete node='princely_musings'/>")), "auth", "forbidden"));
  EXPECT_TRUE(is_empty_result(own("set", owner_pubsub("<delete node='princely_musings'/>"))));
  const auto line = told(*romeo);
  ASSERT_EQ(line.size(), 1U);
  EXPECT_TRUE(
      has(line[0], "<event xmlns='http://jabber.org/protocol/pubsub#event'><delete node='princely_musings'/></event>"));
  EXPECT_TRUE(fails(own("set", owner_pubsub("<delete node='princely_musings'/>")), "cancel", "item-not-found"));
}

TEST_F(ExamplesTest, xep0060_examples_163_to_165_and_167_to_169_a_node_is_purged) {
  musings_with({"1", "2"});
  asks(*romeo, "set", subscribing());
  told(*romeo);
  EXPECT_TRUE(fails(asks(*romeo, "set", owner_pubsub("<purge node='princely_musings'/>")), "auth", "forbidden"));
  EXPECT_TRUE(is_empty_result(own("set", owner_pubsub("<purge node='princely_musings'/>"))));
  const auto line = told(*romeo);
  ASSERT_EQ(line.size(), 1U);
  EXPECT_TRUE(has(line[0], "<purge node='princely_musings'/>"));
  own("set",
      owner_pubsub("<configure node='princely_musings'>" + submitted(field("persist_items", "0")) + "</configure>"));
  EXPECT_TRUE(fails(own("set", owner_pubsub("<purge node='princely_musings'/>")), "cancel", "feature-not-implemented",
                    "unsupported"));
  EXPECT_TRUE(fails(own("set", owner_pubsub("<purge node='none'/>")), "cancel", "item-not-found"));
}

TEST_F(ExamplesTest, xep0060_examples_184_185_187_188_subscriptions_are_listed) {
  musings_with({});
  asks(*romeo, "set", subscribing());
  EXPECT_TRUE(
      has(own("get", owner_pubsub("<subscriptions node='princely_musings'/>")),
          "<subscriptions node='princely_musings'><subscription jid='romeo@capulet.lit' subscription='subscribed'/>"));
  EXPECT_TRUE(
      fails(asks(*romeo, "get", owner_pubsub("<subscriptions node='princely_musings'/>")), "auth", "forbidden"));
  EXPECT_TRUE(fails(own("get", owner_pubsub("<subscriptions node='none'/>")), "cancel", "item-not-found"));
}

TEST_F(ExamplesTest, xep0060_examples_172_174_189_190_and_192_to_196_subscriptions_are_changed) {
  musings_with({});
  const auto change = [&](const std::string& changes, const std::string& node = musings) {
    return own("set", owner_pubsub("<subscriptions node='" + node + "'>" + changes + "</subscriptions>"));
  };
  EXPECT_TRUE(is_empty_result(change("<subscription jid='romeo@capulet.lit' subscription='subscribed'/>")));
  EXPECT_EQ(
      count(told(*romeo), "<subscription node='princely_musings' jid='romeo@capulet.lit' subscription='subscribed'/>"),
      1U);
  EXPECT_TRUE(is_empty_result(change("<subscription jid='romeo@capulet.lit' subscription='none'/>")));
  EXPECT_EQ(count(told(*romeo), "<subscription node='princely_musings' jid='romeo@capulet.lit' subscription='none'/>"),
            1U);
  EXPECT_TRUE(has(change("<subscription jid='romeo@capulet.lit' subscription='odd'/>"), "type='error'"));
  EXPECT_TRUE(nodes().find(musings)->subscriptions.empty());
  EXPECT_TRUE(
      fails(change("<subscription jid='romeo@capulet.lit' subscription='none'/>", "none"), "cancel", "item-not-found"));
}

TEST_F(ExamplesTest, xep0060_examples_197_198_200_201_affiliations_are_listed) {
  musings_with({});
  becomes("tybalt@capulet.lit", "outcast");
  EXPECT_TRUE(has(own("get", owner_pubsub("<affiliations node='princely_musings'/>")),
                  "<affiliations node='princely_musings'><affiliation jid='juliet@capulet.lit' affiliation='owner'/>"
                  "<affiliation jid='tybalt@capulet.lit' affiliation='outcast'/></affiliations>"));
  EXPECT_TRUE(fails(asks(*romeo, "get", owner_pubsub("<affiliations node='princely_musings'/>")), "auth", "forbidden"));
  EXPECT_TRUE(fails(own("get", owner_pubsub("<affiliations node='none'/>")), "cancel", "item-not-found"));
}

TEST_F(ExamplesTest, xep0060_examples_202_203_and_206_to_209_affiliations_are_changed) {
  musings_with({});
  const auto change = [&](const std::string& changes) {
    return own("set", owner_pubsub("<affiliations node='princely_musings'>" + changes + "</affiliations>"));
  };
  EXPECT_TRUE(is_empty_result(change("<affiliation jid='romeo@capulet.lit' affiliation='publisher'/>")));
  // There is always an owner, and of several changes either all are made or none.
  EXPECT_TRUE(
      fails(change("<affiliation jid='juliet@capulet.lit' affiliation='none'/><affiliation jid='romeo@capulet.lit' "
                   "affiliation='none'/>"),
            "modify", "not-acceptable"));
  EXPECT_TRUE(
      fails(change("<affiliation jid='romeo@capulet.lit' affiliation='member'/><affiliation jid='romeo@capulet.lit' "
                   "affiliation='none'/>"),
            "modify", "bad-request"));
  EXPECT_TRUE(has(change("<affiliation jid='romeo@capulet.lit' affiliation='odd'/>"), "type='error'"));
  EXPECT_EQ(nodes().find(musings)->affiliation_of(bare("romeo@capulet.lit")), xmpp::Affiliation::publisher);
}

// --- §12

TEST_F(ExamplesTest, xep0060_section_8_7_what_somebody_becomes_decides_on_a_subscription) {
  musings_with({}, field("access_model", "authorize"));
  asks(*romeo, "set", subscribing());
  becomes("romeo@capulet.lit", "member");
  EXPECT_EQ(count(told(*romeo), "subscription='subscribed'"), 1U);
  becomes("romeo@capulet.lit", "outcast");
  EXPECT_EQ(count(told(*romeo), "subscription='none'"), 1U);
  EXPECT_TRUE(nodes().find(musings)->subscriptions.empty());
}

TEST_F(ExamplesTest, xep0060_example_220_an_item_names_who_published_it_if_the_node_says_so) {
  musings_with({}, field("access_model", "open") + field("publish_model", "open") + field("max_items", "10") +
                       field("itemreply", "publisher"));
  asks(*romeo, "set", subscribing());
  told(*romeo);
  // What the publisher says of it himself counts for nothing.
  const std::string item = "<item id='1' publisher='portia@merchantofvenice.lit'>" + std::string(entry) + "</item>";
  EXPECT_TRUE(
      has(asks(*romeo, "set", pubsub("<publish node='princely_musings'>" + item + "</publish>")), "type='result'"));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(has(events[0], "<item id='1' publisher='romeo@capulet.lit'>")) << events[0];
  EXPECT_TRUE(has(items(*romeo, "juliet@capulet.lit", musings), "<item id='1' publisher='romeo@capulet.lit'>"));
  publish(*juliet, "<item id='2'>" + std::string(entry) + "</item>", musings);
  EXPECT_TRUE(has(items(*romeo, "juliet@capulet.lit", musings), "<item id='2' publisher='juliet@capulet.lit'>"));
  const auto replies = [&](const std::string& whose) {
    own("set",
        owner_pubsub("<configure node='princely_musings'>" + submitted(field("itemreply", whose)) + "</configure>"));
    return items(*romeo, "juliet@capulet.lit", musings);
  };
  EXPECT_TRUE(has(replies("owner"), "<item id='1' publisher='juliet@capulet.lit'>"));
  EXPECT_FALSE(has(replies("none"), "publisher="));
}

TEST_F(ExamplesTest, xep0060_section_4_1_who_only_may_publish_rules_over_his_own_items) {
  Session& tybalt = comes("tybalt@capulet.lit/street", deaf);
  musings_with({"hers"}, field("access_model", "open") + field("publish_model", "open"));
  const auto puts = [&](Session& who, const std::string& id) {
    return asks(who, "set",
                pubsub("<publish node='princely_musings'><item id='" + id + "'>" + entry + "</item></publish>"));
  };
  const auto takes = [&](Session& who, const std::string& id) {
    return asks(who, "set", pubsub("<retract node='princely_musings'><item id='" + id + "'/></retract>"));
  };
  EXPECT_TRUE(has(puts(*romeo, "his"), "type='result'"));
  EXPECT_TRUE(has(puts(*romeo, "his"), "type='result'"));
  for (const std::string id : {"hers", "his"}) {
    EXPECT_TRUE(fails(puts(tybalt, id), "auth", "forbidden")) << id;
    EXPECT_TRUE(fails(takes(tybalt, id), "auth", "forbidden")) << id;
  }
  EXPECT_TRUE(fails(takes(*romeo, "hers"), "auth", "forbidden"));
  EXPECT_TRUE(is_empty_result(takes(*romeo, "his")));
  // Whom the owner has made a publisher looks after the node with her; who is to publish only does not.
  EXPECT_TRUE(has(puts(*romeo, "his"), "type='result'"));
  becomes("tybalt@capulet.lit", "publish-only");
  EXPECT_TRUE(fails(takes(tybalt, "his"), "auth", "forbidden"));
  becomes("tybalt@capulet.lit", "publisher");
  EXPECT_TRUE(is_empty_result(takes(tybalt, "his")));
  EXPECT_TRUE(is_empty_result(takes(*juliet, "hers")));
}

TEST_F(ExamplesTest, xep0060_section_12_19_more_items_at_once_than_the_node_keeps) {
  EXPECT_TRUE(fails(
      publish(*juliet, "<item id='1'>" + std::string(entry) + "</item><item id='2'>" + entry + "</item>", musings),
      "cancel", "not-allowed", "max-items-exceeded"));
  EXPECT_EQ(nodes().find(musings), nullptr);
}

TEST_F(ExamplesTest, xep0060_example_226_a_node_with_one_item) {
  publish(*juliet, "<item id='1'>" + std::string(entry) + "</item>", musings);
  publish(*juliet, "<item id='2'>" + std::string(entry) + "</item>", musings);
  EXPECT_TRUE(has(items(*romeo, "juliet@capulet.lit", musings), pubsub(items_of({"2"}))));
}

TEST_F(ExamplesTest, xep0060_section_16_4_4_items_expire) {
  musings_with({"1"}, field("access_model", "open") + field("item_expire", "60"));
  asks(*romeo, "set", subscribing());
  scene.stage.clock.advance(std::chrono::seconds(40));
  publish(*juliet, "<item id='2'>" + std::string(entry) + "</item>", musings);
  scene.stage.clock.advance(std::chrono::seconds(21));
  EXPECT_TRUE(has(items(*romeo, "juliet@capulet.lit", musings), pubsub(items_of({"2"}))));
  EXPECT_FALSE(has(asks(*romeo, "get", pubsub("<items node='princely_musings'><item id='1'/></items>")), "<item "));
  EXPECT_FALSE(
      has(asks(*romeo, "get", "<query xmlns='http://jabber.org/protocol/disco#items' node='princely_musings'/>"),
          "name='1'"));
  EXPECT_TRUE(fails(own("set", pubsub("<retract node='princely_musings'><item id='1'/></retract>")), "cancel",
                    "item-not-found"));
  const auto& stored = scene.stage.pubsub.nodes.at({bare("juliet@capulet.lit"), musings}).items;
  EXPECT_EQ(stored.size(), 2U);
  // It makes room with the next publication, or when one of her clients comes online.
  scene.says(*juliet, "<presence type='unavailable'/>");
  scene.says(*juliet, "<presence/>");
  EXPECT_EQ(stored.size(), 1U);
  scene.stage.clock.advance(std::chrono::seconds(60));
  // What has expired greets nobody.
  scene.forget_all();
  asks(*romeo, "set", subscribing("subscribe", "romeo@capulet.lit/orchard"));
  EXPECT_EQ(count(events, "pubsub#event"), 0U);
  EXPECT_TRUE(fails(own("set", owner_pubsub("<configure node='princely_musings'>" +
                                            submitted(field("item_expire", "0")) + "</configure>")),
                    "modify", "not-acceptable"));
  EXPECT_TRUE(is_empty_result(own("set", owner_pubsub("<configure node='princely_musings'>" +
                                                      submitted(field("item_expire", "max")) + "</configure>"))));
}

TEST_F(ExamplesTest, xep0060_section_16_4_4_what_clients_say_of_a_story) {
  const std::string options = field("node_type", "leaf") + field("type", "urn:xmpp:pubsub-social-feed:stories:0") +
                              field("access_model", "presence") + field("item_expire", "86400") +
                              field("persist_items", "1") + field("max_items", "120") + field("notify_retract", "1") +
                              field("language", "en") +
                              "<field var='pubsub#contact'><value>juliet@capulet.lit</value></field>";
  const std::string story = "<item id='1'><story xmlns='urn:xmpp:pubsub-social-feed:stories:0'/></item>";
  EXPECT_TRUE(has(publish(*juliet, story, "stories", options), "type='result'"));
  EXPECT_TRUE(has(publish(*juliet, story, "stories", options), "type='result'"));
  EXPECT_TRUE(fails(publish(*juliet, story, "other", field("node_type", "collection")), "modify", "not-acceptable"));
  const auto stored = module::NodeList(scene.stage.pubsub.data_of(bare("juliet@capulet.lit")));
  EXPECT_EQ(stored.find("stories")->config, nodes().find("stories")->config);
  EXPECT_EQ(stored.find("stories")->config.item_expire, 86400U);
}

TEST_F(ExamplesTest, xep0060_section_16_4_4_a_node_can_have_a_smaller_limit_of_its_own) {
  musings_with({"1"}, field("access_model", "open") + field("max_payload_size", "1000"));
  const std::string large =
      "<item id='2'><entry xmlns='http://www.w3.org/2005/Atom'>" + std::string(1000, 'x') + "</entry></item>";
  EXPECT_TRUE(fails(publish(*juliet, large, musings), "modify", "not-acceptable", "payload-too-big"));
  EXPECT_TRUE(is_empty_result(own("set", owner_pubsub("<configure node='princely_musings'>" +
                                                      submitted(field("max_payload_size", "")) + "</configure>"))));
  EXPECT_TRUE(has(publish(*juliet, large, musings), "type='result'"));
}

}  // namespace
}  // namespace kith::modules
