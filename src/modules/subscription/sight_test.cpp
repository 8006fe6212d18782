// Two accounts that do anything at all to one another, at random: afterwards each session sees exactly those sessions
// of the other account that it may see, and both rosters agree.
#include <array>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "module/testing_scene.h"
#include "modules/presence/presence.h"
#include "modules/roster/roster.h"
#include "modules/subscription/subscription.h"

namespace kith::modules {
namespace {

using module::Session;
using module::testing::bare;
using module::testing::Scene;

struct Person {
  std::string name;
  std::array<Session*, 2> sessions{};
  /// What each session believes: the full JIDs of the other account that are there.
  std::array<std::set<std::string>, 2> views;
};

class Sight : public ::testing::TestWithParam<unsigned> {
 protected:
  Sight() {
    scene.stage.use<RosterFeature>();
    scene.stage.use<SubscriptionFeature>();
    scene.stage.use<PresenceFeature>();
    scene.stage.limits.subscription_requests = {.per_second = 1, .burst = 1e9};
    for (Person& person : people) scene.stage.account(person.name);
  }

  void look(const Person& other) {
    for (Person& person : people) {
      if (person.name == other.name) continue;
      for (std::size_t i = 0; i < 2; ++i) {
        if (person.sessions[i] == nullptr) continue;
        for (const std::string& line : scene.got(*person.sessions[i])) {
          if (!line.starts_with("<presence")) continue;
          const auto seen = module::testing::stanza(line);
          if (seen.from()->bare_text() != other.name || seen.from()->is_bare()) continue;
          if (seen.type() == xmpp::StanzaType::available) person.views[i].insert(seen.from()->text());
          if (seen.type() == xmpp::StanzaType::unavailable) person.views[i].erase(seen.from()->text());
        }
      }
    }
  }

  void check(const Person& watcher, const Person& watched) {
    const auto& watcher_roster = scene.stage.account(watcher.name).roster();
    const auto& watched_roster = scene.stage.account(watched.name).roster();
    const auto outgoing = watcher_roster.state_of(bare(watched.name));
    const auto incoming = watched_roster.state_of(bare(watcher.name));
    EXPECT_EQ(outgoing.sees_contact(), incoming.seen_by_contact());
    EXPECT_EQ(outgoing.pending_out, incoming.pending_in);
    std::set<std::string> visible;
    for (const Session* session : watched.sessions) {
      if (session != nullptr && session->available() && incoming.seen_by_contact())
        visible.insert(session->jid().text());
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (watcher.sessions[i] != nullptr && watcher.sessions[i]->available()) {
        EXPECT_EQ(watcher.views[i], visible);
      }
    }
  }

  void act(Person& one, const Person& other) {
    const std::size_t which = random.number() % 2;
    Session*& session = one.sessions[which];
    if (session == nullptr) {
      session = &scene.bind(one.name + "/" + std::to_string(which));
      one.views[which].clear();
      return;
    }
    const auto to_other = [&](const std::string& type) {
      return "<presence type='" + type + "' to='" + other.name + "'/>";
    };
    const auto roster_set = [&](const std::string& rest) {
      return "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='" + other.name + "'" + rest +
             "/></query></iq>";
    };
    std::string what;
    switch (random.number() % 12) {
      case 0:
        what = to_other("subscribe");
        break;
      case 1:
        what = to_other("subscribed");
        break;
      case 2:
        what = to_other("unsubscribe");
        break;
      case 3:
        what = to_other("unsubscribed");
        break;
      case 4:
        what = roster_set(" subscription='remove'");
        break;
      case 5:
        what = roster_set(" name='x'");
        break;
      case 6:
        what = "<presence type='unavailable'/>";
        break;
      case 7:
        what = to_other("probe");
        break;
      case 8:
        trace += one.name + "/" + std::to_string(which) + " ends\n";
        scene.ends(*session);
        session = nullptr;
        return;
      case 9:
        what = "<presence><priority>-1</priority></presence>";
        break;
      default:
        what = "<presence/>";
        break;
    }
    trace += one.name + "/" + std::to_string(which) + " " + what + "\n";
    // Who is not available is told nothing, and so believes nothing (though he may have asked).
    if (!session->available()) one.views[which].clear();
    scene.says(*session, what);
    if (!session->available()) one.views[which].clear();
  }

  Scene scene;
  std::array<Person, 2> people{Person{.name = "juliet@capulet.lit", .sessions = {}, .views = {}},
                               Person{.name = "romeo@capulet.lit", .sessions = {}, .views = {}}};
  SeededRandom random{GetParam()};
  std::string trace;
};

TEST_P(Sight, everybody_sees_who_lets_him_and_nobody_else) {
  for (int step = 0; step < 300 && !HasFailure(); ++step) {
    const std::size_t who = random.number() % 2;
    act(people[who], people[1 - who]);
    look(people[0]);
    look(people[1]);
    check(people[0], people[1]);
    check(people[1], people[0]);
  }
  if (HasFailure()) ADD_FAILURE() << trace;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Sight, ::testing::Range(1U, 41U));

}  // namespace
}  // namespace kith::modules
