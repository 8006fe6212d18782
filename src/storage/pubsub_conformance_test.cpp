// What every storage backend must do for publish-subscribe (storage/test_conformance.h).

#include "storage/test_conformance.h"

namespace kith::storage {
namespace {

class PubsubConformance : public Conformance {
 protected:
  static PubsubItem published(const std::string& id, const std::string& payload = "<x/>") {
    return {.id = id, .when = noon, .payload = payload};
  }
  PubsubData load(const BareJid& owner) {
    return ask<PubsubData>([&](auto then) { stores().pubsub.load(owner, std::move(then)); }).value();
  }
  PubsubPage items(PubsubQuery query, const std::string& node = "tune") {
    if (query.most == 0) query.most = 100;
    if (query.most_bytes == 0) query.most_bytes = 100'000;
    return ask<PubsubPage>([&](auto then) { stores().pubsub.items(alice_, node, std::move(query), std::move(then)); })
        .value();
  }
  static std::string ids(const PubsubPage& page) {
    std::string all;
    for (const PubsubItem& item : page.items) all += item.id;
    return all;
  }
  void publish(const std::vector<std::string>& ids, std::size_t most = 100) {
    std::vector<PubsubItem> items;
    for (const std::string& id : ids) items.push_back(published(id));
    stores().pubsub.publish(alice_, "tune", std::move(items), {most});
  }
};

TEST_P(PubsubConformance, nodes_are_kept_with_their_people) {
  stores().pubsub.put_node(alice_, "tune", "one");
  stores().pubsub.put_node(alice_, "tune", "two");
  stores().pubsub.put_node(alice_, "mood", "");
  stores().pubsub.put_node(bob_, "tune", "his");
  const Jid phone = Jid::parse("carol@example.org/phone").value();
  stores().pubsub.put_person(alice_, "tune", {.jid = phone, .subscription = "pending"});
  stores().pubsub.put_person(alice_, "tune", {.jid = phone, .subscription = "subscribed"});
  stores().pubsub.put_person(alice_, "tune", {.jid = bob_, .affiliation = "member"});
  stores().pubsub.publish(alice_, "tune", {published("1", "12345"), published("2", "123")}, {10});
  PubsubData data = load(alice_);
  EXPECT_EQ(data.bytes, 8U);
  ASSERT_EQ(data.nodes.size(), 2U);
  EXPECT_EQ(data.nodes[0].name, "mood");
  EXPECT_EQ(data.nodes[1].config, "two");
  ASSERT_EQ(data.nodes[1].people.size(), 2U);
  EXPECT_EQ(data.nodes[1].people[1].jid, phone);
  EXPECT_EQ(data.nodes[1].people[1].subscription, "subscribed");
  EXPECT_EQ(data.nodes[1].people[0].affiliation, "member");
  stores().pubsub.put_person(alice_, "tune", {.jid = phone});
  EXPECT_EQ(load(alice_).nodes[1].people.size(), 1U);
  stores().pubsub.remove_node(alice_, "tune");
  data = load(alice_);
  ASSERT_EQ(data.nodes.size(), 1U);
  EXPECT_EQ(data.bytes, 0U);
  EXPECT_EQ(items({}).total, 0U);
  // A node made again has nobody of the old one.
  stores().pubsub.put_node(alice_, "tune", "");
  EXPECT_TRUE(load(alice_).nodes[1].people.empty());
  EXPECT_EQ(load(bob_).nodes.size(), 1U);
}

TEST_P(PubsubConformance, items_come_in_the_order_of_their_publication) {
  publish({"a", "b"});
  publish({"c"});
  publish({"a"});
  EXPECT_EQ(ids(items({})), "bca");
  EXPECT_EQ(items({}).total, 3U);
  const PubsubPage first = items({.most = 2});
  EXPECT_EQ(ids(first), "bc");
  EXPECT_FALSE(first.complete);
  EXPECT_EQ(ids(items({.from_newest = true, .most = 2})), "ca");
  EXPECT_EQ(ids(items({.after = "b", .most = 1})), "c");
  EXPECT_EQ(ids(items({.before = "a", .from_newest = true})), "bc");
  EXPECT_FALSE(items({.after = "z"}).known);
  EXPECT_EQ(ids(items({.ids = {"a", "z", "b"}})), "ab");
  EXPECT_EQ(ids(items({.most_bytes = 5})), "b");
  EXPECT_EQ(items({}).items[0].when, noon);
  EXPECT_EQ(items({}).items[0].payload, "<x/>");
  EXPECT_EQ(ids(items({.most_bytes = 5, .payloads = false})), "bca");
  EXPECT_EQ(items({.payloads = false}).items[0].payload, "");
}

TEST_P(PubsubConformance, the_oldest_items_go) {
  publish({"a", "b", "c"}, 2);
  EXPECT_EQ(ids(items({})), "bc");
  publish({"b"}, 2);
  EXPECT_EQ(ids(items({})), "cb");
  stores().pubsub.trim(alice_, "tune", {1});
  EXPECT_EQ(ids(items({})), "b");
  publish({"d"}, 2);
  stores().pubsub.retract(alice_, "tune", {"b", "z"});
  EXPECT_EQ(ids(items({})), "d");
  stores().pubsub.trim(alice_, "tune", {0});
  EXPECT_EQ(ids(items({})), "");
  publish({"e"}, 0);
  EXPECT_EQ(ids(items({})), "");
}

TEST_P(PubsubConformance, what_has_expired_is_not_found_and_goes_with_the_next_write) {
  const auto at = [](const std::string& id, int minutes) {
    return PubsubItem{.id = id, .when = noon + std::chrono::minutes(minutes), .payload = "<x/>"};
  };
  stores().pubsub.publish(alice_, "tune", {at("a", 0), at("b", 1), at("c", 2)}, {100});
  const std::optional<WallTime> since = noon + std::chrono::minutes(1);
  EXPECT_EQ(ids(items({.since = since})), "bc");
  EXPECT_EQ(items({.since = since}).total, 2U);
  EXPECT_EQ(ids(items({.from_newest = true, .since = since})), "bc");
  EXPECT_EQ(ids(items({.ids = {"a", "c"}, .since = since})), "c");
  EXPECT_FALSE(items({.after = "a", .since = since}).known);
  EXPECT_EQ(ids(items({})), "abc");
  stores().pubsub.trim(alice_, "tune", {100, since});
  EXPECT_EQ(ids(items({})), "bc");
  stores().pubsub.publish(alice_, "tune", {at("d", 3)}, {100, noon + std::chrono::minutes(2)});
  EXPECT_EQ(ids(items({})), "cd");
}

TEST_P(PubsubConformance, an_item_has_its_publisher) {
  PubsubItem theirs = published("a");
  theirs.publisher = "bob@example.org";
  stores().pubsub.publish(alice_, "tune", {theirs, published("b")}, {10});
  const PubsubPage page = items({});
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items[0].publisher, "bob@example.org");
  EXPECT_EQ(page.items[1].publisher, "");
  EXPECT_EQ(items({.ids = {"a"}, .payloads = false}).items.at(0).publisher, "bob@example.org");
}

TEST_P(PubsubConformance, the_newest_of_several_nodes_come_together) {
  publish({"a", "b"});
  stores().pubsub.publish(alice_, "mood", {published("m")}, {1});
  stores().pubsub.publish(bob_, "mood", {published("n")}, {1});
  const auto newest = ask<std::map<std::string, PubsubItem>>([&](auto then) {
                        stores().pubsub.newest(alice_, {"tune", "mood", "none"}, std::move(then));
                      }).value();
  ASSERT_EQ(newest.size(), 2U);
  EXPECT_EQ(newest.at("tune").id, "b");
  EXPECT_EQ(newest.at("mood").id, "m");
}

TEST_P(PubsubConformance, a_removed_account_leaves_no_node) {
  ASSERT_TRUE(add(record("alice@example.org")).value());
  stores().pubsub.put_node(alice_, "tune", "");
  stores().pubsub.put_person(alice_, "tune", {.jid = bob_, .affiliation = "member"});
  publish({"a"});
  ASSERT_TRUE(remove(alice_).value());
  EXPECT_TRUE(load(alice_).nodes.empty());
  EXPECT_EQ(items({}).total, 0U);
  stores().pubsub.put_node(alice_, "tune", "");
  EXPECT_TRUE(load(alice_).nodes[0].people.empty());
}

INSTANTIATE_TEST_SUITE_P(Sqlite, PubsubConformance, testing::ValuesIn(backends), name_of);

}  // namespace
}  // namespace kith::storage
