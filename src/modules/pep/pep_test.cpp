#include "modules/pep/testing_pep.h"

namespace kith::modules {
namespace {

using module::testing::element;
using pep::testing::Client;
using pep::testing::PepTest;
using pep::testing::Session;
using pep::testing::Subscription;
using pep::testing::tune;

TEST_F(PepTest, xep0163_what_is_published_reaches_who_wants_it) {
  Session& juliet = comes("juliet@capulet.lit/balcony", listener);
  Session& romeo = comes("romeo@capulet.lit/orchard", listener);
  Session& other = comes("romeo@capulet.lit/home", deaf);
  scene.forget_all();
  EXPECT_TRUE(has(publish(juliet, song), "<publish node='http://jabber.org/protocol/tune'><item id='1'/></publish>"));
  EXPECT_EQ(count(events, "pubsub#event"), 1U);  // its own client wants it, too
  const auto told = scene.got(romeo);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(has(told[0], "type='headline'"));
  EXPECT_TRUE(has(told[0], "from='juliet@capulet.lit'"));
  EXPECT_TRUE(has(told[0], "to='romeo@capulet.lit/orchard'"));
  EXPECT_TRUE(has(told[0], "<item id='1'><tune xmlns='http://jabber.org/protocol/tune'>a</tune></item>"));
  EXPECT_TRUE(scene.got(other).empty());
}

TEST_F(PepTest, the_newest_item_comes_with_presence) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  publish(juliet, song);
  Session& romeo = comes("romeo@capulet.lit/orchard", listener);
  auto told = scene.got(romeo);
  ASSERT_EQ(count(told, "pubsub#event"), 1U);
  EXPECT_EQ(count(told, "<delay"), 1U);
  // The same presence again brings nothing.
  scene.says(romeo, listener.presence);
  EXPECT_EQ(count(scene.got(romeo), "pubsub#event"), 0U);
  // Coming back does.
  scene.says(romeo, "<presence type='unavailable'/>");
  scene.says(romeo, listener.presence);
  EXPECT_EQ(count(scene.got(romeo), "pubsub#event"), 1U);
  // Her own new client hears, too.
  comes("juliet@capulet.lit/phone", listener);
  EXPECT_EQ(count(before_answers, "pubsub#event"), 1U);
}

TEST_F(PepTest, a_known_hash_is_not_asked_again) {
  comes("juliet@capulet.lit/balcony", listener);
  Session& phone = scene.bind("juliet@capulet.lit/phone");
  scene.says(phone, listener.presence);
  EXPECT_EQ(answer_questions(phone, listener), 0U);
}

TEST_F(PepTest, a_forged_hash_counts_for_the_forger_only) {
  Session& romeo = scene.bind("romeo@capulet.lit/orchard");
  scene.says(romeo, deaf.presence);
  // His client claims the hash of another, and answers with more than that has.
  Client liar{listener.query, deaf.presence};
  EXPECT_GE(answer_questions(romeo, liar), 1U);
  Session& juliet = scene.bind("juliet@capulet.lit/balcony");
  scene.says(juliet, deaf.presence);
  EXPECT_EQ(answer_questions(juliet, deaf), 1U);
  scene.forget_all();
  publish(juliet, song);
  EXPECT_EQ(count(events, "pubsub#event"), 0U);
}

TEST_F(PepTest, an_answer_of_somebody_else_is_none) {
  Session& juliet = scene.bind("juliet@capulet.lit/balcony");
  scene.says(juliet, listener.presence);
  std::string id;
  for (const std::string& line : scene.got(juliet)) {
    if (line.starts_with("<iq")) id = module::testing::stanza(line).id();
  }
  ASSERT_FALSE(id.empty());
  Session& phone = scene.bind("juliet@capulet.lit/phone");
  scene.says(phone, "<iq type='result' id='" + id + "'>" + listener.query + "</iq>");
  scene.says(phone, "<presence/>");
  publish(phone, song);
  EXPECT_EQ(count(scene.got(juliet), "pubsub#event"), 0U);
}

TEST_F(PepTest, access_models_open_to_whom_they_name) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  Session& romeo = comes("romeo@capulet.lit/orchard", deaf);
  Session& tybalt = comes("tybalt@capulet.lit/street", deaf);
  scene.stage.account("juliet@capulet.lit")
      .roster()
      .put({.contact = module::testing::bare("romeo@capulet.lit"),
            .groups = {"Lovers"},
            .state = {.subscription = Subscription::both}});
  struct Case {
    const char* node;
    std::string options;
    const char* contact;
    const char* stranger;
  };
  const char* stranger_hears = "presence-subscription-required";
  const Case cases[] = {
      {"open", field("access_model", "open"), "", ""},
      {"presence", "", "", stranger_hears},
      {"roster", field("access_model", "roster") + field("roster_groups_allowed", "Lovers"), "", stranger_hears},
      {"others", field("access_model", "roster") + field("roster_groups_allowed", "Foes"), "not-in-roster-group",
       stranger_hears},
      {"authorize", field("access_model", "authorize"), "not-subscribed", stranger_hears},
      {"whitelist", field("access_model", "whitelist"), "closed-node", stranger_hears},
  };
  for (const Case& one : cases) {
    ASSERT_TRUE(has(publish(juliet, "<item id='1'><a xmlns='urn:a'/></item>", one.node, one.options), "result"));
    EXPECT_TRUE(has(items(juliet, "juliet@capulet.lit", one.node), "<a xmlns='urn:a'/>")) << one.node;
    const std::string contact = items(romeo, "juliet@capulet.lit", one.node);
    EXPECT_TRUE(has(contact, *one.contact == 0 ? "<a xmlns='urn:a'/>" : one.contact)) << one.node << contact;
    const std::string stranger = items(tybalt, "juliet@capulet.lit", one.node);
    EXPECT_TRUE(has(stranger, *one.stranger == 0 ? "<a xmlns='urn:a'/>" : one.stranger)) << one.node << stranger;
  }
  // A stranger hears the same of what is closed to him, of what there isn't, and of whom there isn't.
  const std::string closed = items(tybalt, "juliet@capulet.lit", "whitelist");
  EXPECT_EQ(items(tybalt, "juliet@capulet.lit", "nothing"), closed);
  EXPECT_TRUE(has(items(tybalt, "nobody@capulet.lit", "x"), stranger_hears));
  const std::string none = items(romeo, "juliet@capulet.lit", "nothing");
  EXPECT_TRUE(has(none, "item-not-found"));
  EXPECT_TRUE(has(none, "code='404'"));
}

