// What every storage backend must do for what people upload (storage/uploads.h, storage/test_conformance.h).

#include <chrono>
#include <optional>

#include "storage/test_conformance.h"
#include "storage/uploads.h"

namespace kith::storage {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class UploadConformance : public Conformance {
 protected:
  static UploadRecord slot(const std::string& id, std::uint64_t bytes, const std::string& account = "alice@example.org",
                           WallTime when = noon) {
    return {.id = id,
            .account = account,
            .name = "Élan \" 100%.png",
            .type = "image/png",
            .purpose = "message",
            .bytes = bytes,
            .created = when,
            .expires = when + minutes(15)};
  }
  UploadStore& uploads() { return stores().uploads; }
  bool change(const std::function<void(Callback<bool>)>& wish) { return ask<bool>(wish).value(); }
  bool add(const UploadRecord& record, std::uint64_t most = 1000) {
    return change([&](auto then) { uploads().add(record, record.created - hours(24), most, std::move(then)); });
  }
  bool begun(const std::string& id, WallTime until) {
    return change([&](auto then) { uploads().begun(id, until, std::move(then)); });
  }
  bool stored(const std::string& id, WallTime expires = noon + hours(720)) {
    return change([&](auto then) { uploads().stored(id, "image/webp", expires, std::move(then)); });
  }
  bool removed(const std::string& id) {
    return change([&](auto then) { uploads().remove(id, std::move(then)); });
  }
  std::optional<UploadRecord> found(const std::string& id) {
    return ask<std::optional<UploadRecord>>([&](auto then) { uploads().find(id, std::move(then)); }).value();
  }
  std::vector<std::string> expired(WallTime now, std::size_t most = 100) {
    return ask<std::vector<std::string>>([&](auto then) { uploads().expired(now, most, std::move(then)); }).value();
  }
  std::string list(const std::string& account, const std::string& after = "", std::size_t most = 100) {
    std::string ids;
    const auto records =
        ask<std::vector<UploadRecord>>([&](auto then) { uploads().list(account, after, most, std::move(then)); });
    for (const UploadRecord& record : records.value()) ids += record.id + " ";
    return ids;
  }
  UploadStore::Usage usage(const std::string& account) {
    return ask<UploadStore::Usage>([&](auto then) { uploads().usage(account, std::move(then)); }).value();
  }
};

TEST_P(UploadConformance, a_slot_becomes_a_file_once) {
  EXPECT_FALSE(found("aaaa").has_value());
  EXPECT_FALSE(stored("aaaa"));
  ASSERT_TRUE(add(slot("aaaa", 10)));
  const auto before = found("aaaa");
  ASSERT_TRUE(before.has_value());
  EXPECT_EQ(before->account, "alice@example.org");
  EXPECT_EQ(before->name, "Élan \" 100%.png");
  EXPECT_EQ(before->type, "image/png");
  EXPECT_EQ(before->purpose, "message");
  EXPECT_EQ(before->bytes, 10U);
  EXPECT_EQ(before->created, noon);
  EXPECT_EQ(before->expires, noon + minutes(15));
  EXPECT_EQ(before->expire_before, WallTime::max());
  EXPECT_FALSE(before->stored);
  EXPECT_TRUE(begun("aaaa", noon + hours(24)));
  EXPECT_EQ(found("aaaa")->expires, noon + hours(24));
  EXPECT_TRUE(stored("aaaa"));
  const auto after = found("aaaa");
  EXPECT_TRUE(after->stored);
  EXPECT_EQ(after->type, "image/webp");
  EXPECT_EQ(after->expires, noon + hours(720));
  EXPECT_FALSE(begun("aaaa", noon));
  EXPECT_FALSE(stored("aaaa"));
  EXPECT_TRUE(removed("aaaa"));
  EXPECT_FALSE(removed("aaaa"));
  EXPECT_FALSE(found("aaaa").has_value());
}

TEST_P(UploadConformance, when_its_owner_wants_it_gone_is_kept) {
  UploadRecord record = slot("aaaa", 10);
  record.expire_before = noon + hours(5);
  ASSERT_TRUE(add(record));
  ASSERT_TRUE(stored("aaaa"));
  EXPECT_EQ(found("aaaa")->expire_before, noon + hours(5));
}

TEST_P(UploadConformance, an_id_is_given_out_once) {
  ASSERT_TRUE(add(slot("aaaa", 10)));
  EXPECT_FALSE(add(slot("aaaa", 20, "bob@example.org")));
  EXPECT_EQ(found("aaaa")->account, "alice@example.org");
}

TEST_P(UploadConformance, an_account_has_its_bytes_of_a_day_and_slots_that_nobody_used_do_not_count) {
  EXPECT_TRUE(add(slot("aaaa", 600)));
  EXPECT_TRUE(stored("aaaa"));
  EXPECT_TRUE(add(slot("bbbb", 400)));
  EXPECT_FALSE(add(slot("cccc", 1)));
  EXPECT_FALSE(found("cccc").has_value());
  EXPECT_TRUE(add(slot("dddd", 1000, "bob@example.org")));
  // The slot of 400 is over, the file of 600 is not.
  EXPECT_FALSE(add(slot("eeee", 401, "alice@example.org", noon + hours(1))));
  EXPECT_TRUE(add(slot("ffff", 400, "alice@example.org", noon + hours(1))));
  // A day later.
  EXPECT_TRUE(add(slot("gggg", 1000, "alice@example.org", noon + hours(26))));
  EXPECT_FALSE(add(slot("hhhh", ~std::uint64_t{0}, "bob@example.org", noon + hours(48))));
}

TEST_P(UploadConformance, what_is_over_is_found_oldest_first) {
  ASSERT_TRUE(add(slot("aaaa", 1)));
  ASSERT_TRUE(add(slot("bbbb", 1, "alice@example.org", noon - minutes(5))));
  ASSERT_TRUE(add(slot("cccc", 1)));
  ASSERT_TRUE(stored("cccc"));
  EXPECT_TRUE(expired(noon).empty());
  EXPECT_EQ(expired(noon + hours(1)), (std::vector<std::string>{"bbbb", "aaaa"}));
  EXPECT_EQ(expired(noon + hours(1), 1), std::vector<std::string>{"bbbb"});
  EXPECT_EQ(expired(noon + hours(721)).size(), 3U);
}

TEST_P(UploadConformance, files_are_listed_and_counted_by_account_and_in_all) {
  for (const char* id : {"dddd", "aaaa", "cccc"}) {
    ASSERT_TRUE(add(slot(id, 7)));
    ASSERT_TRUE(stored(id));
  }
  ASSERT_TRUE(add(slot("bbbb", 5, "bob@example.org")));
  ASSERT_TRUE(stored("bbbb"));
  ASSERT_TRUE(add(slot("eeee", 100)));
  EXPECT_EQ(list("alice@example.org"), "aaaa cccc dddd ");
  EXPECT_EQ(list("alice@example.org", "aaaa", 1), "cccc ");
  EXPECT_EQ(list(""), "aaaa bbbb cccc dddd ");
  EXPECT_EQ(list("", "bbbb"), "cccc dddd ");
  EXPECT_EQ(list("nobody@example.org"), "");
  EXPECT_EQ(usage("alice@example.org").files, 3U);
  EXPECT_EQ(usage("alice@example.org").bytes, 21U);
  EXPECT_EQ(usage("").files, 4U);
  EXPECT_EQ(usage("").bytes, 26U);
  EXPECT_EQ(usage("nobody@example.org").files, 0U);
}

TEST_P(UploadConformance, with_its_account_a_file_goes_at_once_from_the_world_and_soon_from_the_disk) {
  ASSERT_TRUE(Conformance::add(record("alice@example.org")).value());
  ASSERT_TRUE(add(slot("aaaa", 1)));
  ASSERT_TRUE(stored("aaaa"));
  ASSERT_TRUE(add(slot("bbbb", 1)));
  ASSERT_TRUE(add(slot("cccc", 1, "bob@example.org")));
  ASSERT_TRUE(remove(alice_).value());
  for (const char* id : {"aaaa", "bbbb"}) {
    ASSERT_TRUE(found(id).has_value());
    EXPECT_EQ(found(id)->account, "");
    EXPECT_EQ(found(id)->name, "");
    EXPECT_LT(found(id)->expires, noon);
  }
  EXPECT_FALSE(begun("bbbb", noon + hours(24)));
  EXPECT_FALSE(stored("bbbb"));
  EXPECT_EQ(expired(noon).size(), 2U);
  EXPECT_EQ(list("alice@example.org"), "");
}

INSTANTIATE_TEST_SUITE_P(Sqlite, UploadConformance, testing::ValuesIn(backends), name_of);

}  // namespace
}  // namespace kith::storage
