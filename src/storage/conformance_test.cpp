// What every storage backend must do (storage/test_conformance.h).

#include "storage/test_conformance.h"

namespace kith::storage {
namespace {

TEST_P(Conformance, an_account_that_nobody_made_is_not_found) {
  const auto found = find(alice_);
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

TEST_P(Conformance, an_account_comes_back_with_its_keys_to_the_byte) {
  ASSERT_EQ(add(record("alice@example.org")), true);
  const auto found = find(alice_);
  ASSERT_TRUE(found && *found);
  const AccountRecord& account = **found;
  EXPECT_EQ(account.jid, alice_);
  EXPECT_EQ(account.created, noon);
  EXPECT_FALSE(account.disabled);
  ASSERT_TRUE(account.credentials.sha1 && account.credentials.sha256 && account.credentials.sha512);
  EXPECT_EQ(account.credentials.sha1->salt, keys("a1").salt);
  EXPECT_EQ(account.credentials.sha1->iterations, 10'000U);
  EXPECT_EQ(account.credentials.sha1->stored_key, keys("a1").stored_key);
  EXPECT_EQ(account.credentials.sha1->server_key, keys("a1").server_key);
  EXPECT_EQ(account.credentials.sha256->stored_key, keys("a2").stored_key);
  EXPECT_EQ(account.credentials.sha512->server_key, keys("a3").server_key);
}

TEST_P(Conformance, an_account_may_have_fewer_keys_and_be_disabled) {
  AccountRecord imported{
      .jid = alice_, .credentials = {.sha1 = keys("x"), .sha256 = {}, .sha512 = {}}, .created = noon, .disabled = true};
  ASSERT_EQ(add(imported), true);
  const auto found = find(alice_);
  ASSERT_TRUE(found && *found);
  EXPECT_TRUE((*found)->disabled);
  EXPECT_TRUE((*found)->credentials.sha1);
  EXPECT_FALSE((*found)->credentials.sha256);
  EXPECT_FALSE((*found)->credentials.sha512);
}

TEST_P(Conformance, an_account_is_not_made_twice_and_the_first_one_stays) {
  ASSERT_EQ(add(record("alice@example.org", "first")), true);
  EXPECT_EQ(add(record("alice@example.org", "second")), false);
  const auto found = find(alice_);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->credentials.sha1->stored_key, keys("first1").stored_key);
}

TEST_P(Conformance, new_credentials_replace_all_the_old_ones) {
  ASSERT_EQ(add(record("alice@example.org")), true);
  const Credentials fresh{.sha1 = {}, .sha256 = keys("new"), .sha512 = {}};
  EXPECT_EQ(ask<bool>([&](auto then) { stores().accounts.set_credentials(alice_, fresh, std::move(then)); }), true);
  const auto found = find(alice_);
  ASSERT_TRUE(found && *found);
  EXPECT_FALSE((*found)->credentials.sha1);
  EXPECT_FALSE((*found)->credentials.sha512);
  EXPECT_EQ((*found)->credentials.sha256->stored_key, keys("new").stored_key);
}

TEST_P(Conformance, keys_are_added_to_those_that_are_there_and_of_the_same_password_only) {
  AccountRecord imported = record("alice@example.org", "old");
  imported.credentials.sha256.reset();
  imported.credentials.sha512.reset();
  ASSERT_EQ(add(imported), true);
  const Credentials more{.sha1 = keys("x"), .sha256 = keys("new"), .sha512 = {}};
  const auto add_keys = [&](const BareJid& jid, const std::string& salt) {
    return ask<bool>([&](auto then) { stores().accounts.add_keys(jid, more, salt, std::move(then)); });
  };
  EXPECT_EQ(add_keys(alice_, "another salt"), false);
  EXPECT_EQ(add_keys(alice_, ""), false);
  EXPECT_EQ(add_keys(bob_, keys("old1").salt), false);
  EXPECT_FALSE(find(alice_).value()->credentials.sha256);
  EXPECT_EQ(add_keys(alice_, keys("old1").salt), true);
  const auto found = find(alice_);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->credentials.sha1->stored_key, keys("old1").stored_key);
  EXPECT_EQ((*found)->credentials.sha256->stored_key, keys("new").stored_key);
  EXPECT_FALSE((*found)->credentials.sha512);
}

TEST_P(Conformance, nobody_gets_credentials_without_an_account) {
  const Credentials fresh{.sha1 = {}, .sha256 = keys("new"), .sha512 = {}};
  EXPECT_EQ(ask<bool>([&](auto then) { stores().accounts.set_credentials(alice_, fresh, std::move(then)); }), false);
  EXPECT_EQ(add({.jid = alice_, .credentials = {}, .created = noon}), true);
  const auto found = find(alice_);
  ASSERT_TRUE(found && *found);
  EXPECT_FALSE((*found)->credentials.sha256);
}

TEST_P(Conformance, accounts_are_listed_by_name_and_by_domain) {
  for (const char* jid :
       {"zoe@example.org", "ann@example.org", "ann-marie@example.org", "bob@example.net", "ann@example.net"})
    ASSERT_EQ(add(record(jid)), true);
  EXPECT_EQ(list("example.org"),
            (std::vector<std::string>{"ann@example.org", "ann-marie@example.org", "zoe@example.org"}));
  EXPECT_EQ(list("example.net"), (std::vector<std::string>{"ann@example.net", "bob@example.net"}));
  EXPECT_EQ(list("").size(), 5U);
  EXPECT_TRUE(list("example").empty());
}

TEST_P(Conformance, last_seen_is_nothing_and_then_the_last_one) {
  using LastSeen = AccountStore::LastSeen;
  const auto seen = [&] {
    return ask<std::optional<LastSeen>>([&](auto then) { stores().accounts.last_seen(alice_, std::move(then)); })
        .value();
  };
  EXPECT_FALSE(seen());
  stores().accounts.set_last_seen(alice_, {.when = noon, .status = "lunch"});
  stores().accounts.set_last_seen(alice_, {.when = noon + std::chrono::hours(1), .status = ""});
  const auto last = seen();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->when, noon + std::chrono::hours(1));
  EXPECT_EQ(last->status, "");
}

TEST_P(Conformance, an_empty_roster_has_version_zero) {
  const RosterData data = roster(alice_);
  EXPECT_TRUE(data.items.empty());
  EXPECT_TRUE(data.removed.empty());
  EXPECT_EQ(data.version, 0U);
}

TEST_P(Conformance, a_roster_item_comes_back_as_it_was) {
  RosterItem whole{
      .contact = bare("carol@example.net"),
      .name = "Carol <&> \"C\"",
      .groups = {"Friends", "3:x", "", "Straße 7", "nul\0in it"s},
      .state = {.subscription = Subscription::from, .pending_out = true, .pending_in = true, .approved = true},
      .in_roster = false,
      .pending_stanza = "<presence type='subscribe'/>"};
  stores().rosters.put(alice_, whole, 7);
  const RosterData data = roster(alice_);
  EXPECT_EQ(data.version, 7U);
  ASSERT_EQ(data.items.size(), 1U);
  const RosterItem& back = data.items[0];
  EXPECT_EQ(back.contact, whole.contact);
  EXPECT_EQ(back.name, whole.name);
  EXPECT_EQ(back.groups, whole.groups);
  EXPECT_EQ(back.state, whole.state);
  EXPECT_FALSE(back.in_roster);
  EXPECT_EQ(back.pending_stanza, whole.pending_stanza);
  EXPECT_EQ(data.item_versions.at(whole.contact), 7U);
}

TEST_P(Conformance, each_subscription_comes_back) {
  std::uint64_t version = 0;
  for (const Subscription s : {Subscription::none, Subscription::to, Subscription::from, Subscription::both}) {
    stores().rosters.put(alice_, item("carol@example.net", s), ++version);
    const RosterData data = roster(alice_);
    ASSERT_EQ(data.items.size(), 1U);
    EXPECT_EQ(data.items[0].state.subscription, s);
  }
}

TEST_P(Conformance, putting_again_replaces_the_item_and_raises_the_version) {
  stores().rosters.put(alice_, item("carol@example.net"), 1);
  stores().rosters.put(alice_, item("dave@example.net"), 2);
  stores().rosters.put(alice_, item("carol@example.net", Subscription::both), 3);
  const RosterData data = roster(alice_);
  EXPECT_EQ(data.version, 3U);
  EXPECT_EQ(data.items.size(), 2U);
  EXPECT_EQ(data.item_versions.at(bare("carol@example.net")), 3U);
  EXPECT_EQ(data.item_versions.at(bare("dave@example.net")), 2U);
}

TEST_P(Conformance, a_removed_contact_is_remembered_until_it_comes_back) {
  const BareJid carol = bare("carol@example.net");
  stores().rosters.put(alice_, item("carol@example.net"), 1);
  stores().rosters.remove(alice_, carol, 2);
  RosterData data = roster(alice_);
  EXPECT_TRUE(data.items.empty());
  EXPECT_EQ(data.version, 2U);
  EXPECT_EQ(data.removed, (std::vector<std::pair<std::uint64_t, BareJid>>{{2, carol}}));
  stores().rosters.put(alice_, item("carol@example.net"), 3);
  data = roster(alice_);
  EXPECT_EQ(data.items.size(), 1U);
  EXPECT_TRUE(data.removed.empty());
}

TEST_P(Conformance, at_most_200_removed_contacts_are_remembered_oldest_first) {
  for (std::uint64_t version = 1; version <= 230; ++version)
    stores().rosters.remove(alice_, bare("c" + std::to_string(version) + "@example.net"), version);
  const RosterData data = roster(alice_);
  EXPECT_EQ(data.version, 230U);
  ASSERT_EQ(data.removed.size(), 200U);
  EXPECT_EQ(data.removed.front().first, 31U);
  EXPECT_EQ(data.removed.back().first, 230U);
  EXPECT_TRUE(std::ranges::is_sorted(data.removed));
}

TEST_P(Conformance, accounts_of_one_name_on_two_hosts_share_nothing) {
  const BareJid other = bare("alice@example.net");
  stores().rosters.put(alice_, item("carol@example.net"), 1);
  stores().offline.add(alice_, noon, "<message/>");
  stores().documents.put(alice_, "vcard", "", "<vCard/>");
  EXPECT_TRUE(roster(other).items.empty());
  EXPECT_TRUE(page(other).empty());
  EXPECT_FALSE(document(other, "vcard", ""));
  stores().offline.remove_through(other, UINT64_MAX);
  EXPECT_EQ(size(alice_).messages, 1U);
}

TEST_P(Conformance, offline_messages_come_in_order_page_by_page) {
  for (int i = 0; i < 25; ++i)
    stores().offline.add(alice_, noon + std::chrono::seconds(i), "<message id='" + std::to_string(i) + "'/>");
  std::vector<OfflineMessage> all;
  for (;;) {
    const auto more = page(alice_, all.empty() ? 0 : all.back().id, 10);
    if (more.empty()) break;
    EXPECT_LE(more.size(), 10U);
    all.insert(all.end(), more.begin(), more.end());
  }
  ASSERT_EQ(all.size(), 25U);
  for (std::size_t i = 0; i < 25; ++i) {
    EXPECT_EQ(all[i].stanza, "<message id='" + std::to_string(i) + "'/>");
    EXPECT_EQ(all[i].when, noon + std::chrono::seconds(i));
    if (i > 0) {
      EXPECT_GT(all[i].id, all[i - 1].id);
    }
  }
  EXPECT_TRUE(page(alice_, UINT64_MAX, 10).empty());
}

TEST_P(Conformance, a_stanza_comes_back_to_the_byte) {
  const std::string odd = "<message>\0\xc3\xa9\xf0\x9f\x8e\x89 ]]&gt;</message>"s;
  const std::string large(300'000, 'x');
  stores().offline.add(alice_, noon, odd);
  stores().offline.add(alice_, noon, large);
  EXPECT_EQ(stanzas(page(alice_)), (std::vector<std::string>{odd, large}));
}

TEST_P(Conformance, delivered_messages_go_and_their_ids_never_come_back) {
  for (int i = 0; i < 3; ++i) stores().offline.add(alice_, noon, std::to_string(i));
  stores().offline.add(bob_, noon, "for bob");
  const auto before = page(alice_);
  ASSERT_EQ(before.size(), 3U);
  stores().offline.remove_through(alice_, before[1].id);
  EXPECT_EQ(stanzas(page(alice_)), (std::vector<std::string>{"2"}));
  stores().offline.remove_through(alice_, before[2].id);
  const auto of_bob = page(bob_);
  ASSERT_EQ(of_bob.size(), 1U);
  stores().offline.remove_through(bob_, of_bob[0].id);
  stores().offline.add(alice_, noon, "later");
  const auto after = page(alice_);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_GT(after[0].id, of_bob[0].id);
}

TEST_P(Conformance, the_offline_size_counts_messages_and_bytes) {
  EXPECT_EQ(size(alice_).messages, 0U);
  EXPECT_EQ(size(alice_).bytes, 0U);
  stores().offline.add(alice_, noon, "12345");
  stores().offline.add(alice_, noon, "\xc3\xa9");
  stores().offline.add(bob_, noon, "123");
  EXPECT_EQ(size(alice_).messages, 2U);
  EXPECT_EQ(size(alice_).bytes, 7U);
  stores().offline.remove_through(alice_, page(alice_).front().id);
  EXPECT_EQ(size(alice_).bytes, 2U);
}

TEST_P(Conformance, a_document_is_kept_by_kind_and_key) {
  EXPECT_FALSE(document(alice_, "private", "a"));
  stores().documents.put(alice_, "private", "a", "<a/>");
  stores().documents.put(alice_, "private", "b'; DROP TABLE documents; --", "");
  stores().documents.put(alice_, "vcard", "a", "<vCard/>");
  stores().documents.put(alice_, "private", "a", "<a>new</a>");
  EXPECT_EQ(document(alice_, "private", "a"), "<a>new</a>");
  EXPECT_EQ(document(alice_, "private", "b'; DROP TABLE documents; --"), "");
  EXPECT_EQ(document(alice_, "vcard", "a"), "<vCard/>");
  const auto several = [&](std::vector<std::string> kinds) {
    return ask<std::map<std::string, std::string>>(
               [&](auto then) { stores().documents.get_several(alice_, std::move(kinds), std::move(then)); })
        .value();
  };
  EXPECT_TRUE(several({"private", "vcard", "none"}).empty()) << "those have keys";
  stores().documents.put(alice_, "vcard", "", "<vCard/>");
  EXPECT_EQ(several({"vcard", "none"}), (std::map<std::string, std::string>{{"vcard", "<vCard/>"}}));
  stores().documents.put(bob_, "vcard", "", "<vCard/>");
  EXPECT_EQ(documents(alice_, "private"), 2U);
  EXPECT_EQ(documents(alice_, "vcard"), 2U);
  EXPECT_EQ(documents(bob_, "private"), 0U);
}

TEST_P(Conformance, the_archive_is_paged_both_ways_by_address_and_id) {
  const auto carol = *Jid::parse("carol@example.net/phone");
  const auto dave = *Jid::parse("dave@example.net");
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 10; ++i) {
    const auto& peer = i % 2 == 0 ? carol : dave;
    ids.push_back(stores().archive.add(alice_, noon + std::chrono::seconds(i), peer, std::to_string(i)).id);
  }
  const auto other = stores().archive.add(bob_, noon, carol, "bob's").id;
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_GT(other, ids.back());

  const ArchivePage first = archive_page(alice_, {.most = 4}).value();
  EXPECT_FALSE(first.complete);
  ASSERT_EQ(first.messages.size(), 4U);
  EXPECT_EQ(first.messages.front().stanza, "0");
  EXPECT_EQ(first.messages.front().id, ids[0]);
  EXPECT_EQ(archive(alice_, {.above = ids[7]}), (std::vector<std::string>{"8", "9"}));
  EXPECT_EQ(archive(alice_, {.above = ids[1], .below = ids[4]}), (std::vector<std::string>{"2", "3"}));
  EXPECT_EQ(archive(alice_, {.from_newest = true, .most = 3}), (std::vector<std::string>{"7", "8", "9"}));
  EXPECT_TRUE(archive_page(alice_, {.from_newest = true, .most = 10}).value().complete);

  EXPECT_EQ(archive(alice_, {.with = bare("dave@example.net")}), (std::vector<std::string>{"1", "3", "5", "7", "9"}));
  EXPECT_EQ(archive(alice_, {.with = bare("dave@example.net"), .below = ids[7], .from_newest = true, .most = 2}),
            (std::vector<std::string>{"3", "5"}));
  EXPECT_EQ(archive(alice_, {.with = bare("carol@example.net"), .with_resource = "phone"}).size(), 5U);
  EXPECT_EQ(archive(alice_, {.with = bare("carol@example.net"), .with_resource = "laptop", .from_newest = true}).size(),
            0U);

  EXPECT_EQ(archive(alice_, {.ids = {ids[3], ids[1]}}), (std::vector<std::string>{"3", "1"}));
  EXPECT_FALSE(archive_page(alice_, {.ids = {ids[3], other}}).value().known);
  EXPECT_FALSE(archive_page(alice_, {.must_exist = {other}}).value().known);
  EXPECT_TRUE(archive_page(alice_, {.must_exist = {ids[0]}}).value().known);
}

TEST_P(Conformance, a_page_of_the_archive_has_a_limit_in_bytes_but_one_message_always_comes) {
  const auto carol = *Jid::parse("carol@example.net/phone");
  for (int i = 0; i < 4; ++i) stores().archive.add(alice_, noon, carol, std::string(100, 'x'));
  const ArchivePage page = archive_page(alice_, {.most = 10, .most_bytes = 250}).value();
  EXPECT_EQ(page.messages.size(), 2U);
  EXPECT_FALSE(page.complete);
  EXPECT_EQ(archive(alice_, {.most = 10, .most_bytes = 1}).size(), 1U);
}

TEST_P(Conformance, the_archive_counts_and_tells_its_ends) {
  const auto ends = [&](const BareJid& jid) {
    return ask<std::optional<ArchiveStore::Ends>>([&](auto then) { stores().archive.ends(jid, std::move(then)); })
        .value();
  };
  const auto count = [&](ArchiveQuery query) {
    return ask<std::uint64_t>([&](auto then) { stores().archive.count(alice_, std::move(query), std::move(then)); })
        .value();
  };
  EXPECT_FALSE(ends(alice_));
  const auto first = stores().archive.add(alice_, noon, *Jid::parse("carol@example.net/phone"), "1").id;
  stores().archive.add(alice_, noon, *Jid::parse("dave@example.net"), "2");
  const auto last = stores().archive.add(alice_, noon, *Jid::parse("carol@example.net"), "3").id;
  ASSERT_TRUE(ends(alice_));
  EXPECT_EQ(ends(alice_)->first, first);
  EXPECT_EQ(ends(alice_)->last, last);
  EXPECT_EQ(count({}), 3U);
  EXPECT_EQ(count({.above = first}), 2U);
  EXPECT_EQ(count({.with = bare("carol@example.net")}), 2U);
  EXPECT_EQ(count({.with = bare("carol@example.net"), .with_resource = "phone"}), 1U);
}

TEST_P(Conformance, archive_ids_grow_when_the_clock_is_set_back) {
  const auto carol = *Jid::parse("carol@example.net");
  const auto before = stores().archive.add(alice_, noon, carol, "1").id;
  const auto after = stores(1).archive.add(alice_, noon - std::chrono::hours(5), carol, "2").id;
  EXPECT_GT(after, before);
}

TEST_P(Conformance, an_archived_message_may_change_earlier_ones_that_it_refers_to) {
  const auto carol = *Jid::parse("carol@example.net/phone");
  const auto desk = *Jid::parse("carol@example.net/desk");
  auto& store = stores().archive;
  store.add(alice_, noon, carol, "1", "r");
  store.add(alice_, noon, desk, "2", "r");
  store.add(alice_, noon, carol, "3", "r");
  store.add(alice_, noon, carol, "4", "other");
  store.add(alice_, noon, carol, "5");
  store.add(alice_, noon, *Jid::parse("dave@example.net"), "6", "r");
  store.add(bob_, noon, carol, "7", "r");
  std::vector<std::string> seen;
  const auto up_to = [&](std::string last) {
    return [&seen, last](std::string_view stanza) -> ArchiveStore::Rewritten {
      seen.emplace_back(stanza);
      return {.stanza = stanza == "3" ? std::nullopt : std::optional(std::string(stanza) + "!"),
              .more = stanza != last};
    };
  };
  const auto added = store.add_rewriting(alice_, noon, carol, "8", "r", up_to("2"));
  EXPECT_EQ(archive(alice_, {}), (std::vector<std::string>{"1", "2!", "3", "4", "5", "6", "8"}));
  EXPECT_EQ(seen, (std::vector<std::string>{"3", "2"}));
  EXPECT_EQ(archive(alice_, {.ids = {added.id}}), (std::vector<std::string>{"8"}));
  EXPECT_EQ(archive(bob_, {}), (std::vector<std::string>{"7"}));
  // What was changed is not found again, and what changes others is not found itself.
  seen.clear();
  store.add_rewriting(alice_, noon, carol, "9", "r", up_to(""));
  EXPECT_EQ(archive(alice_, {}).front(), "1!");
  EXPECT_EQ(seen, (std::vector<std::string>{"3", "1"}));
  seen.clear();
  store.add_rewriting(alice_, noon, carol, "10", "", up_to(""));
  EXPECT_EQ(archive(alice_, {}).back(), "10");
  EXPECT_TRUE(seen.empty());
}

TEST_P(Conformance, a_message_changes_so_many_of_the_archive_and_no_more) {
  const auto carol = *Jid::parse("carol@example.net");
  for (std::size_t i = 0; i <= ArchiveStore::most_rewritten; ++i) stores().archive.add(alice_, noon, carol, "x", "r");
  stores().archive.add_rewriting(alice_, noon, carol, "last", "r", [](std::string_view) -> ArchiveStore::Rewritten {
    return {.stanza = "", .more = true};
  });
  const auto all = archive(alice_, {.most = 1000});
  EXPECT_EQ(std::ranges::count(all, "x"), 1);
  EXPECT_EQ(all.front(), "x") << "the newest come first";
}

TEST_P(Conformance, old_messages_of_all_archives_expire_the_oldest_first) {
  const auto carol = *Jid::parse("carol@example.net");
  for (int i = 0; i < 5; ++i) {
    stores().archive.add(alice_, noon + std::chrono::hours(i), carol, "a" + std::to_string(i));
    stores().archive.add(bob_, noon + std::chrono::hours(i), carol, "b" + std::to_string(i));
  }
  const auto expire = [&](std::size_t most) {
    return ask<bool>([&](auto then) { stores().archive.expire(noon + std::chrono::hours(3), most, std::move(then)); })
        .value();
  };
  EXPECT_TRUE(expire(1));
  EXPECT_EQ(archive(alice_, {}).front(), "a1");
  EXPECT_EQ(archive(bob_, {}).front(), "b0");
  EXPECT_TRUE(expire(100));
  EXPECT_FALSE(expire(100));
  EXPECT_EQ(archive(alice_, {}), (std::vector<std::string>{"a3", "a4"}));
  EXPECT_EQ(archive(bob_, {}), (std::vector<std::string>{"b3", "b4"}));
}

TEST_P(Conformance, saved_sessions_come_back_in_order_until_they_are_removed) {
  EXPECT_TRUE(sessions().empty());
  stores().sessions.put(alice_, "one");
  stores().sessions.put(bob_, "two");
  stores().sessions.put(alice_, "three");
  const auto all = sessions();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].state, "one");
  EXPECT_EQ(all[1].account, bob_);
  EXPECT_EQ(all[2].state, "three");
  ASSERT_EQ(sessions(0, 2).size(), 2U);
  ASSERT_EQ(sessions(all[1].number).size(), 1U);
  stores().sessions.remove(all[0].number);
  stores().sessions.remove(all[0].number);
  ASSERT_EQ(sessions().size(), 2U);
  EXPECT_EQ(sessions()[0].state, "two");
}

