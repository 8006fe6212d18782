// Asking DNS by libunbound: what can be seen of it without a network. With name servers:
// tests/interop/federation_*dns*, *dane*.
#include "net/resolver.h"

#include <filesystem>
#include <fstream>
#include <future>

#include <gtest/gtest.h>
#include <unistd.h>

namespace kith::net {
namespace {

namespace fs = std::filesystem;
using Verdict = DnsAnswer::Verdict;

class ResolverTest : public testing::Test {
 protected:
  ResolverTest() {
    fs::create_directory(folder_);
    // Where nobody answers; addresses of the file are known all the same.
    std::ofstream(folder_ / "resolv.conf") << "nameserver 127.0.0.1\n";
    std::ofstream(folder_ / "hosts") << "192.0.2.7 far.example\n";
    settings.resolv_conf = folder_ / "resolv.conf";
    settings.hosts = folder_ / "hosts";
  }
  ~ResolverTest() override { fs::remove_all(folder_); }
  static std::future<DnsAnswer> ask(Resolver& resolver, const std::string& name, RecordType type = RecordType::a) {
    auto promise = std::make_shared<std::promise<DnsAnswer>>();
    resolver.ask(name, type, [promise](DnsAnswer answer) { promise->set_value(std::move(answer)); });
    return promise->get_future();
  }
  const fs::path folder_ = fs::temp_directory_path() / ("kith-resolver-" + std::to_string(::getpid()));
  ResolverSettings settings;
};

TEST_F(ResolverTest, the_file_of_hosts_is_read) {
  UnboundResolver resolver(settings);
  const DnsAnswer answer = ask(resolver, "far.example").get();
  EXPECT_EQ(answer.verdict, Verdict::insecure);
  ASSERT_EQ(answer.records.size(), 1U);
  EXPECT_EQ(answer.records[0], std::string("\xC0\x00\x02\x07", 4));
}

TEST_F(ResolverTest, what_is_no_name_has_no_records) {
  UnboundResolver resolver(settings);
  for (const std::string& name :
       {std::string(300, 'a'), std::string(64, 'a') + ".example", std::string("a..example")}) {
    const DnsAnswer answer = ask(resolver, name).get();
    EXPECT_TRUE(answer.told()) << name;
    EXPECT_TRUE(answer.records.empty()) << name;
  }
}

TEST_F(ResolverTest, no_more_than_so_many_are_asked_about_at_once) {
  int full = 0;
  settings.most_questions = 0;
  settings.on_full = [&] { ++full; };
  UnboundResolver resolver(settings);
  EXPECT_EQ(ask(resolver, "far.example").get().verdict, Verdict::none);
  EXPECT_EQ(full, 1);
}

TEST_F(ResolverTest, whoever_waits_when_it_ends_is_answered_with_nothing) {
  std::vector<std::future<DnsAnswer>> waiting;
  {
    UnboundResolver resolver(settings);
    for (int i = 0; i < 50; ++i) waiting.push_back(ask(resolver, "n" + std::to_string(i) + ".silent.example"));
  }
  for (auto& one : waiting) EXPECT_TRUE(one.get().records.empty());
}

TEST_F(ResolverTest, trust_anchors_that_cannot_be_read_are_told_of) {
  settings.trust_anchors = folder_ / "lost";
  EXPECT_THROW(UnboundResolver{settings}, std::runtime_error);
}

}  // namespace
}  // namespace kith::net