TEST_F(PepTest, nobody_publishes_for_another) {
  comes("juliet@capulet.lit/balcony", deaf);
  Session& romeo = comes("romeo@capulet.lit/orchard", deaf);
  Session& tybalt = comes("tybalt@capulet.lit/street", deaf);
  EXPECT_TRUE(has(publish(romeo, song, "x", "", "juliet@capulet.lit"), "item-not-found"));
  EXPECT_TRUE(has(publish(tybalt, song, "x", "", "juliet@capulet.lit"), "forbidden"));
  EXPECT_TRUE(has(publish(tybalt, song, "x", "", "nobody@capulet.lit"), "forbidden"));
  EXPECT_TRUE(nodes().nodes().empty());
  const auto owner_request = [&](Session& who, const std::string& request, std::string_view type = "set") {
    return ask(who, type, "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>" + request + "</pubsub>",
               "juliet@capulet.lit");
  };
  EXPECT_TRUE(has(owner_request(romeo, "<delete node='x'/>"), "forbidden"));
  EXPECT_TRUE(has(owner_request(romeo, "<configure node='x'/>", "get"), "forbidden"));
}

TEST_F(PepTest, publish_options_make_a_node_and_are_conditions_for_one_that_is_there) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  const std::string options = field("access_model", "open") + field("max_items", "max");
  const char* bundle = "<item id='1'><b xmlns='urn:b'/></item>";
  EXPECT_TRUE(has(publish(juliet, bundle, "n", options), "result"));
  EXPECT_EQ(nodes().find("n")->config.access_model, xmpp::AccessModel::open);
  EXPECT_EQ(nodes().find("n")->config.max_items, std::nullopt);
  EXPECT_TRUE(has(publish(juliet, bundle, "n", options), "result"));
  const std::string refused = publish(juliet, bundle, "n", field("access_model", "whitelist"));
  EXPECT_TRUE(has(refused, "<conflict"));
  EXPECT_TRUE(has(refused, "precondition-not-met"));
  EXPECT_TRUE(has(publish(juliet, bundle, "n", field("no_such_field", "1")), "precondition-not-met"));
  EXPECT_TRUE(has(publish(juliet, bundle, "m", field("no_such_field", "1")), "precondition-not-met"));
  EXPECT_TRUE(has(publish(juliet, bundle, "m", field("max_items", "5000")), "not-acceptable"));
  EXPECT_TRUE(has(publish(juliet, bundle, "m", field("access_model", "nobody")), "not-acceptable"));
  EXPECT_EQ(nodes().find("m"), nullptr);
}