TEST_P(Conformance, a_client_has_a_token_that_it_uses_and_a_fresh_one) {
  using std::chrono_literals::operator""h;
  ASSERT_EQ(add(record("alice@example.org")), true);
  const auto token = [](const std::string& client, const std::string& seed, WallTime when) {
    return TokenRecord{
        .client = client, .mechanism = "HT", .seed = seed, .issued = when, .expires = when + 24h, .used = when};
  };
  const LoginBasis basis{.salt = xmpp::salt_of(record("alice@example.org").credentials)};
  const auto seeds = [&](const std::string& client) {
    std::string all;
    const auto found = ask<LoginTokens>([&](auto then) { stores().tokens.find(alice_, client, std::move(then)); });
    for (const TokenRecord& one : found->tokens) all += one.seed + (one.fresh ? "*" : "");
    return all;
  };
  stores().tokens.put(alice_, token("phone", "a", noon), basis, 2);
  stores().tokens.put(alice_, token("phone", "b", noon), basis, 2);
  const auto found = ask<LoginTokens>([&](auto then) { stores().tokens.find(alice_, "phone", std::move(then)); });
  EXPECT_EQ(xmpp::salt_of(found->account.value().credentials), basis.salt);
  EXPECT_FALSE(ask<LoginTokens>([&](auto then) { stores().tokens.find(bob_, "phone", std::move(then)); })->account);
  EXPECT_EQ(seeds("phone"), "b*");
  stores().tokens.used(alice_, "phone", true, noon + 1h);
  EXPECT_EQ(seeds("phone"), "b");
  stores().tokens.put(alice_, token("phone", "c", noon + 2h), basis, 2);
  stores().tokens.used(alice_, "phone", false, noon + 3h);
  EXPECT_EQ(seeds("phone"), "bc*");
  stores().tokens.used(alice_, "phone", true, noon + 4h);
  EXPECT_EQ(seeds("phone"), "c");
  // A fresh one that is gone is not used.
  stores().tokens.used(alice_, "phone", true, noon + 5h);
  EXPECT_EQ(seeds("phone"), "c");
  // Of three clients the one goes that was away for longest; what has expired goes, too.
  stores().tokens.put(alice_, token("tablet", "d", noon + 6h), basis, 2);
  stores().tokens.put(alice_, token("desk", "e", noon + 7h), basis, 2);
  EXPECT_EQ(seeds("phone") + seeds("tablet") + seeds("desk"), "d*e*");
  stores().tokens.used(alice_, "desk", true, noon + 8h);
  stores().tokens.put(alice_, token("desk", "x", noon + 8h), basis, 2);
  EXPECT_EQ(seeds("desk"), "ex*");
  stores().tokens.remove(alice_, "desk");
  EXPECT_EQ(seeds("phone") + seeds("tablet") + seeds("desk"), "d*");
  stores().tokens.put(alice_, token("desk", "f", noon + 96h), basis, 2);
  EXPECT_EQ(seeds("tablet") + seeds("desk"), "f*");
  const auto gone = [&] {
    return ask<bool>([&](auto then) { stores().tokens.remove_client(alice_, "desk", std::move(then)); });
  };
  EXPECT_EQ(gone(), true);
  EXPECT_EQ(gone(), false);
  // Nobody has a token who is no account, and none outlives its password.
  stores().tokens.put(bob_, token("phone", "g", noon), basis, 2);
  EXPECT_TRUE(ask<std::vector<TokenRecord>>([&](auto then) { stores().tokens.list(bob_, std::move(then)); })->empty());
  stores().tokens.put(alice_, token("phone", "h", noon), basis, 2);
  EXPECT_EQ(ask<bool>([&](auto then) { stores().accounts.set_credentials(alice_, {}, std::move(then)); }), true);
  EXPECT_EQ(seeds("phone"), "");
}

