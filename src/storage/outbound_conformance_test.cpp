// What every storage backend must do for messages on their way to other servers (storage/test_conformance.h).

#include "storage/test_conformance.h"

namespace kith::storage {
namespace {

class OutboundConformance : public Conformance {
 protected:
  std::uint64_t add(const std::string& remote, const std::string& stanza, unsigned shard = 0) {
    return stores(shard).outbound.add(remote, "example.org", alice_, noon, stanza).id;
  }
  std::vector<OutboundMessage> messages(const std::string& remote, std::uint64_t after = 0, std::size_t most = 100,
                                        std::size_t most_bytes = 10'000) {
    return ask<std::vector<OutboundMessage>>([&](auto then) {
             stores().outbound.page(remote, "example.org", after, most, most_bytes, std::move(then));
           })
        .value();
  }
  std::string page(const std::string& remote, std::uint64_t after = 0, std::size_t most = 100,
                   std::size_t most_bytes = 10'000) {
    std::string all;
    for (const OutboundMessage& message : messages(remote, after, most, most_bytes)) all += message.stanza + " ";
    return all;
  }
  std::vector<OutboundLine> lines() {
    return ask<std::vector<OutboundLine>>([&](auto then) { stores().outbound.lines(std::move(then)); }).value();
  }
};

TEST_P(OutboundConformance, messages_wait_in_order_for_each_pair_of_domains) {
  add("far.example", "one");
  add("near.example", "other");
  const std::uint64_t second = add("far.example", "two");
  stores().outbound.add("far.example", "example.net", alice_, noon, "from another");
  add("far.example", "three");
  EXPECT_EQ(page("far.example"), "one two three ");
  EXPECT_EQ(page("far.example", second), "three ");
  EXPECT_EQ(page("far.example", 0, 2), "one two ");
  EXPECT_EQ(messages("far.example").front().when, noon);
  stores().outbound.remove_through("far.example", "example.org", second);
  EXPECT_EQ(page("far.example"), "three ");
  EXPECT_EQ(page("near.example"), "other ");
}

TEST_P(OutboundConformance, a_page_has_a_size_and_one_message_in_any_case) {
  add("far.example", "12345");
  add("far.example", "678");
  add("far.example", "9");
  EXPECT_EQ(page("far.example", 0, 100, 8), "12345 678 ");
  EXPECT_EQ(page("far.example", 0, 100, 2), "12345 ");
}

TEST_P(OutboundConformance, what_waits_is_summed_up_by_lines_and_senders) {
  EXPECT_TRUE(lines().empty());
  add("far.example", "one");
  add("far.example", "three");
  add("near.example", "x");
  stores().outbound.add("far.example", "example.org", bob_, noon, "his");
  auto all = lines();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].sender, alice_.text());
  EXPECT_EQ(all[1].sender, bob_.text());
  EXPECT_EQ(all[1].bytes, 3U);
  all.erase(all.begin() + 1);
  EXPECT_EQ(all[0].remote, "far.example");
  EXPECT_EQ(all[0].local, "example.org");
  EXPECT_EQ(all[0].messages, 2U);
  EXPECT_EQ(all[0].bytes, 8U);
  EXPECT_EQ(all[1].remote, "near.example");
}

TEST_P(OutboundConformance, what_an_account_has_sent_goes_with_it) {
  ASSERT_TRUE(Conformance::add(record("alice@example.org")).value());
  add("far.example", "hers");
  stores().outbound.add("far.example", "example.org", bob_, noon, "his");
  ASSERT_TRUE(remove(alice_).value());
  EXPECT_EQ(page("far.example"), "his ");
}

TEST_P(OutboundConformance, ids_grow_over_all_shards) {
  const std::uint64_t first = add("far.example", "one");
  EXPECT_LT(first, add("far.example", "two", 1));
}

TEST_P(OutboundConformance, servers_are_blocked_once_and_freed) {
  const auto change = [&](const char* domain, bool block) {
    return ask<bool>([&](auto then) {
             if (block) return stores().blocked_servers.add(domain, noon, std::move(then));
             stores().blocked_servers.remove(domain, std::move(then));
           })
        .value();
  };
  const auto all = [&] {
    return ask<std::vector<std::string>>([&](auto then) { stores().blocked_servers.all(std::move(then)); }).value();
  };
  EXPECT_TRUE(change("spam.example", true));
  EXPECT_FALSE(change("spam.example", true));
  EXPECT_TRUE(change("more.example", true));
  EXPECT_EQ(all(), (std::vector<std::string>{"more.example", "spam.example"}));
  EXPECT_TRUE(change("spam.example", false));
  EXPECT_FALSE(change("spam.example", false));
  EXPECT_EQ(all(), std::vector<std::string>{"more.example"});
}

INSTANTIATE_TEST_SUITE_P(Sqlite, OutboundConformance, testing::ValuesIn(backends), name_of);

}  // namespace
}  // namespace kith::storage