TEST_F(PepTest, what_is_no_item_is_refused_and_the_node_is_as_it_was) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  EXPECT_TRUE(has(publish(juliet, ""), "item-required"));
  EXPECT_TRUE(has(publish(juliet, "<item id='1'/>"), "payload-required"));
  EXPECT_TRUE(has(publish(juliet, "<item id='1'><a xmlns='urn:a'/><b xmlns='urn:b'/></item>"), "invalid-payload"));
  EXPECT_TRUE(has(publish(juliet, song, ""), "nodeid-required"));
  EXPECT_TRUE(nodes().nodes().empty());
  EXPECT_TRUE(has(publish(juliet, song, "typed", field("type", tune)), "result"));
  EXPECT_TRUE(has(publish(juliet, "<item id='2'><a xmlns='urn:a'/></item>", "typed"), "invalid-payload"));
  EXPECT_TRUE(has(items(juliet, "juliet@capulet.lit", "typed"), "<item id='1'>"));
  scene.stage.limits.pubsub_item_bytes = 100;
  EXPECT_TRUE(has(publish(juliet, "<item id='3'><a xmlns='urn:a'>" + std::string(200, 'x') + "</a></item>", "n"),
                  "payload-too-big"));
}

TEST_F(PepTest, nodes_and_bytes_have_limits) {
  scene.stage.limits.pubsub_nodes = 2;
  scene.stage.limits.pubsub_owner_bytes = 300;
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  EXPECT_TRUE(has(publish(juliet, song, "a"), "result"));
  EXPECT_TRUE(has(publish(juliet, song, "b"), "result"));
  EXPECT_TRUE(fails(publish(juliet, song, "c"), "wait", "policy-violation", "max-nodes-exceeded"));
  EXPECT_EQ(nodes().nodes().size(), 2U);
  // What is replaced takes no room twice.
  const std::string large = "<item id='1'><a xmlns='urn:a'>" + std::string(100, 'x') + "</a></item>";
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(has(publish(juliet, large, "a"), "result")) << i;
  EXPECT_TRUE(has(publish(juliet, large, "b"), "result"));
  EXPECT_TRUE(has(publish(juliet, "<item id='2'><a xmlns='urn:a'>" + std::string(200, 'x') + "</a></item>", "b"),
                  "policy-violation"));
  EXPECT_TRUE(has(publish(juliet, song, "b"), "result"));
}

TEST_F(PepTest, items_are_taken_back_one_by_one_and_all_at_once) {
  Session& juliet = comes("juliet@capulet.lit/balcony", listener);
  publish(juliet, song, tune, field("max_items", "10"));
  publish(juliet, "<item id='2'><tune xmlns='http://jabber.org/protocol/tune'/></item>");
  const auto retract = [&](std::string_view id) {
    return ask(juliet, "set",
               "<pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='" + std::string(tune) +
                   "'><item id='" + std::string(id) + "'/></retract></pubsub>");
  };
  EXPECT_TRUE(has(retract("1"), "result"));
  EXPECT_EQ(count(events, "<retract id='1'/>"), 1U);
  EXPECT_TRUE(has(retract("1"), "item-not-found"));
  EXPECT_TRUE(has(retract(""), "item-required"));
  const std::string left = items(juliet, "juliet@capulet.lit");
  EXPECT_FALSE(has(left, "id='1'"));
  EXPECT_TRUE(has(left, "id='2'"));
  const auto owner_request = [&](const std::string& request) {
    return ask(juliet, "set", "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>" + request + "</pubsub>");
  };
  EXPECT_TRUE(has(owner_request("<purge node='" + std::string(tune) + "'/>"), "result"));
  EXPECT_EQ(count(events, "<purge"), 1U);
  EXPECT_FALSE(has(items(juliet, "juliet@capulet.lit"), "<item "));
  EXPECT_TRUE(has(owner_request("<delete node='" + std::string(tune) + "'/>"), "result"));
  EXPECT_EQ(count(events, "<delete"), 1U);
  EXPECT_TRUE(has(items(juliet, "juliet@capulet.lit"), "item-not-found"));
}