TEST_P(Conformance, a_token_is_not_stored_for_a_login_that_no_longer_holds) {
  using std::chrono_literals::operator""h;
  ASSERT_EQ(add(record("alice@example.org")), true);
  const TokenRecord token{.client = "phone", .mechanism = "HT", .seed = "s", .issued = noon, .expires = noon + 24h};
  LoginBasis basis{.salt = xmpp::salt_of(record("alice@example.org").credentials)};
  const auto count = [&] {
    return ask<std::vector<TokenRecord>>([&](auto then) { stores().tokens.list(alice_, std::move(then)); })->size();
  };
  // By a token that was taken away meanwhile.
  basis.by_token = true;
  stores().tokens.put(alice_, token, basis, 2);
  EXPECT_EQ(count(), 0U);
  basis.by_token = false;
  stores().tokens.put(alice_, token, basis, 2);
  EXPECT_EQ(count(), 1U);
  basis.by_token = true;
  stores().tokens.put(alice_, token, basis, 2);
  EXPECT_EQ(count(), 1U);
  // By a password that was changed meanwhile, or of another's account that had the name before.
  const auto changed = record("alice@example.org", "b").credentials;
  EXPECT_EQ(ask<bool>([&](auto then) { stores().accounts.set_credentials(alice_, changed, std::move(then)); }), true);
  for (const bool by_token : {false, true}) {
    basis.by_token = by_token;
    stores().tokens.put(alice_, token, basis, 2);
    EXPECT_EQ(count(), 0U);
  }
  // Who has no keys has nothing to log in with.
  EXPECT_EQ(ask<bool>([&](auto then) { stores().accounts.set_credentials(alice_, {}, std::move(then)); }), true);
  stores().tokens.put(alice_, token, {}, 2);
  EXPECT_EQ(count(), 0U);
}

