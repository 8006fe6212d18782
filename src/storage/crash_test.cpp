// kill -9 in the middle of writing: whatever had been called committed is there afterwards. A child process (this same
// program, told by its environment) writes and prints the tickets that are decided; the parent kills it after it has
// read some number of them, opens the file and looks.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/sql_storage.h"
#include "storage/test_support.h"

namespace kith::storage {
namespace {

constexpr const char* child_variable = "KITH_TEST_CRASH_FILE";
constexpr const char* round_variable = "KITH_TEST_CRASH_ROUND";
const WallTime noon = std::chrono::sys_days{std::chrono::year{2030} / 5 / 17} + std::chrono::hours(12);

// One shard of the child: keeps some hundred messages on their way, and prints the ticket of each that is decided.
// A message is "round.shard/number", and so is the report of it.
void write_until_killed(SqlStorage& storage, const std::string& round, unsigned index) {
  HandShard shard;
  const std::unique_ptr<ShardStores> stores = storage.make_stores(shard);
  const xmpp::BareJid account = bare("shard" + std::to_string(index) + "@example.org");
  const std::string prefix = round + "." + std::to_string(index) + "/";
  bool told = true;
  storage.on_decided(shard, [&] { told = true; });
  std::deque<std::pair<std::uint64_t, Ticket>> on_their_way;
  for (std::uint64_t number = 0;;) {
    if (!shard.run_until([&] { return told; })) return;
    told = false;
    const Ticket decided = storage.commit_log().decided();
    std::string report;
    while (!on_their_way.empty() && on_their_way.front().second <= decided) {
      if (!storage.commit_log().failed(on_their_way.front().second))
        report += prefix + std::to_string(on_their_way.front().first) + "\n";
      on_their_way.pop_front();
    }
    // One write each, so that what the parent reads is whole lines.
    if (!report.empty() && ::write(STDOUT_FILENO, report.data(), report.size()) < 0) return;
    while (on_their_way.size() < 250) {
      ++number;
      on_their_way.emplace_back(number, stores->stores().offline.add(account, noon, prefix + std::to_string(number)));
    }
  }
}

// The child's role: it comes before all tests of a process that has the variables, and does not end by itself.
class WriteUntilKilled final : public testing::Environment {
 public:
  void SetUp() override {
    const char* path = std::getenv(child_variable);
    if (path == nullptr) return;
    const std::string round = std::getenv(round_variable);
    QuietEvents quiet;
    SqlStorage storage(path, quiet.events, quiet.clock);
    std::thread other([&] { write_until_killed(storage, round, 1); });
    write_until_killed(storage, round, 0);
    other.join();
  }
};
[[maybe_unused]] const testing::Environment* const child_role =
    testing::AddGlobalTestEnvironment(std::make_unique<WriteUntilKilled>().release());

// Starts the child on `path`, reads `lines` reports, kills it, and gives back all that it reported.
std::set<std::string> reports_of_killed_child(const std::string& path, const std::string& round, int lines) {
  int pipe_ends[2];
  EXPECT_EQ(::pipe(pipe_ends), 0);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::string filter = "--gtest_filter=Crash.*";  // one test, or gtest sets up no environment
  std::string brief = "--gtest_brief=1";
  char* arguments[] = {const_cast<char*>(program.c_str()), filter.data(), brief.data(), nullptr};
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe_ends[1], STDOUT_FILENO);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
    ::setenv(child_variable, path.c_str(), 1);
    ::setenv(round_variable, round.c_str(), 1);
    ::execv(program.c_str(), arguments);
    ::_exit(127);
  }
  ::close(pipe_ends[1]);
  std::set<std::string> reported;
  FILE* from_child = ::fdopen(pipe_ends[0], "r");
  char line[256];
  int seen = 0;
  while (std::fgets(line, sizeof line, from_child) != nullptr) {
    std::string text(line);
    // A line that the kill cut off is no report; gtest's own lines have no slash.
    if (text.ends_with('\n') && text.find('/') != std::string::npos &&
        std::isdigit(static_cast<unsigned char>(text[0])))
      reported.insert(text.substr(0, text.size() - 1));
    if (++seen == lines) ::kill(child, SIGKILL);
  }
  std::fclose(from_child);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  return reported;
}

TEST(Crash, whatever_was_called_committed_survives_kill_9) {
  TemporaryDirectory directory;
  // The moments differ by how far the child has come: within the first group, between groups, after checkpoints.
  for (const int lines : {1, 2, 3, 5, 17, 150, 301, 555, 1'000, 2'500, 6'000}) {
    const std::string path = directory.file("after-" + std::to_string(lines));
    std::set<std::string> reported;
    // The second child starts on what the first left: recovery, and then a crash again.
    for (const char* round : {"1", "2"}) reported.merge(reports_of_killed_child(path, round, lines));
    EXPECT_GE(reported.size(), static_cast<std::size_t>(lines));

    QuietEvents quiet;
    SqlStorage storage(path, quiet.events, quiet.clock, {.mode = SqlStorage::Mode::immediate});
    HandShard shard;
    const std::unique_ptr<ShardStores> stores = storage.make_stores(shard);
    std::set<std::string> there;
    for (const char* account : {"shard0@example.org", "shard1@example.org"}) {
      const auto page = answer<std::vector<OfflineMessage>>(
          shard, [&](auto then) { stores->stores().offline.page(bare(account), 0, 1'000'000, std::move(then)); });
      ASSERT_TRUE(page);
      std::map<std::string, std::uint64_t> last_number;
      for (const OfflineMessage& message : *page) {
        there.insert(message.stanza);
        // In order and without a gap: a crash takes from the end only.
        const std::size_t slash = message.stanza.find('/');
        std::uint64_t& last = last_number[message.stanza.substr(0, slash)];
        EXPECT_EQ(std::stoull(message.stanza.substr(slash + 1)), last + 1) << message.stanza;
        ++last;
      }
    }
    std::size_t missing = 0;
    for (const std::string& report : reported) missing += there.contains(report) ? 0U : 1U;
    EXPECT_EQ(missing, 0U) << "after " << lines << " lines";
  }
}

}  // namespace
}  // namespace kith::storage