TEST_F(PepTest, a_subscription_is_asked_for_approved_and_ended) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  Session& romeo = comes("romeo@capulet.lit/orchard", deaf);
  publish(juliet, song, tune, field("access_model", "authorize"));
  const auto subscription = [&](const std::string& what, const std::string& jid) {
    return ask(romeo, "set",
               "<pubsub xmlns='http://jabber.org/protocol/pubsub'><" + what + " node='" + std::string(tune) +
                   "' jid='" + jid + "'/></pubsub>",
               "juliet@capulet.lit");
  };
  EXPECT_TRUE(has(subscription("subscribe", "tybalt@capulet.lit"), "invalid-jid"));
  EXPECT_TRUE(has(subscription("unsubscribe", "romeo@capulet.lit"), "not-subscribed"));
  EXPECT_TRUE(has(subscription("subscribe", "romeo@capulet.lit"), "subscription='pending'"));
  EXPECT_TRUE(has(items(romeo, "juliet@capulet.lit"), "not-subscribed"));
  EXPECT_TRUE(
      has(ask(juliet, "set",
              "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions node='" + std::string(tune) +
                  "'><subscription jid='romeo@capulet.lit' subscription='subscribed'/></subscriptions>"
                  "</pubsub>"),
          "result"));
  const auto told = scene.got(romeo);
  EXPECT_EQ(count(told, "subscription='subscribed'"), 1U);
  EXPECT_EQ(count(told, "<item id='1'>"), 1U);
  EXPECT_TRUE(has(items(romeo, "juliet@capulet.lit"), "<item id='1'>"));
  publish(juliet, song);
  EXPECT_EQ(count(scene.got(romeo), "pubsub#event"), 1U);
  EXPECT_TRUE(has(subscription("unsubscribe", "romeo@capulet.lit"), "result"));
  publish(juliet, song);
  EXPECT_EQ(count(scene.got(romeo), "pubsub#event"), 0U);
}

TEST_F(PepTest, who_is_blocked_hears_nothing) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  Session& romeo = comes("romeo@capulet.lit/orchard", listener);
  scene.stage.account("juliet@capulet.lit").block_list().add(module::testing::jid("romeo@capulet.lit"));
  publish(juliet, song);
  EXPECT_EQ(count(scene.got(romeo), "pubsub#event"), 0U);
}

TEST_F(PepTest, who_is_let_in_gets_the_newest_at_once) {
  scene.stage.subscribe("juliet@capulet.lit", "romeo@capulet.lit", Subscription::to);
  scene.stage.subscribe("romeo@capulet.lit", "juliet@capulet.lit", Subscription::from);
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  publish(juliet, song);
  Session& romeo = comes("romeo@capulet.lit/orchard", listener);
  EXPECT_EQ(count(scene.got(romeo), "pubsub#event"), 0U);
  publish(juliet, song);
  EXPECT_EQ(count(scene.got(romeo), "pubsub#event"), 0U);
  scene.says(romeo, "<presence type='subscribe' to='juliet@capulet.lit'/>");
  scene.says(juliet, "<presence type='subscribed' to='romeo@capulet.lit'/>");
  EXPECT_EQ(count(scene.got(romeo), "pubsub#event"), 1U);
}

TEST_F(PepTest, what_the_disk_refuses_is_told_to_nobody) {
  Session& juliet = comes("juliet@capulet.lit/balcony", listener);
  publish(juliet, song, "old");
  scene.stage.disk.failing_writes = true;
  EXPECT_TRUE(has(publish(juliet, song), "internal-server-error"));
  EXPECT_EQ(count(events, "pubsub#event"), 0U);
  scene.stage.disk.failing_writes = false;
  scene.settle();
  EXPECT_EQ(nodes().nodes().size(), 1U);
  EXPECT_TRUE(has(publish(juliet, song), "result"));
  EXPECT_EQ(count(events, "pubsub#event"), 1U);
}

TEST_F(PepTest, an_item_that_is_older_never_comes_behind_a_newer_one) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  publish(juliet, song);
  Session& romeo = comes("romeo@capulet.lit/orchard", listener);
  scene.says(romeo, "<presence type='unavailable'/>");
  scene.got(romeo);
  // His presence makes the server read the item; before the answer comes, there is a newer one.
  auto presence = module::testing::stanza(listener.presence);
  presence.set_from(romeo.jid());
  presence.set_to(module::testing::bare("juliet@capulet.lit"));
  module::PresenceToAccount event{juliet.account(), presence, {}};
  scene.stage.hooks.run(event);
  romeo.set_presence(presence, 0, scene.stage.clock.wall());
  publish(juliet, "<item id='2'><tune xmlns='http://jabber.org/protocol/tune'>b</tune></item>");
  const auto told = scene.got(romeo);
  ASSERT_GE(count(told, "pubsub#event"), 1U);
  EXPECT_EQ(count(told, "<item id='1'>"), 0U);
}