TEST_P(Conformance, removing_an_account_removes_all_that_was_its_and_nothing_else) {
  for (const BareJid& jid : {alice_, bob_}) {
    ASSERT_EQ(add(record(jid.text())), true);
    stores().accounts.set_last_seen(jid, {.when = noon, .status = "gone"});
    stores().rosters.put(jid, item("carol@example.net"), 1);
    stores().rosters.remove(jid, bare("dave@example.net"), 2);
    stores().offline.add(jid, noon, "<message/>");
    stores().documents.put(jid, "vcard", "", "<vCard/>");
    stores().archive.add(jid, noon, *Jid::parse("carol@example.net/a"), "<message/>");
    stores().sessions.put(jid, "<session/>");
    stores().tokens.put(jid, {.client = "phone", .mechanism = "HT", .seed = "s", .expires = noon},
                        {.salt = xmpp::salt_of(record(jid.text()).credentials)}, 5);
  }
  EXPECT_EQ(remove(alice_), true);
  EXPECT_EQ(remove(alice_), false);
  // Made again, it starts with nothing of its former life.
  ASSERT_EQ(add({.jid = alice_, .credentials = {}, .created = noon}), true);
  const auto found = find(alice_);
  ASSERT_TRUE(found && *found);
  EXPECT_FALSE((*found)->credentials.sha1);
  const auto last = ask<std::optional<AccountStore::LastSeen>>(
      [&](auto then) { stores().accounts.last_seen(alice_, std::move(then)); });
  EXPECT_FALSE(last.value());
  EXPECT_TRUE(roster(alice_).items.empty());
  EXPECT_TRUE(roster(alice_).removed.empty());
  EXPECT_EQ(roster(alice_).version, 0U);
  EXPECT_EQ(size(alice_).messages, 0U);
  EXPECT_EQ(documents(alice_, "vcard"), 0U);
  EXPECT_TRUE(archive(alice_, {}).empty());
  ASSERT_EQ(sessions().size(), 1U);
  EXPECT_EQ(sessions()[0].account, bob_);
  const auto tokens = [&](const BareJid& jid) {
    return ask<std::vector<TokenRecord>>([&](auto then) { stores().tokens.list(jid, std::move(then)); })->size();
  };
  EXPECT_EQ(tokens(alice_), 0U);
  EXPECT_EQ(tokens(bob_), 1U);

  EXPECT_EQ(archive(bob_, {}).size(), 1U);
  EXPECT_EQ(roster(bob_).items.size(), 1U);
  EXPECT_EQ(roster(bob_).removed.size(), 1U);
  EXPECT_EQ(size(bob_).messages, 1U);
  EXPECT_EQ(documents(bob_, "vcard"), 1U);
  EXPECT_TRUE(find(bob_).value()->credentials.sha512);
}

