// Runs every .scs file of src/modules and tests/scenarios in process, each as a test of its own.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "matcher.h"
#include "script.h"
#include "world.h"
#include "xml/writer.h"

namespace kith::scenario {
namespace {

namespace fs = std::filesystem;

class Player {
 public:
  explicit Player(Script script) : script_(std::move(script)) {}

  void play() {
    for (const ClientEntry& entry : script_.clients) {
      const auto jid = xmpp::Jid::parse(entry.jid);
      ASSERT_TRUE(jid) << entry.jid;
      const std::string bare(jid->bare_text());
      if (!world_.has_account(bare)) world_.add_account(bare, entry.password);
    }
    for (const Step& step : script_.steps) {
      carry_out(step);
      if (testing::Test::HasFatalFailure()) return;
    }
  }

 private:
  const ClientEntry& entry_of(const std::string& name) const {
    for (const ClientEntry& entry : script_.clients) {
      if (entry.name == name) return entry;
    }
    throw std::logic_error("the parser let an unknown client through");
  }

  std::string filled(std::string text) const {
    for (const ClientEntry& entry : script_.clients) {
      const auto jid = xmpp::Jid::parse(entry.jid);
      replace(text, "${" + entry.name + "'s JID}", std::string(jid->bare_text()));
      const auto client = clients_.find(entry.name);
      const auto last = last_full_jid_.find(entry.name);
      if (client != clients_.end() && client->second) {
        replace(text, "${" + entry.name + "'s full JID}", client->second->full_jid);
      } else if (last != last_full_jid_.end()) {
        replace(text, "${" + entry.name + "'s full JID}", last->second);
      }
    }
    for (const auto& [name, value] : captures_) replace(text, "${" + name + "}", value);
    return text;
  }

  static void replace(std::string& text, const std::string& what, const std::string& by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
      text.replace(at, what.size(), by);
  }

  void carry_out(const Step& step) {
    const std::string where = "line " + std::to_string(step.line) + ": ";
    using Kind = Step::Kind;
    switch (step.kind) {
      case Kind::connects: {
        const ClientEntry& entry = entry_of(step.client);
        const auto jid = xmpp::Jid::parse(entry.jid);
        std::string resource = entry.resource.empty() ? std::string(jid->resourcepart()) : entry.resource;
        auto client = world_.log_in(std::string(jid->bare_text()), entry.password, resource);
        ASSERT_TRUE(client) << where << client.error();
        last_full_jid_[step.client] = (*client)->full_jid;
        clients_[step.client] = std::move(*client);
        break;
      }
      case Kind::sends:
        // A script may go on after a client has left; what it sends then reaches nobody.
        if (auto& client = clients_[step.client]) client->send(filled(step.stanza));
        break;
      case Kind::receives: {
        world_.settle();
        auto& client = clients_[step.client];
        ASSERT_TRUE(client) << where << step.client << " is not connected";
        const std::string text = "<e xmlns='jabber:client' xmlns:scansion='" + std::string(ns_scansion) + "'>" +
                                 filled(step.stanza) + "</e>";
        const auto expected = xml::parse_element(text);
        ASSERT_TRUE(expected && expected->first_child())
            << where << "the script's stanza is not well-formed: " << step.stanza;
        const auto actual = client->next();
        ASSERT_TRUE(actual) << where << step.client << " received nothing; expected " << step.stanza;
        const std::string what = difference(*expected->first_child(), *actual, captures_);
        ASSERT_TRUE(what.empty()) << where << what << "\n  expected " << step.stanza << "  got      "
                                  << xml::to_string(*actual, "jabber:client");
        break;
      }
      case Kind::receives_nothing: {
        world_.settle();
        auto& client = clients_[step.client];
        ASSERT_TRUE(client) << where << step.client << " is not connected";
        const auto actual = client->next();
        ASSERT_FALSE(actual) << where << step.client << " received " << xml::to_string(*actual, "jabber:client");
        break;
      }
      case Kind::ignores:
        world_.settle();
        while (clients_[step.client]->next()) {
        }
        break;
      case Kind::disconnects:
        if (auto& client = clients_[step.client]) {
          world_.settle();
          client->send("</stream:stream>");
          world_.settle();
          client.reset();
          world_.settle();
        }
        break;
      case Kind::vanishes:
        world_.settle();
        clients_[step.client]->link().cut();
        world_.settle();
        clients_[step.client].reset();
        break;
      case Kind::wait:
        // In steps, so that clients can answer the pings that the server sends meanwhile.
        for (long left = step.seconds; left > 0; left -= 30) {
          world_.advance(std::chrono::seconds(std::min(left, 30L)));
          for (auto& [name, client] : clients_) {
            if (client) client->poll();
          }
          world_.settle();
        }
        break;
      case Kind::restart:
        clients_.clear();
        world_.restart();
        break;
      case Kind::disk_full:
        world_.settle();
        world_.fail_writes(true);
        break;
      case Kind::disk_works:
        world_.settle();
        world_.fail_writes(false);
        break;
    }
    world_.settle();
  }

  Script script_;
  World world_;
  std::map<std::string, std::unique_ptr<WorldClient>> clients_;
  std::map<std::string, std::string> last_full_jid_;
  Captures captures_;
};

class Scenario : public testing::Test {
 public:
  explicit Scenario(fs::path file) : file_(std::move(file)) {}
  void TestBody() override {
    std::ifstream in(file_);
    std::stringstream text;
    text << in.rdbuf();
    auto script = parse_script(text.str());
    ASSERT_TRUE(script) << file_ << ": " << script.error();
    ASSERT_FALSE(script->steps.empty()) << file_ << " says nothing";
    Player(std::move(*script)).play();
  }

 private:
  fs::path file_;
};

void register_scenarios(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".scs") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const std::string suite = "Scenario_" + file.parent_path().filename().string();
    testing::RegisterTest(suite.c_str(), file.stem().string().c_str(), nullptr, nullptr, file.string().c_str(), 1,
                          [file]() -> Scenario* { return new Scenario(file); });
  }
}

}  // namespace
}  // namespace kith::scenario

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  kith::scenario::register_scenarios(std::filesystem::path(KITH_SOURCE) / "src" / "modules");
  kith::scenario::register_scenarios(std::filesystem::path(KITH_SOURCE) / "tests" / "scenarios");
  return RUN_ALL_TESTS();
}
