// Each access model (XEP-0060 §4.5) for each kind of reader, in everything that shows a node: its items, a subscription
// to it, its notifications, and service discovery.
#include <map>

#include "modules/pep/testing_pep.h"

namespace kith::modules {
namespace {

using pep::testing::PepTest;
using pep::testing::Session;
using pep::testing::Subscription;
using pep::testing::tune;

struct Reader {
  const char* who;
  const char* address;  ///< of another server if it is not at capulet.lit
  /// What keeps the reader from a node of this access model; "": nothing.
  const char* open;
  const char* presence;
  const char* roster;
  const char* authorize;
  const char* whitelist;
};

constexpr const char* stranger = "presence-subscription-required";
constexpr Reader readers[] = {
    {"the owner", "juliet@capulet.lit", "", "", "", "", ""},
    {"a contact in the group", "romeo@capulet.lit", "", "", "", "not-subscribed", "closed-node"},
    {"a contact outside of it", "nurse@capulet.lit", "", "", "not-in-roster-group", "not-subscribed", "closed-node"},
    {"a contact elsewhere", "horatio@denmark.lit", "", "", "not-in-roster-group", "not-subscribed", "closed-node"},
    {"one whose presence the owner sees", "paris@capulet.lit", "", stranger, stranger, stranger, stranger},
    {"a stranger", "tybalt@capulet.lit", "", stranger, stranger, stranger, stranger},
    {"a stranger elsewhere", "hamlet@denmark.lit", "", stranger, stranger, stranger, stranger},
    {"a stranger on the list", "friar@capulet.lit", "", "", "", "", ""},
    {"a contact who is cast out", "mercutio@capulet.lit", "forbidden", "forbidden", "forbidden", "forbidden",
     "forbidden"},
};

struct Model {
  const char* name;
  const char* Reader::* refusal;
};
constexpr Model models[] = {{"open", &Reader::open},
                            {"presence", &Reader::presence},
                            {"roster", &Reader::roster},
                            {"authorize", &Reader::authorize},
                            {"whitelist", &Reader::whitelist}};

class AccessTest : public PepTest, public testing::WithParamInterface<Model> {
 protected:
  AccessTest() {
    for (const Reader& reader : readers) {
      if (is_local(reader)) scene.stage.account(reader.address);
    }
    knows("romeo@capulet.lit", Subscription::both, "Lovers");
    knows("nurse@capulet.lit", Subscription::from, "Servants");
    knows("horatio@denmark.lit", Subscription::from, "Foreigners");
    knows("paris@capulet.lit", Subscription::to, "Lovers");
    knows("mercutio@capulet.lit", Subscription::both, "Lovers");
    juliet = &comes("juliet@capulet.lit/balcony", deaf);
    const std::string model = GetParam().name;
    publish(*juliet, song, tune,
            field("access_model", model) + (model == "roster" ? field("roster_groups_allowed", "Lovers") : ""));
    const std::string people = owner_pubsub(
        "<affiliations node='http://jabber.org/protocol/tune'>"
        "<affiliation jid='friar@capulet.lit' affiliation='member'/>"
        "<affiliation jid='mercutio@capulet.lit' affiliation='outcast'/></affiliations>");
    EXPECT_TRUE(has(ask(*juliet, "set", people), "type='result'"));
    for (const Reader& reader : readers) arrive(reader);
    scene.forget_all();
  }
  static bool is_local(const Reader& reader) { return std::string_view(reader.address).ends_with("@capulet.lit"); }
  static std::string full(const Reader& reader) { return std::string(reader.address) + "/reader"; }
  static bool may_read(const Reader& reader) { return *(reader.*GetParam().refusal) == 0; }
  void knows(const char* contact, Subscription subscription, const char* group) {
    scene.stage.account("juliet@capulet.lit")
        .roster()
        .put({.contact = module::testing::bare(contact), .groups = {group}, .state = {.subscription = subscription}});
    if (!std::string_view(contact).ends_with("@capulet.lit")) return;
    const Subscription theirs = subscription == Subscription::from ? Subscription::to
                                : subscription == Subscription::to ? Subscription::from
                                                                   : subscription;
    scene.stage.subscribe(contact, "juliet@capulet.lit", theirs);
  }
  /// Comes online with a client that wants the node's events, and tells Juliet even if nobody asked for it.
  void arrive(const Reader& reader) {
    if (is_local(reader)) {
      Session& session = comes(full(reader), listener);
      sessions[reader.address] = &session;
      std::string directed = listener.presence;
      scene.says(session, directed.replace(0, 9, "<presence to='juliet@capulet.lit'"));
      return;
    }
    std::string presence = listener.presence;
    scene.arrives(presence.replace(0, 9, "<presence from='" + full(reader) + "' to='juliet@capulet.lit'"));
  }
  std::string asks(const Reader& reader, std::string_view type, const std::string& payload) {
    if (!is_local(reader)) return ask_from_afar(full(reader), type, payload);
    return ask(*sessions.at(reader.address), type, payload, "juliet@capulet.lit");
  }
  /// How many notifications each reader got of what is published now.
  std::map<std::string, std::size_t> told_of_a_publication() {
    scene.forget_all();
    publish(*juliet, song);
    std::map<std::string, std::size_t> told;
    for (const auto& [address, session] : sessions) told[address] = count(scene.got(*session), "<items node=");
    for (const std::string& line : scene.outside) {
      for (const Reader& reader : readers) {
        if (has(line, std::string("to='") + reader.address) && has(line, "<items node=")) ++told[reader.address];
      }
    }
    return told;
  }
  static std::string subscription(const std::string& what, const Reader& reader) {
    return pubsub("<" + what + " node='http://jabber.org/protocol/tune' jid='" + reader.address + "'/>");
  }