TEST_P(Conformance, what_arrives_after_the_removal_is_not_left_to_a_namesake) {
  ASSERT_EQ(add(record("alice@example.org")), true);
  EXPECT_EQ(remove(alice_), true);
  stores().offline.add(alice_, noon, "late");
  ASSERT_EQ(add(record("alice@example.org")), true);
  EXPECT_TRUE(page(alice_).empty());
}

TEST_P(Conformance, answers_are_never_given_inside_the_call) {
  bool answered = false;
  stores().accounts.find(alice_, [&](auto) { answered = true; });
  EXPECT_FALSE(answered);
  EXPECT_TRUE(shard().run_until([&] { return answered; }));
  answered = false;
  stores().accounts.add(record("alice@example.org"), [&](auto) { answered = true; });
  EXPECT_FALSE(answered);
  EXPECT_TRUE(shard().run_until([&] { return answered; }));
}

TEST_P(Conformance, tickets_grow_and_each_is_decided_in_the_end) {
  Ticket last;
  for (int i = 0; i < 700; ++i) {
    const Ticket ticket = stores(static_cast<unsigned>(i % 2)).offline.add(alice_, noon, "m");
    EXPECT_GT(ticket, last);
    last = ticket;
  }
  backend_->drain();
  EXPECT_GE(backend_->log().decided(), last);
  EXPECT_FALSE(backend_->log().failed(last));
  EXPECT_FALSE(backend_->log().failed(Ticket{}));
}

