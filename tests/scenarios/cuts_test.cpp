// Two clients with stream management (XEP-0198) talk while their connections are cut a thousand times, at any step of a
// login, a resumption or a delivery, and the server is stopped and started in between: every message is on the other's
// screen once and in both archives once, in order.
#include <deque>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "talk.h"

namespace kith::scenario {
namespace {

/// A client as a phone has one: it comes back by itself, resumes if it can, and sends again what was not acknowledged.
class Phone {
 public:
  Phone(World& world, std::string user, std::string peer)
      : world_(world), user_(std::move(user)), peer_(std::move(peer)) {}

  void connect() {
    client_ = world_.connect({.direct_tls = true});
    client_->answers_pings = false;
    phase_ = Phase::opened;
    client_->send(header);
  }
  void cut() {
    if (client_ != nullptr) client_->link().cut();
    client_ = nullptr;
  }
  bool ready() const { return client_ != nullptr && phase_ == Phase::ready; }
  bool quiet() const { return ready() && outbox_.empty(); }
  void say(const std::string& body) {
    out("<message type='chat' id='" + body + "' to='" + peer_ + "@localhost'><body>" + body + "</body></message>");
  }
  void ask() {
    if (ready()) client_->send("<r xmlns='urn:xmpp:sm:3'/>");
  }
  /// Takes in what has come, as a client does.
  void pump() {
    if (client_ == nullptr) return connect();
    while (client_ != nullptr) {
      const auto element = client_->next();
      if (!element) break;
      take(*element);
    }
    if (client_ != nullptr && (client_->link().closed() || client_->stream_closed())) client_ = nullptr;
  }

  std::vector<std::string> screen;
  std::vector<std::string> trouble;
  std::size_t resumed = 0;

 private:
  enum class Phase : std::uint8_t { opened, proving, reopened, binding, enabling, resuming, ready };

