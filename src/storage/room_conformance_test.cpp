// What every storage backend must do for rooms (storage/test_conformance.h).

#include "storage/test_conformance.h"

namespace kith::storage {
namespace {

class RoomConformance : public Conformance {
 protected:
  std::optional<RoomData> load(const BareJid& room) {
    return ask<std::optional<RoomData>>([&](auto then) { stores().rooms.load(room, std::move(then)); }).value();
  }
  std::string list(const std::string& domain, const std::string& after = "", std::size_t most = 100) {
    std::string all;
    const auto rooms =
        ask<std::vector<ListedRoom>>([&](auto then) { stores().rooms.list(domain, after, most, std::move(then)); });
    for (const ListedRoom& room : rooms.value()) all += std::string(room.jid.localpart()) + "=" + room.name + " ";
    return all;
  }
  const BareJid coven_ = bare("coven@rooms.example.org");
  const BareJid cave_ = bare("cave@rooms.example.org");
};

TEST_P(RoomConformance, a_room_is_kept_with_its_people_and_subject) {
  EXPECT_FALSE(load(coven_));
  stores().rooms.put(coven_, "Coven", true, "one");
  stores().rooms.put_subject(coven_, "toads");
  stores().rooms.put(coven_, "Coven", true, "two");
  stores().rooms.put_person(coven_, {.jid = alice_, .affiliation = "owner"});
  stores().rooms.put_person(coven_, {.jid = bob_, .affiliation = "member"});
  stores().rooms.put_person(coven_, {.jid = bob_, .affiliation = "outcast", .reason = "Treason"});
  auto data = load(coven_);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->config, "two");
  EXPECT_EQ(data->subject, "toads");
  ASSERT_EQ(data->people.size(), 2U);
  EXPECT_EQ(data->people[0].affiliation, "owner");
  EXPECT_EQ(data->people[1].jid, bob_);
  EXPECT_EQ(data->people[1].affiliation, "outcast");
  EXPECT_EQ(data->people[1].reason, "Treason");
  stores().rooms.put_person(coven_, {.jid = bob_});
  EXPECT_EQ(load(coven_)->people.size(), 1U);
}

TEST_P(RoomConformance, what_belongs_to_no_room_is_not_written) {
  stores().rooms.put_person(coven_, {.jid = alice_, .affiliation = "owner"});
  stores().rooms.put_subject(coven_, "toads");
  EXPECT_FALSE(load(coven_));
  stores().rooms.put(coven_, "", false, "");
  EXPECT_TRUE(load(coven_)->people.empty());
  EXPECT_EQ(load(coven_)->subject, "");
}

TEST_P(RoomConformance, a_removed_room_leaves_nothing) {
  stores().rooms.put(coven_, "", true, "");
  stores().rooms.put(cave_, "", true, "");
  for (const BareJid& room : {coven_, cave_}) {
    stores().rooms.put_person(room, {.jid = alice_, .affiliation = "owner"});
    stores().archive.add(room, noon, alice_, "<message/>");
    stores().documents.put(room, "kind", "", "<x/>");
  }
  stores().rooms.remove(coven_);
  EXPECT_FALSE(load(coven_));
  EXPECT_TRUE(archive(coven_, {}).empty());
  const auto documents = [&](const BareJid& room) {
    return ask<std::uint64_t>([&](auto then) { stores().documents.count(room, "kind", std::move(then)); }).value();
  };
  EXPECT_EQ(documents(coven_), 0U);
  EXPECT_EQ(documents(cave_), 1U);
  stores().rooms.put(coven_, "", true, "");
  EXPECT_TRUE(load(coven_)->people.empty());
  EXPECT_EQ(load(cave_)->people.size(), 1U);
  EXPECT_EQ(archive(cave_, {}).size(), 1U);
}

TEST_P(RoomConformance, a_message_changes_one_that_it_names_and_what_is_kept_with_that) {
  auto& store = stores().archive;
  const auto hag = *Jid::parse("coven@rooms.example.org/hag");
  const auto named = store.add(coven_, noon, hag, "1", "r").id;
  store.add(coven_, noon, hag, "2", "r");
  store.add(coven_, noon, hag, "3", "other");
  const auto alone = store.add(coven_, noon, hag, "4").id;
  const auto elsewhere = store.add(cave_, noon, *Jid::parse("cave@rooms.example.org/hag"), "5", "r").id;
  const auto mark = [](std::string_view stanza) -> ArchiveStore::Rewritten {
    return {.stanza = std::string(stanza) + "!", .more = true};
  };
  store.add_rewriting_id(coven_, noon, hag, "6", named, mark);
  EXPECT_EQ(archive(coven_, {}), (std::vector<std::string>{"1!", "2!", "3", "4", "6"}));
  store.add_rewriting_id(coven_, noon, hag, "7", alone, mark);
  store.add_rewriting_id(coven_, noon, hag, "8", elsewhere, mark);
  EXPECT_EQ(archive(coven_, {}), (std::vector<std::string>{"1!", "2!", "3", "4!", "6", "7", "8"}));
  EXPECT_EQ(archive(cave_, {}), (std::vector<std::string>{"5"}));
}

TEST_P(RoomConformance, all_rooms_come_in_pages_too) {
  stores().rooms.put(coven_, "Coven", false, "");
  stores().rooms.put(cave_, "", true, "");
  stores().rooms.put(bare("hall@rooms.example.net"), "Hall", false, "");
  const auto all = [&](const std::string& after, std::size_t most) {
    std::string text;
    const auto rooms =
        ask<std::vector<ListedRoom>>([&](auto then) { stores().rooms.list_all(after, most, std::move(then)); });
    for (const ListedRoom& room : rooms.value()) text += room.jid.text() + "=" + room.name + " ";
    return text;
  };
  EXPECT_EQ(all("", 2), "cave@rooms.example.org= coven@rooms.example.org=Coven ");
  EXPECT_EQ(all(coven_.text(), 2), "hall@rooms.example.net=Hall ");
}

TEST_P(RoomConformance, listed_rooms_of_a_domain_come_in_pages) {
  stores().rooms.put(coven_, "Coven", true, "");
  stores().rooms.put(cave_, "", true, "");
  stores().rooms.put(bare("hidden@rooms.example.org"), "Hidden", false, "");
  stores().rooms.put(bare("coven@rooms.example.net"), "Other", true, "");
  EXPECT_EQ(list("rooms.example.org"), "cave= coven=Coven ");
  EXPECT_EQ(list("rooms.example.org", "", 1), "cave= ");
  EXPECT_EQ(list("rooms.example.org", cave_.text()), "coven=Coven ");
  stores().rooms.put(coven_, "Coven", false, "");
  EXPECT_EQ(list("rooms.example.org"), "cave= ");
}

TEST_P(RoomConformance, who_takes_the_name_of_a_removed_account_is_nobody_in_its_rooms) {
  ASSERT_TRUE(add(record("alice@example.org")).value());
  stores().rooms.put(coven_, "", true, "");
  stores().rooms.put_person(coven_, {.jid = alice_, .affiliation = "owner"});
  stores().rooms.put_person(coven_, {.jid = bob_, .affiliation = "member"});
  ASSERT_TRUE(remove(alice_).value());
  ASSERT_EQ(load(coven_)->people.size(), 1U);
  EXPECT_EQ(load(coven_)->people[0].jid, bob_);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, RoomConformance, testing::ValuesIn(backends), name_of);

}  // namespace
}  // namespace kith::storage