TEST_P(Conformance, each_shard_is_told_on_its_own_executor_when_tickets_are_decided) {
  Ticket seen[2];
  for (const unsigned i : {0U, 1U}) backend_->on_decided(i, [this, i, &seen] { seen[i] = backend_->log().decided(); });
  const Ticket ticket = stores(0).offline.add(alice_, noon, "m");
  EXPECT_EQ(seen[0], Ticket{});
  for (const unsigned i : {0U, 1U}) EXPECT_TRUE(shard(i).run_until([&] { return seen[i] >= ticket; }));
}

TEST_P(Conformance, a_read_sees_every_write_given_before_it) {
  for (int i = 1; i <= 50; ++i) {
    stores().offline.add(alice_, noon, "m");
    EXPECT_EQ(size(alice_).messages, static_cast<std::uint64_t>(i));
  }
}

TEST_P(Conformance, another_shard_sees_what_was_answered) {
  ASSERT_EQ(add(record("alice@example.org"), 0), true);
  EXPECT_TRUE(find(alice_, 1).value());
}

/// What only a backend with threads of its own can be asked.
class ConformanceOnThreads : public Conformance {};

TEST_P(ConformanceOnThreads, two_shards_write_and_read_their_own) {
  constexpr int messages = 300;
  const auto live = [&](unsigned index, const BareJid& account) {
    for (int i = 0; i < messages; ++i) {
      stores(index).offline.add(account, noon, std::to_string(i));
      if (i % 50 == 49) {
        const auto so_far = page(account, 0, 1000, index);
        EXPECT_EQ(so_far.size(), static_cast<std::size_t>(i + 1));
        EXPECT_EQ(so_far.back().stanza, std::to_string(i));
      }
    }
  };
  std::thread other([&] { live(1, bob_); });
  live(0, alice_);
  other.join();
}