TEST_F(PepTest, configuration_is_read_and_changed_by_the_owner) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  const auto owner_request = [&](std::string_view type, const std::string& request) {
    return ask(juliet, type, "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>" + request + "</pubsub>");
  };
  const auto configure = [&](const std::string& fields) {
    return owner_request("set",
                         "<configure node='n'><x xmlns='jabber:x:data' type='submit'>" + fields + "</x></configure>");
  };
  EXPECT_TRUE(has(ask(juliet, "set",
                      "<pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='n'/><configure><x "
                      "xmlns='jabber:x:data' type='submit'>" +
                          field("max_items", "3") + field("title", "Mine") + "</x></configure></pubsub>"),
                  "result"));
  EXPECT_TRUE(has(ask(juliet, "set", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='n'/></pubsub>"),
                  "conflict"));
  for (const char* id : {"1", "2", "3"}) {
    publish(juliet, "<item id='" + std::string(id) + "'><a xmlns='urn:a'/></item>", "n");
  }
  EXPECT_TRUE(has(owner_request("get", "<configure node='n'/>"), "<value>Mine</value>"));
  EXPECT_TRUE(has(owner_request("get", "<default/>"), "pubsub#access_model"));
  EXPECT_TRUE(has(configure(field("persist_items", "maybe")), "not-acceptable"));
  EXPECT_TRUE(has(configure(field("max_items", "1")), "result"));
  const std::string left = items(juliet, "juliet@capulet.lit", "n");
  EXPECT_FALSE(has(left, "id='2'"));
  EXPECT_TRUE(has(left, "id='3'"));
  // What is stored says the same after a start.
  const auto stored = module::NodeList(scene.stage.pubsub.data_of(module::testing::bare("juliet@capulet.lit")));
  EXPECT_EQ(stored.find("n")->config, nodes().find("n")->config);
  EXPECT_EQ(stored.find("n")->config.title, "Mine");
}

TEST_F(PepTest, items_come_by_id_by_number_and_by_page) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  for (const char* id : {"a", "b", "c"}) {
    publish(juliet, "<item id='" + std::string(id) + "'><a xmlns='urn:a'/></item>", "n", field("max_items", "max"));
  }
  const auto get = [&](const std::string& what, const std::string& more = {}) {
    return ask(juliet, "get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'>" + what + more + "</pubsub>");
  };
  const std::string two = get("<items node='n' max_items='2'/>");
  EXPECT_FALSE(has(two, "id='a'"));
  EXPECT_TRUE(has(two, "id='c'"));
  EXPECT_TRUE(has(get("<items node='n' max_items='0'/>"), "bad-request"));
  const std::string one = get("<items node='n'><item id='b'/><item id='z'/></items>");
  EXPECT_TRUE(has(one, "<item id='b'>"));
  EXPECT_FALSE(has(one, "<item id='z'>"));
  const std::string page =
      get("<items node='n'/>", "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max><after>a</after></set>");
  EXPECT_TRUE(has(page, "<item id='b'>"));
  EXPECT_FALSE(has(page, "<item id='c'>"));
  EXPECT_TRUE(has(page, "<count>3</count>"));
  EXPECT_TRUE(has(get("<items node='n'/>",
                      "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max><after>z</after>"
                      "</set>"),
                  "item-not-found"));
  EXPECT_TRUE(has(get("<items/>"), "nodeid-required"));
  EXPECT_TRUE(has(get("<options node='n'/>"), "subscription-options"));
  EXPECT_TRUE(has(get("<nonsense/>"), "feature-not-implemented"));
}

