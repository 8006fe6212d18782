// Runs every .scs file of src/modules and tests/scenarios in process, each as a test of its own.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "player.h"
#include "script.h"
#include "world.h"
#include "xmpp/jid.h"

namespace kith::scenario {
namespace {

namespace fs = std::filesystem;

class WorldStage final : public Stage {
 public:
  explicit WorldStage(const Script& script) {
    for (const ClientEntry& entry : script.clients) {
      const std::string bare(xmpp::Jid::parse(entry.jid)->bare_text());
      if (!world_.has_account(bare)) world_.add_account(bare, entry.password);
    }
  }

  std::expected<std::string, std::string> connect(const ClientEntry& entry) override {
    const auto jid = xmpp::Jid::parse(entry.jid);
    const std::string resource = entry.resource.empty() ? std::string(jid->resourcepart()) : entry.resource;
    auto client = world_.log_in(std::string(jid->bare_text()), entry.password, resource);
    if (!client) return std::unexpected(client.error());
    std::string full_jid = (*client)->full_jid;
    clients_[entry.name] = std::move(*client);
    return full_jid;
  }
  void send(const std::string& client, const std::string& stanza) override { clients_.at(client)->send(stanza); }
  std::optional<xml::Element> next(const std::string& client, bool) override {
    return clients_[client] ? clients_[client]->next() : std::nullopt;
  }
  void disconnect(const std::string& client) override {
    clients_.at(client)->send("</stream:stream>");
    world_.settle();
    clients_.erase(client);
  }
  void vanish(const std::string& client) override {
    clients_.at(client)->link().cut();
    world_.settle();
    clients_.erase(client);
  }
  void settle() override { world_.settle(); }
  bool arrange(const Step& step) override {
    if (step.kind == Step::Kind::restart) {
      clients_.clear();
      world_.restart();
    } else if (step.kind == Step::Kind::wait) {
      wait(step.seconds);
    } else {
      world_.fail_writes(step.kind == Step::Kind::disk_full);
    }
    return true;
  }

 private:
  /// In steps, so that clients can answer the pings that the server sends meanwhile.
  void wait(long seconds) {
    for (long left = seconds; left > 0; left -= 30) {
      world_.advance(std::chrono::seconds(std::min(left, 30L)));
      for (auto& [name, client] : clients_) {
        if (client) client->poll();
      }
      world_.settle();
    }
  }

  World world_;
  std::map<std::string, std::unique_ptr<WorldClient>> clients_;
};

class Scenario : public testing::Test {
 public:
  explicit Scenario(fs::path file) : file_(std::move(file)) {}
  void TestBody() override {
    std::ifstream in(file_);
    std::stringstream text;
    text << in.rdbuf();
    const auto script = parse_script(text.str());
    ASSERT_TRUE(script) << file_ << ": " << script.error();
    ASSERT_FALSE(script->steps.empty()) << file_ << " says nothing";
    WorldStage stage(*script);
    const Outcome outcome = Player(*script, stage, false).play();
    for (const Difference& difference : outcome.differences) {
      ADD_FAILURE() << "line " << difference.line << ": " << difference.what << "\n  expected " << difference.expected
                    << "\n  got      " << difference.actual;
    }
    EXPECT_FALSE(outcome.stopped_at) << "a step that is not carried out in process, in line " << *outcome.stopped_at;
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
