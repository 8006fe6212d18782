// What a client may conclude from what it gets, when the disk is slow, full or the server dies (docs/durability.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "talk.h"

namespace kith::scenario {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

struct Write {
  const char* name;
  const char* set;
  const char* get;
  const char* mark;  ///< in the answer to `get` once the write is on disk
};
constexpr Write writes[] = {
    {"roster", "<query xmlns='jabber:iq:roster'><item jid='nurse@localhost' name='Angelica'/></query>",
     "<query xmlns='jabber:iq:roster'/>", "Angelica"},
    {"private", "<query xmlns='jabber:iq:private'><a xmlns='urn:a'>kept</a></query>",
     "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>", "kept"},
    {"vcard", "<vCard xmlns='vcard-temp'><FN>Juliet C.</FN></vCard>", "<vCard xmlns='vcard-temp'/>", "Juliet C."},
};

class DurabilityTest : public ::testing::Test {
 protected:
  DurabilityTest() {
    for (const char* name : {"juliet@localhost", "romeo@localhost", "nurse@localhost"})
      world.add_account(name, "secret");
    juliet = available(world, "juliet@localhost", "balcony");
  }
  static std::string iq(const char* type, const std::string& id, const std::string& payload) {
    return "<iq type='" + std::string(type) + "' id='" + id + "'>" + payload + "</iq>";
  }
  /// What the account has, read by a session of its own.
  std::string stored(const Write& write) {
    auto reader = entered(world, "juliet@localhost", "");
    reader->send(iq("get", "g", write.get));
    const auto all = got(world, *reader);
    return all.empty() ? std::string() : all.front();
  }
  // Each test counts the writes that it lets fail: the archive's would come between.
  World world{{.features_off = {"archive"}}};
  std::unique_ptr<WorldClient> juliet;
};

TEST_F(DurabilityTest, the_result_of_a_set_waits_for_the_commit_and_what_follows_waits_behind_it) {
  for (const Write& write : writes) {
    SCOPED_TRACE(write.name);
    world.storage().hold_commits(true);
    juliet->send(iq("set", "s", write.set));
    world.settle();
    juliet->send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
    const auto early = got(world, *juliet);
    EXPECT_THAT(early, Not(Contains(HasSubstr("id='s'"))));
    world.storage().commit_now();
    world.storage().hold_commits(false);
    const auto late = got(world, *juliet);
    EXPECT_THAT(late, Contains(AllOf(HasSubstr("id='s'"), HasSubstr("type='result'"))));
    if (std::string(write.name) == "roster") {
      EXPECT_THAT(early, IsEmpty());
      ASSERT_THAT(late, SizeIs(3));
      EXPECT_THAT(late[0], AllOf(HasSubstr("Angelica"), HasSubstr("type='set'")));
      EXPECT_THAT(late[1], HasSubstr("id='s'"));
      EXPECT_THAT(late[2], HasSubstr("id='p'"));
    }
    EXPECT_THAT(stored(write), HasSubstr(write.mark));
  }
}

TEST_F(DurabilityTest, a_set_whose_write_fails_is_an_error_to_try_again) {
  for (const bool held : {false, true}) {
    for (const Write& write : writes) {
      SCOPED_TRACE(write.name);
      world.storage().hold_commits(held);
      world.fail_writes(true);
      juliet->send(iq("set", "s", write.set));
      world.settle();
      world.fail_writes(false);
      if (held) {
        EXPECT_THAT(got(world, *juliet), Not(Contains(HasSubstr("id='s'"))));
        world.storage().commit_now();
      }
      world.storage().hold_commits(false);
      EXPECT_THAT(got(world, *juliet),
                  ElementsAre(AllOf(HasSubstr("id='s'"), HasSubstr("type='error'"), HasSubstr("<error type='wait'>"))));
      EXPECT_THAT(stored(write), Not(HasSubstr(write.mark)));
    }
  }
  // The disk has room again.
  for (const Write& write : writes) {
    juliet->send(iq("set", "s", write.set));
    EXPECT_THAT(got(world, *juliet), Contains(AllOf(HasSubstr("id='s'"), HasSubstr("type='result'"))));
    EXPECT_THAT(stored(write), HasSubstr(write.mark));
  }
}

TEST_F(DurabilityTest, a_contacts_ping_is_answered_when_the_messages_before_it_are_on_disk) {
  auto romeo = available(world, "romeo@localhost", "orchard");
  romeo->send("<presence type='subscribe' to='juliet@localhost'/>");
  world.settle();
  juliet->send("<presence type='subscribed' to='romeo@localhost'/>");
  got(world, *romeo);
  juliet->send(closing);
  world.settle();
  got(world, *romeo);
  const std::string message = "<message type='chat' id='m' to='juliet@localhost'><body>hark</body></message>";
  const std::string ping = "<iq type='get' id='p' to='juliet@localhost'><ping xmlns='urn:xmpp:ping'/></iq>";

  world.storage().hold_commits(true);
  romeo->send(message + ping);
  EXPECT_THAT(got(world, *romeo), IsEmpty());
  world.storage().commit_now();
  EXPECT_THAT(got(world, *romeo), ElementsAre(AllOf(HasSubstr("id='p'"), HasSubstr("type='result'"))));

  // If the write fails, the message comes back, and before the answer.
  world.fail_writes(true);
  romeo->send(message + ping);
  world.settle();
  world.fail_writes(false);
  world.storage().commit_now();
  world.storage().hold_commits(false);
  const auto all = got(world, *romeo);
  EXPECT_THAT(all, Contains(AllOf(HasSubstr("<message "), HasSubstr("id='m'"), HasSubstr("type='error'"),
                                  HasSubstr("<error type='wait'>"))));
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_THAT(all[0], HasSubstr("<message "));
  EXPECT_THAT(all[1], HasSubstr("id='p'"));

  auto back = entered(world, "juliet@localhost", "balcony");
  back->send("<presence/>");
  const auto kept = got(world, *back);
  EXPECT_EQ(std::ranges::count_if(kept, [](const std::string& text) { return text.find("hark") != std::string::npos; }),
            1);
}

TEST_F(DurabilityTest, a_refusal_that_waited_for_a_write_comes_however_that_ends) {
  for (const bool fails : {false, true}) {
    world.storage().hold_commits(true);
    world.fail_writes(fails);
    auto nurse = world.log_in("nurse@localhost", "secret", "ward");
    ASSERT_TRUE(nurse);
    (*nurse)->send(
        "<message type='chat' id='m' to='romeo@localhost'><body>hark</body></message>"
        "<iq type='get' id='full' to='romeo@localhost/nowhere'><ping xmlns='urn:xmpp:ping'/></iq>"
        "<iq type='get' id='bare' to='romeo@localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
        "<message type='groupchat' id='group' to='romeo@localhost/nowhere'><body>hark</body></message>");
    EXPECT_THAT(got(world, **nurse), Not(Contains(HasSubstr("<iq"))));
    world.fail_writes(false);
    world.storage().commit_now();
    world.storage().hold_commits(false);
    const auto all = got(world, **nurse);
    std::vector<std::string> ids;
    for (const std::string& text : all) {
      ids.push_back(text.substr(text.find(" id='") + 5, 4));
      EXPECT_THAT(text, HasSubstr("type='error'"));
    }
    EXPECT_THAT(ids, Contains("full"));
    EXPECT_THAT(ids, Contains("bare"));
    EXPECT_THAT(ids, Contains("grou"));
    EXPECT_EQ(fails, std::ranges::count_if(ids, [](const std::string& id) { return id.starts_with("m'"); }) == 1);
    if (fails) {
      EXPECT_LT(std::ranges::find_if(ids, [](const std::string& id) { return id.starts_with("m'"); }),
                std::ranges::find(ids, "full"));
    }
    (*nurse)->send(closing);
    world.settle();
  }
}

TEST_F(DurabilityTest, an_answer_comes_after_the_return_of_an_earlier_message_even_if_a_later_one_was_kept) {
  world.storage().hold_commits(true);
  world.storage().fail_next(1, storage::StorageError::full);
  juliet->send(
      "<message type='chat' id='m1' to='romeo@localhost'><body>lost</body></message>"
      "<message type='chat' id='m2' to='romeo@localhost'><body>kept</body></message>"
      "<iq type='get' id='p' to='romeo@localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
  EXPECT_THAT(got(world, *juliet), IsEmpty());
  world.storage().commit_now();
  world.storage().hold_commits(false);
  EXPECT_THAT(got(world, *juliet),
              ElementsAre(AllOf(HasSubstr("id='m1'"), HasSubstr("<error type='wait'>")), HasSubstr("id='p'")));
}

TEST_F(DurabilityTest, a_strangers_message_that_cannot_be_kept_comes_back_too) {
  world.fail_writes(true);
  juliet->send("<message type='chat' id='m' to='romeo@localhost'><body>hark</body></message>");
  EXPECT_THAT(got(world, *juliet), ElementsAre(AllOf(HasSubstr("<message "), HasSubstr("id='m'"),
                                                     HasSubstr("type='error'"), HasSubstr("<error type='wait'>"))));
  world.fail_writes(false);
  auto romeo = entered(world, "romeo@localhost", "orchard");
  romeo->send("<presence/>");
  EXPECT_THAT(got(world, *romeo), Not(Contains(HasSubstr("hark"))));
}

TEST_F(DurabilityTest, the_contact_list_in_memory_goes_back_to_what_the_disk_has) {
  const auto set = [](const std::string& jid, const std::string& name) {
    return iq("set", "s", "<query xmlns='jabber:iq:roster'><item jid='" + jid + "' name='" + name + "'/></query>");
  };
  juliet->send(set("nurse@localhost", "Nurse"));
  got(world, *juliet);
  world.fail_writes(true);
  juliet->send(
      set("nurse@localhost", "Angelica") + set("romeo@localhost", "Romeo") +
      iq("set", "s", "<query xmlns='jabber:iq:roster'><item jid='nurse@localhost' subscription='remove'/></query>"));
  const auto refused = got(world, *juliet);
  EXPECT_THAT(refused, SizeIs(3));
  EXPECT_THAT(refused, ::testing::Each(HasSubstr("<error type='wait'>")));
  world.fail_writes(false);
  juliet->send(iq("get", "g", "<query xmlns='jabber:iq:roster'/>"));
  const auto list = got(world, *juliet);
  ASSERT_THAT(list, SizeIs(1));
  EXPECT_THAT(list[0], AllOf(HasSubstr("name='Nurse'"), Not(HasSubstr("Romeo"))));
  // And a restart agrees.
  juliet.reset();
  world.restart();
  juliet = entered(world, "juliet@localhost", "balcony");
  juliet->send(iq("get", "g", "<query xmlns='jabber:iq:roster'/>"));
  EXPECT_THAT(got(world, *juliet), ElementsAre(AllOf(HasSubstr("name='Nurse'"), Not(HasSubstr("Romeo")))));
}

TEST_F(DurabilityTest, messages_to_a_session_wait_behind_its_own_unwritten_change) {
  auto romeo = available(world, "romeo@localhost", "orchard");
  world.storage().hold_commits(true);
  juliet->send(iq("set", "s", "<query xmlns='jabber:iq:roster'><item jid='nurse@localhost'/></query>"));
  world.settle();
  romeo->send("<message type='chat' id='m' to='juliet@localhost/balcony'><body>hark</body></message>");
  EXPECT_THAT(got(world, *juliet), IsEmpty());
  // Nobody else waits.
  juliet->send("<message type='chat' id='n' to='romeo@localhost/orchard'><body>who's there</body></message>");
  EXPECT_THAT(got(world, *romeo), ElementsAre(HasSubstr("id='n'")));
  world.storage().commit_now();
  const auto all = got(world, *juliet);
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_THAT(all[1], HasSubstr("id='s'"));
  EXPECT_THAT(all[2], HasSubstr("hark"));
}

TEST_F(DurabilityTest, nothing_acknowledged_is_lost_by_a_crash) {
  for (const Write& write : writes) juliet->send(iq("set", write.name, write.set));
  juliet->send("<message type='chat' id='m' to='romeo@localhost'><body>hark</body></message>");
  const auto acknowledged = got(world, *juliet);
  for (const Write& write : writes) {
    EXPECT_THAT(acknowledged,
                Contains(AllOf(HasSubstr("id='" + std::string(write.name) + "'"), HasSubstr("type='result'"))));
  }
  juliet.reset();
  world.restart();
  for (const Write& write : writes) EXPECT_THAT(stored(write), HasSubstr(write.mark)) << write.name;
  auto romeo = entered(world, "romeo@localhost", "orchard");
  romeo->send("<presence/>");
  EXPECT_THAT(got(world, *romeo), Contains(HasSubstr("hark")));
}

// Between the commit and the moment at which the shard hears of it, other stanzas may come. Found by the simulation.
TEST(Durability, what_comes_back_comes_before_the_answer_however_soon_after_the_commit_that_is_asked_for) {
  World world({.shards = 1, .features_off = {"archive"}});
  for (const char* name : {"juliet@localhost", "romeo@localhost"}) world.add_account(name, "secret");
  const auto romeo = available(world, "romeo@localhost", "orchard");
  world.storage().hold_commits(true);
  world.fail_writes(true);
  romeo->send("<message to='juliet@localhost' type='chat' id='m'><body>hi</body></message>");
  world.settle();
  world.fail_writes(false);
  romeo->send("<iq type='get' id='p' to='juliet@localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.storage().commit_now();  // The ping is on its way already; the shard is told behind it.
  world.storage().hold_commits(false);
  EXPECT_THAT(got(world, *romeo),
              ElementsAre(AllOf(HasSubstr("id='m'"), HasSubstr("type='error'")), HasSubstr("id='p'")));
}

}  // namespace
}  // namespace kith::scenario