TEST_F(PepTest, an_account_says_that_it_can_and_shows_its_nodes) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  Session& romeo = comes("romeo@capulet.lit/orchard", deaf);
  Session& tybalt = comes("tybalt@capulet.lit/street", deaf);
  publish(juliet, song, "open", field("access_model", "open") + field("title", "Open"));
  publish(juliet, song, "closed", field("access_model", "whitelist"));
  publish(juliet, song, "mine");
  const std::string info = ask(juliet, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
  EXPECT_TRUE(has(info, "<identity category='pubsub' type='pep'/>"));
  EXPECT_TRUE(has(info, "'http://jabber.org/protocol/pubsub#publish-options'"));
  const auto list = [&](Session& who) {
    return ask(who, "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "juliet@capulet.lit");
  };
  EXPECT_TRUE(has(list(juliet), "node='closed'"));
  EXPECT_TRUE(has(list(romeo), "node='mine'"));
  EXPECT_FALSE(has(list(romeo), "node='closed'"));
  EXPECT_TRUE(has(list(tybalt), "node='open'"));
  EXPECT_FALSE(has(list(tybalt), "node='mine'"));
  const auto about = [&](Session& who, std::string_view node) {
    return ask(who, "get", "<query xmlns='http://jabber.org/protocol/disco#info' node='" + std::string(node) + "'/>",
               "juliet@capulet.lit");
  };
  EXPECT_TRUE(has(about(romeo, "open"), "type='leaf'"));
  EXPECT_TRUE(has(about(romeo, "closed"), "closed-node"));
  EXPECT_TRUE(has(about(romeo, "none"), "item-not-found"));
}

TEST_F(PepTest, questions_and_watchers_are_bounded) {
  scene.stage.limits.pep_questions = 1;
  scene.stage.limits.pep_watchers = 1;
  Session& one = scene.bind("juliet@capulet.lit/1");
  scene.says(one, listener.presence);
  Session& two = scene.bind("juliet@capulet.lit/2");
  scene.says(two, deaf.presence);
  EXPECT_EQ(answer_questions(two, deaf), 0U);
  // What is never answered makes room again.
  scene.stage.clock.advance(std::chrono::seconds(61));
  scene.stage.timers.advance(scene.stage.clock.now());
  scene.says(two, deaf.presence);
  EXPECT_EQ(answer_questions(two, deaf), 1U);
}

// SECURITY: a contact's server can make up any number of clients.
TEST_F(PepTest, nobody_takes_the_room_of_all_others) {
  scene.stage.account("juliet@capulet.lit")
      .roster()
      .put({.contact = module::testing::bare("paris@denmark.lit"), .state = {.subscription = Subscription::both}});
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  const auto arrives = [&](int number, const std::string& presence) {
    std::string from = presence;
    scene.arrives(from.replace(
        0, 9, "<presence to='juliet@capulet.lit' from='paris@denmark.lit/" + std::to_string(number) + "'"));
  };
  scene.outside.clear();
  for (int i = 0; i < 60; ++i) arrives(i, Client::with({"urn:never:answered" + std::to_string(i)}).presence);
  EXPECT_EQ(count(scene.outside, "disco#info"), 50U);
  Session& romeo = comes("romeo@capulet.lit/orchard", listener);
  EXPECT_EQ(romeo.available(), true);
  for (int i = 100; i < 160; ++i) arrives(i, listener.presence);
  scene.outside.clear();
  publish(juliet, song);
  EXPECT_EQ(count(scene.outside, "pubsub#event"), 50U);
  EXPECT_EQ(count(scene.got(romeo), "pubsub#event"), 1U);
}

TEST_F(PepTest, a_full_account_can_replace_what_it_has) {
  scene.stage.limits.pubsub_owner_bytes = 300;
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  const auto large = [](const std::string& id, char c) {
    return "<item id='" + id + "'><a xmlns='urn:a'>" + std::string(240, c) + "</a></item>";
  };
  EXPECT_TRUE(has(publish(juliet, large("1", 'x'), "a"), "result"));
  EXPECT_TRUE(has(publish(juliet, large("1", 'y'), "a"), "result"));
  // A node that keeps one item has room for another id.
  EXPECT_TRUE(has(publish(juliet, large("2", 'z'), "a"), "result"));
  EXPECT_TRUE(has(items(juliet, "juliet@capulet.lit", "a"), "zzz"));
  EXPECT_TRUE(has(publish(juliet, large("1", 'x'), "b"), "policy-violation"));
  EXPECT_EQ(nodes().find("b"), nullptr);
  // Where several are kept, the same id is replaced, and another is one too many.
  scene.says(juliet,
             "<iq type='set' id='d'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete "
             "node='a'/></pubsub></iq>");
  scene.got(juliet);
  const std::string many = field("max_items", "max");
  EXPECT_TRUE(has(publish(juliet, large("1", 'x'), "c", many), "result"));
  EXPECT_TRUE(has(publish(juliet, large("1", 'y'), "c", many), "result"));
  EXPECT_TRUE(has(publish(juliet, large("2", 'x'), "c", many), "policy-violation"));
  EXPECT_TRUE(has(items(juliet, "juliet@capulet.lit", "c"), "yyy"));
}

TEST_F(PepTest, xep0060_the_owner_is_asked_whether_somebody_may_subscribe) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  Session& romeo = comes("romeo@capulet.lit/orchard", deaf);
  publish(juliet, song, tune, field("access_model", "authorize"));
  scene.forget_all();
  const auto subscribe = [&] {
    return ask(romeo, "set",
               "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='" + std::string(tune) +
                   "' jid='romeo@capulet.lit'/></pubsub>",
               "juliet@capulet.lit");
  };
  const auto answer = [&](const std::string& type, const std::string& allow, Session& who) {
    scene.says(who, "<message id='approve1' to='juliet@capulet.lit'><x xmlns='jabber:x:data' type='" + type +
                        "'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#subscribe_authorization"
                        "</value></field><field var='pubsub#node'><value>" +
                        std::string(tune) +
                        "</value></field><field var='pubsub#subscriber_jid'><value>romeo@capulet.lit</value></field>"
                        "<field var='pubsub#allow'><value>" +
                        allow + "</value></field></x></message>");
  };
  EXPECT_TRUE(has(subscribe(), "subscription='pending'"));
  const auto asked = scene.got(juliet);
  ASSERT_EQ(count(asked, "pubsub#subscribe_authorization"), 1U);
  EXPECT_TRUE(has(asked.back(), "<value>romeo@capulet.lit</value>"));
  EXPECT_TRUE(has(asked.back(), "from='juliet@capulet.lit'"));
  // Asked once, however often he asks.
  EXPECT_TRUE(has(subscribe(), "pending-subscription"));
  EXPECT_TRUE(scene.got(juliet).empty());

  answer("cancel", "1", juliet);
  answer("submit", "1", romeo);  // he cannot answer for her
  EXPECT_TRUE(has(items(romeo, "juliet@capulet.lit"), "not-subscribed"));
  scene.got(juliet);
  answer("submit", "true", juliet);
  const auto told = scene.got(romeo);
  EXPECT_EQ(count(told, "subscription='subscribed'"), 1U);
  EXPECT_TRUE(has(items(romeo, "juliet@capulet.lit"), "<item id='1'>"));
  EXPECT_EQ(count(scene.got(juliet), "<message"), 0U);

  // What is decided is decided, and a refusal is told.
  answer("submit", "0", juliet);
  EXPECT_TRUE(has(items(romeo, "juliet@capulet.lit"), "<item id='1'>"));
  nodes().find(tune)->subscriptions.begin()->second = xmpp::NodeSubscription::pending;
  answer("submit", "0", juliet);
  EXPECT_EQ(count(scene.got(romeo), "subscription='none'"), 1U);
  EXPECT_TRUE(has(items(romeo, "juliet@capulet.lit"), "not-subscribed"));
}