  Session* juliet = nullptr;
  std::map<std::string, Session*> sessions;
};

TEST_P(AccessTest, items_are_read_by_whom_the_node_names) {
  for (const Reader& reader : readers) {
    const std::string answer = asks(reader, "get", pubsub("<items node='http://jabber.org/protocol/tune'/>"));
    EXPECT_TRUE(has(answer, may_read(reader) ? "<item id='1'>" : reader.*GetParam().refusal)) << reader.who << answer;
    EXPECT_EQ(has(answer, "<item "), may_read(reader)) << reader.who << answer;
  }
}

TEST_P(AccessTest, subscriptions_and_their_notifications) {
  const bool asks_first = std::string_view(GetParam().name) == "authorize";
  for (const Reader& reader : readers) {
    const std::string answer = asks(reader, "set", subscription("subscribe", reader));
    if (may_read(reader)) {
      EXPECT_TRUE(has(answer, "subscription='subscribed'")) << reader.who << answer;
    } else if (asks_first && !has(reader.*GetParam().refusal, "forbidden")) {
      EXPECT_TRUE(has(answer, "subscription='pending'")) << reader.who << answer;
    } else {
      EXPECT_TRUE(has(answer, reader.*GetParam().refusal)) << reader.who << answer;
    }
  }
  // Once, whether it comes for the subscription or for the capabilities.
  const auto told = told_of_a_publication();
  for (const Reader& reader : readers) {
    const auto found = told.find(reader.address);
    EXPECT_EQ(found == told.end() ? 0 : found->second, may_read(reader) ? 1U : 0U) << reader.who;
  }
}

TEST_P(AccessTest, notifications_by_capabilities_are_for_who_shares_presence) {
  const auto told = told_of_a_publication();
  for (const Reader& reader : readers) {
    const bool shares =
        scene.stage.account("juliet@capulet.lit").roster().lets_see(module::testing::bare(reader.address)) ||
        reader.who == std::string_view("the owner");
    const auto found = told.find(reader.address);
    EXPECT_EQ(found == told.end() ? 0 : found->second, may_read(reader) && shares ? 1U : 0U) << reader.who;
  }
}

TEST_P(AccessTest, service_discovery_shows_what_may_be_read) {
  for (const Reader& reader : readers) {
    const std::string list = asks(reader, "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    EXPECT_EQ(has(list, "node='http://jabber.org/protocol/tune'"), may_read(reader)) << reader.who << list;
    for (const std::string kind : {"info", "items"}) {
      const std::string about =
          asks(reader, "get",
               "<query xmlns='http://jabber.org/protocol/disco#" + kind + "' node='http://jabber.org/protocol/tune'/>");
      EXPECT_EQ(has(about, kind == "info" ? "type='leaf'" : "name='1'"), may_read(reader)) << reader.who << about;
    }
  }
}

TEST_P(AccessTest, nobody_but_the_owner_publishes_retracts_or_configures) {
  for (const Reader& reader : readers) {
    if (reader.who == std::string_view("the owner")) continue;
    const std::string node = " node='http://jabber.org/protocol/tune'";
    EXPECT_TRUE(fails(asks(reader, "set", pubsub("<publish" + node + ">" + song + "</publish>")), "auth", "forbidden"))
        << reader.who;
    EXPECT_TRUE(
        fails(asks(reader, "set", pubsub("<retract" + node + "><item id='1'/></retract>")), "auth", "forbidden"))
        << reader.who;
    for (const std::string what : {"configure", "affiliations", "subscriptions"}) {
      EXPECT_TRUE(fails(asks(reader, "get", owner_pubsub("<" + what + node + "/>")), "auth", "forbidden"))
          << reader.who;
    }
    for (const std::string what : {"purge", "delete"}) {
      EXPECT_TRUE(fails(asks(reader, "set", owner_pubsub("<" + what + node + "/>")), "auth", "forbidden"))
          << reader.who;
    }
  }
  EXPECT_TRUE(has(items(*juliet, "juliet@capulet.lit"), "<item id='1'>"));
}

// SECURITY: what is closed to a stranger, what is not there, and who is not there look the same.
TEST_P(AccessTest, strangers_cannot_tell_what_there_is) {
  for (const Reader& reader : readers) {
    if (reader.*GetParam().refusal != std::string_view(stranger) || !is_local(reader)) continue;
    const auto answers = [&](const std::string& node, const std::string& account) {
      const std::string at = " node='" + node + "'";
      std::string all;
      const std::pair<const char*, std::string> questions[] = {
          {"get", pubsub("<items" + at + "/>")},
          {"get", pubsub("<items/>")},
          {"get", pubsub("<subscriptions/>")},
          {"get", pubsub("<subscriptions" + at + "/>")},
          {"get", pubsub("<affiliations/>")},
          {"get", pubsub("<options" + at + "/>")},
          {"get", pubsub("<nonsense" + at + "/>")},
          {"get", pubsub("")},
          {"set", pubsub("<create" + at + "/>")},
          {"set", pubsub("<publish" + at + "><item id='1'><a xmlns='urn:a'/></item></publish>")},
          {"set", pubsub("<publish/>")},
          {"set", pubsub("<retract" + at + "><item id='1'/></retract>")},
          {"set", pubsub("<unsubscribe" + at + " jid='" + reader.address + "'/>")},
          {"get", owner_pubsub("<default/>")},
          {"get", owner_pubsub("<configure" + at + "/>")},
          {"set", owner_pubsub("<configure" + at + "/>")},
          {"set", owner_pubsub("<delete" + at + "/>")},
          {"set", owner_pubsub("<affiliations" + at + "/>")},
          {"get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"},
          {"get", "<query xmlns='http://jabber.org/protocol/disco#info'" + at + "/>"},
          {"get", "<query xmlns='http://jabber.org/protocol/disco#items'" + at + "/>"},
      };
      for (const auto& [type, question] : questions) {
        std::string answer = ask(*sessions.at(reader.address), type, question, account);
        EXPECT_FALSE(answer.empty()) << question;
        for (const std::string& word : {node, account}) {
          for (std::size_t hit = answer.find(word); hit != std::string::npos; hit = answer.find(word)) {
            answer.erase(hit, word.size());
          }
        }
        all += answer + "\n";
      }
      return all;
    };
    const std::string closed = answers(std::string(tune), "juliet@capulet.lit");
    EXPECT_EQ(answers("none", "juliet@capulet.lit"), closed) << reader.who;
    EXPECT_EQ(answers("none", "nobody@capulet.lit"), closed) << reader.who;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, AccessTest, testing::ValuesIn(models),
                         [](const auto& about) { return std::string(about.param.name); });

}  // namespace
}  // namespace kith::modules