  void out(std::string stanza) {
    outbox_.push_back(std::move(stanza));
    if (ready()) client_->send(outbox_.back());
  }
  void acknowledged(std::uint32_t h) {
    while (acknowledged_ != h && !outbox_.empty()) {
      outbox_.pop_front();
      ++acknowledged_;
    }
    if (acknowledged_ != h) trouble.push_back("more was acknowledged than was sent");
  }
  void take(const xml::Element& element) {
    if (element.name() == "features") {
      if (phase_ == Phase::opened) {
        phase_ = Phase::proving;
        client_->send(plain(user_, "secret"));
      } else if (id_.empty()) {
        phase_ = Phase::binding;
        client_->send(bind_iq("phone"));
      } else {
        phase_ = Phase::resuming;
        client_->send("<resume xmlns='urn:xmpp:sm:3' previd='" + id_ + "' h='" + std::to_string(came_) + "'/>");
      }
    } else if (element.name() == "success") {
      phase_ = Phase::reopened;
      client_->restart();
      client_->send(header);
    } else if (phase_ == Phase::binding && element.attribute("id") == "bind") {
      phase_ = Phase::enabling;
      client_->send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    } else if (element.name() == "enabled") {
      id_ = element.attribute("id").value_or("");
      came_ = acknowledged_ = 0;
      phase_ = Phase::ready;
      outbox_.push_front("<presence/>");
      for (const std::string& stanza : outbox_) client_->send(stanza);
    } else if (element.name() == "resumed") {
      ++resumed;
      phase_ = Phase::ready;
      acknowledged(number(element));
      for (const std::string& stanza : outbox_) client_->send(stanza);
    } else if (element.name() == "failed" || element.name() == "error") {
      if (element.child("conflict", "urn:ietf:params:xml:ns:xmpp-streams") == nullptr &&
          element.child("system-shutdown", "urn:ietf:params:xml:ns:xmpp-streams") == nullptr)
        trouble.push_back(xml::to_string(element));
    } else if (element.name() == "r") {
      client_->send("<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(came_) + "'/>");
    } else if (element.name() == "a") {
      acknowledged(number(element));
    } else {
      ++came_;
      if (element.attribute("type") == "error") trouble.push_back(xml::to_string(element));
      if (element.name() == "message") screen.push_back(element.child("body", xmpp::ns::client)->text());
      if (element.name() == "iq" && element.attribute("type") == "get")
        out("<iq type='result' id='" + std::string(*element.attribute("id")) + "' to='localhost'/>");
    }
  }
  static std::uint32_t number(const xml::Element& element) {
    return static_cast<std::uint32_t>(std::stoul(std::string(element.attribute("h").value_or("0"))));
  }

  World& world_;
  std::string user_;
  std::string peer_;
  std::unique_ptr<WorldClient> client_;
  Phase phase_ = Phase::opened;
  std::string id_;
  std::uint32_t came_ = 0;
  std::uint32_t acknowledged_ = 0;
  std::deque<std::string> outbox_;  ///< sent and not acknowledged, or not sent yet
};

std::vector<std::string> archived(World& world, const std::string& user, const std::string& resource) {
  std::vector<std::string> bodies;
  const auto client = entered(world, user + "@localhost", resource);
  std::string after;
  for (bool complete = false; !complete;) {
    client->send(
        "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'><set "
        "xmlns='http://jabber.org/protocol/rsm'><max>50</max>" +
        (after.empty() ? std::string() : "<after>" + after + "</after>") + "</set></query></iq>");
    world.settle();
    complete = true;
    while (const auto element = client->next()) {
      if (const xml::Element* fin = element->child("fin", "urn:xmpp:mam:2")) {
        complete = fin->attribute("complete") == "true";
        const xml::Element* last = fin->first_child() == nullptr
                                       ? nullptr
                                       : fin->first_child()->child("last", "http://jabber.org/protocol/rsm");
        if (last != nullptr) after = last->text();
      } else if (const xml::Element* result = element->child("result", "urn:xmpp:mam:2")) {
        bodies.push_back(
            result->first_child()->child("message", xmpp::ns::client)->child("body", xmpp::ns::client)->text());
      }
    }
  }
  return bodies;
}

std::vector<std::string> of(const std::vector<std::string>& all, char who) {
  std::vector<std::string> some;
  for (const std::string& one : all) {
    if (one.front() == who) some.push_back(one);
  }
  return some;
}

void talk_through_cuts(unsigned seed, int cuts, int restart_each) {
  World world;
  world.add_account("juliet@localhost", "secret");
  world.add_account("romeo@localhost", "secret");
  Phone juliet(world, "juliet", "romeo");
  Phone romeo(world, "romeo", "juliet");
  std::mt19937 random(seed);
  const auto upto = [&](unsigned most) { return static_cast<unsigned>(random() % most); };
  std::vector<std::string> by_juliet;
  std::vector<std::string> by_romeo;
  const auto run = [&](unsigned steps) {
    for (unsigned i = 0; i < steps; ++i) {
      if (!world.step()) world.advance(std::chrono::milliseconds(20));
      juliet.pump();
      romeo.pump();
    }
  };
  const auto calm = [&] {
    for (int i = 0; i < 2000 && !(juliet.quiet() && romeo.quiet()); ++i) {
      run(20);
      juliet.ask();
      romeo.ask();
    }
  };
  calm();  // both are there before the first word
  for (int cut = 0; cut < cuts; ++cut) {
    for (unsigned n = upto(4); n > 0; --n) {
      by_juliet.push_back("j" + std::to_string(by_juliet.size()));
      juliet.say(by_juliet.back());
    }
    for (unsigned n = upto(4); n > 0; --n) {
      by_romeo.push_back("r" + std::to_string(by_romeo.size()));
      romeo.say(by_romeo.back());
    }
    run(upto(60));
    if (restart_each != 0 && cut % restart_each == restart_each - 1) {
      world.stop_and_start();
      juliet.cut();
      romeo.cut();
    } else {
      if (upto(3) != 0) juliet.cut();
      if (upto(3) != 0) romeo.cut();
    }
  }
  calm();
  EXPECT_TRUE(juliet.quiet() && romeo.quiet()) << "seed " << seed;
  EXPECT_THAT(juliet.trouble, ::testing::IsEmpty()) << "seed " << seed;
  EXPECT_THAT(romeo.trouble, ::testing::IsEmpty()) << "seed " << seed;
  EXPECT_EQ(juliet.screen, by_romeo) << "seed " << seed;
  EXPECT_EQ(romeo.screen, by_juliet) << "seed " << seed;
  EXPECT_GT(juliet.resumed, static_cast<std::size_t>(cuts) / 4);
  for (const char* user : {"juliet", "romeo"}) {
    const auto all = archived(world, user, "reader");
    EXPECT_EQ(of(all, 'j'), by_juliet) << user << ", seed " << seed;
    EXPECT_EQ(of(all, 'r'), by_romeo) << user << ", seed " << seed;
  }
}

TEST(Cuts, a_thousand_cuts_lose_nothing_and_double_nothing) { talk_through_cuts(1, 1000, 0); }
TEST(Cuts, nor_do_cuts_with_the_server_stopped_and_started_in_between) {
  for (unsigned seed = 2; seed <= 6; ++seed) talk_through_cuts(seed, 200, 7);
}

}  // namespace
}  // namespace kith::scenario