TEST_F(PepTest, xep0060_a_nodes_items_are_listed_to_who_may_read_it) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  Session& romeo = comes("romeo@capulet.lit/orchard", deaf);
  const std::string options = field("max_items", "max");
  publish(juliet, "<item id='a'><t xmlns='t'/></item>", "n", options);
  publish(juliet, "<item id='b'><t xmlns='t'/></item>", "n", options);
  publish(juliet, "<item id='c'><t xmlns='t'/></item>", "closed", field("access_model", "whitelist"));
  const auto list = [&](Session& who, const std::string& node) {
    return ask(who, "get", "<query xmlns='http://jabber.org/protocol/disco#items' node='" + node + "'/>",
               "juliet@capulet.lit");
  };
  EXPECT_TRUE(has(list(romeo, "n"),
                  "<query xmlns='http://jabber.org/protocol/disco#items' node='n'>"
                  "<item jid='juliet@capulet.lit' name='a'/><item jid='juliet@capulet.lit' name='b'/>"
                  "</query>"))
      << list(romeo, "n");
  EXPECT_TRUE(has(list(romeo, "closed"), "item-not-found"));
  EXPECT_TRUE(has(list(juliet, "closed"), "name='c'"));
  EXPECT_TRUE(has(list(romeo, "none"), "item-not-found"));
}