TEST_P(Conformance, pushes_are_counted_by_the_hour_and_expire) {
  using namespace std::chrono_literals;
  const auto log = [&](const BareJid& account) {
    std::string all;
    const auto records =
        ask<std::vector<PushRecord>>([&](auto then) { stores().push_log.list(account, std::move(then)); });
    for (const PushRecord& one : records.value()) {
      all += std::to_string((one.hour - noon) / 1h) + " " + one.service + " " + one.node + " " +
             std::to_string(one.sent) + "/" + std::to_string(one.refused) + "; ";
    }
    return all;
  };
  const auto expire = [&](WallTime when, std::size_t most) {
    return ask<bool>([&](auto then) { stores().push_log.expire(when, most, std::move(then)); }).value();
  };
  EXPECT_EQ(log(alice_), "");
  stores().push_log.add(alice_, noon + 5min, {.service = "p", .node = "n", .sent = 1});
  stores().push_log.add(alice_, noon + 59min, {.service = "p", .node = "n", .sent = 1, .refused = 1});
  stores().push_log.add(alice_, noon + 60min, {.service = "p", .node = "n", .sent = 1});
  stores().push_log.add(alice_, noon + 61min, {.service = "o", .sent = 1});
  stores().push_log.add(bob_, noon, {.service = "p", .node = "n", .sent = 7});
  EXPECT_EQ(log(alice_), "1 o  1/0; 1 p n 1/0; 0 p n 2/1; ");
  EXPECT_FALSE(expire(noon, 100));
  EXPECT_TRUE(expire(noon + 1h, 1));
  EXPECT_TRUE(expire(noon + 1h, 100));
  EXPECT_FALSE(expire(noon + 1h, 100));
  EXPECT_EQ(log(bob_), "");
  EXPECT_EQ(log(alice_), "1 o  1/0; 1 p n 1/0; ");
  ASSERT_TRUE(add(record("alice@example.org")).value());
  EXPECT_EQ(log(alice_), "");
}

