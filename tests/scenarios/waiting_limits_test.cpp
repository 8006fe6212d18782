// How much may wait for other servers: in all, whichever thread it waits on, and of each account.
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "talk.h"

namespace kith::scenario {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Many servers, none of which answers, on three shards.
class WaitingLimits : public testing::Test {
 protected:
  static constexpr int many = 9;
  explicit WaitingLimits(Limits limits) : world(options(limits)) {
    for (const char* name : {"juliet", "nurse"}) world.add_account(std::string(name) + "@localhost", "secret");
    juliet = available(world, "juliet@localhost", "balcony");
    nurse = available(world, "nurse@localhost", "hall");
  }
  static WorldOptions options(Limits limits) {
    WorldOptions made{.shards = 3, .limits = limits, .servers = std::map<std::string, std::vector<std::string>>{}};
    for (int i = 0; i < many; ++i) made.servers->emplace(domain(i), std::vector{"192.0.2." + std::to_string(i + 1)});
    return made;
  }
  static std::string domain(int number) { return "far" + std::to_string(number) + ".example"; }
  /// What comes back to who writes about 1,000 bytes there.
  std::string write(WorldClient& person, int number) {
    person.send(message("romeo@" + domain(number), std::string(850, 'x')));
    world.settle();
    std::string all;
    for (const std::string& one : got(world, person)) all += one;
    return all;
  }
  World world;
  std::unique_ptr<WorldClient> juliet;
  std::unique_ptr<WorldClient> nurse;
};

class InAll : public WaitingLimits {
 protected:
  static Limits few() {
    Limits limits;
    limits.s2s_waiting_bytes_in_all = 4500;
    return limits;
  }
  InAll() : WaitingLimits(few()) {}
};

TEST_F(InAll, what_waits_is_counted_over_all_threads) {
  for (int i = 0; i < 4; ++i) EXPECT_THAT(write(*juliet, i), IsEmpty()) << i;
  for (int i = 4; i < many; ++i) {
    EXPECT_THAT(write(*nurse, i), AllOf(HasSubstr("<resource-constraint"), HasSubstr("type='wait'"),
                                        HasSubstr("Too much waits for other servers.")))
        << i;
  }
  EXPECT_EQ(world.events().counter("kith_limit_hits_total", "", "limit=\"s2s_waiting_bytes_in_all\"").value(), 5U);
}

TEST_F(InAll, also_what_waited_before_a_restart) {
  for (int i = 0; i < 4; ++i) EXPECT_THAT(write(*juliet, i), IsEmpty()) << i;
  world.restart();
  nurse = available(world, "nurse@localhost", "hall");
  EXPECT_THAT(write(*nurse, 5), HasSubstr("<resource-constraint"));
}

class OfAccount : public WaitingLimits {
 protected:
  static Limits few() {
    Limits limits;
    limits.s2s_waiting_bytes_per_account = 2500;
    limits.s2s_wait_time = std::chrono::minutes(30);
    return limits;
  }
  OfAccount() : WaitingLimits(few()) {}
};

TEST_F(OfAccount, one_person_cannot_fill_the_room_of_all) {
  EXPECT_THAT(write(*juliet, 0), IsEmpty());
  EXPECT_THAT(write(*juliet, 1), IsEmpty());
  EXPECT_THAT(write(*juliet, 2), AllOf(HasSubstr("<resource-constraint"), HasSubstr("type='wait'"),
                                       HasSubstr("Too much of what you have written waits for other servers.")));
  EXPECT_THAT(write(*nurse, 2), IsEmpty());
}

TEST_F(OfAccount, what_has_come_back_makes_room_again) {
  write(*juliet, 0);
  write(*juliet, 1);
  EXPECT_THAT(write(*juliet, 2), HasSubstr("<resource-constraint"));
  for (int i = 0; i < 45; ++i) {
    world.advance(std::chrono::minutes(1));
    juliet->poll();
    nurse->poll();
  }
  std::string came;
  for (const std::string& one : got(world, *juliet)) came += one;
  EXPECT_THAT(came, HasSubstr("<remote-server-timeout"));
  EXPECT_THAT(write(*juliet, 2), IsEmpty());
}

}  // namespace
}  // namespace kith::scenario