TEST_F(PepTest, xep0292_a_vcard4_is_kept_as_it_is_and_told_of) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  Session& romeo = comes("romeo@capulet.lit/orchard", Client::with({"urn:xmpp:vcard4+notify"}));
  scene.forget_all();
  const std::string card =
      "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>Juliet</text></fn><n><surname>Capulet</surname>"
      "<given>Juliet</given><additional/></n></vcard>";
  publish(juliet, "<item>" + card + "</item>", "urn:xmpp:vcard4", field("access_model", "open"));
  const auto told = scene.got(romeo);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(has(told[0], card)) << told[0];
  EXPECT_TRUE(has(items(romeo, "juliet@capulet.lit", "urn:xmpp:vcard4"), card));
}

TEST_F(PepTest, ten_thousand_nodes_are_two_hundred) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  std::size_t refused = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (has(publish(juliet, song, "node" + std::to_string(i)), "policy-violation")) ++refused;
  }
  EXPECT_EQ(refused, 9'800U);
  EXPECT_EQ(nodes().nodes().size(), 200U);
  EXPECT_EQ(scene.stage.pubsub.nodes.size(), 200U);
  // What was there goes on.
  EXPECT_TRUE(has(publish(juliet, song, "node0"), "result"));
}

TEST_F(PepTest, more_items_than_a_node_may_have_are_refused_together) {
  scene.stage.limits.pubsub_items = 3;
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  std::string many;
  for (int i = 0; i < 4; ++i) many += "<item id='" + std::to_string(i) + "'><t xmlns='t'/></item>";
  EXPECT_TRUE(has(publish(juliet, many, "n", field("max_items", "max")), "max-items-exceeded"));
  EXPECT_EQ(nodes().find("n"), nullptr);
  // One after the other, the oldest go.
  for (int i = 0; i < 5; ++i) {
    publish(juliet, "<item id='" + std::to_string(i) + "'><t xmlns='t'/></item>", "n", field("max_items", "max"));
  }
  EXPECT_EQ(scene.stage.pubsub.nodes.begin()->second.items.size(), 3U);
}

TEST_F(PepTest, what_is_in_a_wrong_namespace_is_nothing) {
  Session& juliet = comes("juliet@capulet.lit/balcony", deaf);
  EXPECT_TRUE(has(publish(juliet, "<item xmlns='urn:wrong' id='1'><t xmlns='t'/></item>"), "item-required"));
  EXPECT_TRUE(has(ask(juliet, "set",
                      "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish xmlns='urn:wrong' node='n'/>"
                      "</pubsub>"),
                  "feature-not-implemented"));
  EXPECT_TRUE(has(ask(juliet, "set",
                      "<pubsub xmlns='http://jabber.org/protocol/pubsub'><configure "
                      "xmlns='http://jabber.org/protocol/pubsub#owner' node='n'/></pubsub>"),
                  "feature-not-implemented"));
  EXPECT_TRUE(nodes().nodes().empty());
}

TEST_F(PepTest, two_devices_that_publish_at_once_both_count) {
  Session& one = comes("juliet@capulet.lit/one", deaf);
  Session& two = comes("juliet@capulet.lit/two", deaf);
  const auto request = [&](Session& who, const std::string& id, const std::string& model) {
    scene.stage.iq(who, "<iq type='set' id='" + id +
                            "'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish "
                            "node='n'><item id='" +
                            id +
                            "'><t xmlns='t'/></item></publish><publish-options><x "
                            "xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
                            "http://jabber.org/protocol/pubsub#publish-options</value></field>" +
                            field("access_model", model) + field("max_items", "max") +
                            "</x></publish-options></pubsub></iq>");
  };
  request(one, "a", "open");
  request(two, "b", "open");
  request(two, "c", "whitelist");  // it wants another node than the one that is made already
  scene.stage.disk.reverse();
  scene.settle();
  EXPECT_TRUE(has(scene.got(one).back(), "type='result'"));
  const auto answers = scene.got(two);
  EXPECT_EQ(count(answers, "type='result'"), 1U);
  EXPECT_EQ(count(answers, "precondition-not-met"), 1U);
  const std::string there = items(one, "juliet@capulet.lit", "n");
  EXPECT_TRUE(has(there, "id='a'") && has(there, "id='b'") && !has(there, "id='c'")) << there;
  EXPECT_EQ(nodes().find("n")->config.access_model, xmpp::AccessModel::open);
}

}  // namespace
}  // namespace kith::modules