TEST_P(Conformance, an_account_is_loaded_in_one_read) {
  const auto load = [&](const BareJid& account) {
    return ask<std::optional<AccountData>>(
               [&](auto then) { stores().loads.load(account, {"blocklist", "vcard", "none"}, std::move(then)); })
        .value();
  };
  EXPECT_FALSE(load(alice_));
  stores().rosters.put(bob_, item("nurse@example.org"), 3);
  EXPECT_FALSE(load(bob_)) << "there is no such account";
  ASSERT_TRUE(add(record("alice@example.org")).value());
  const auto fresh = load(alice_);
  ASSERT_TRUE(fresh);
  EXPECT_EQ(fresh->created, noon);
  EXPECT_TRUE(fresh->roster.items.empty() && fresh->documents.empty() && fresh->pubsub.nodes.empty());
  stores().rosters.put(alice_, item("nurse@example.org", Subscription::both), 7);
  stores().documents.put(alice_, "vcard", "", "<vCard/>");
  stores().documents.put(alice_, "vcard", "other", "<other/>");
  stores().documents.put(alice_, "private", "", "<private/>");
  stores().documents.put(bob_, "blocklist", "", "a@b.example");
  stores().pubsub.put_node(alice_, "n", "config");
  stores().pubsub.publish(alice_, "n", {{.id = "i", .when = noon, .payload = "<p/>"}}, {1});
  const auto whole = load(alice_);
  ASSERT_TRUE(whole);
  ASSERT_EQ(whole->roster.items.size(), 1U);
  EXPECT_EQ(whole->roster.items[0].contact, bare("nurse@example.org"));
  EXPECT_EQ(whole->roster.version, 7U);
  EXPECT_EQ(whole->documents, (std::map<std::string, std::string>{{"vcard", "<vCard/>"}}));
  ASSERT_EQ(whole->pubsub.nodes.size(), 1U);
  EXPECT_EQ(whole->pubsub.nodes[0].config, "config");
  EXPECT_EQ(whole->pubsub.bytes, 4U);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, Conformance, testing::ValuesIn(backends), name_of);
INSTANTIATE_TEST_SUITE_P(Sqlite, ConformanceOnThreads, testing::Values(backends[1]), name_of);

}  // namespace
}  // namespace kith::storage
