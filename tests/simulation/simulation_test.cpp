// The simulation itself: the same seed goes the same way every time, another one another way, and a failing run can be
// told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkers.h"
#include "run.h"

namespace kith::simulation {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::uint64_t fingerprint_of(std::uint64_t seed) {
  const Plan plan = make_plan(seed);
  simulation::Run run(plan);
  run.go();
  return run.fingerprint();
}

TEST(Simulation, a_seed_goes_the_same_way_every_time) {
  for (const std::uint64_t seed : {3U, 17U}) EXPECT_EQ(fingerprint_of(seed), fingerprint_of(seed));
  EXPECT_NE(fingerprint_of(3), fingerprint_of(4));
}

TEST(Simulation, every_checker_has_something_to_look_at) {
  // Over some seeds: messages are acknowledged, kept and bounced; the server crashes; the disk fails.
  std::size_t kept = 0;
  std::size_t bounced = 0;
  std::size_t crashes = 0;
  std::size_t failures = 0;
  std::size_t answers = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const Plan plan = make_plan(seed);
    simulation::Run run(plan);
    run.go();
    for (const Record& record : run.history().records()) {
      const bool message = record.what == What::received && record.facts.name == "message";
      kept += message && record.facts.delayed ? 1 : 0;
      bounced += message && record.facts.type == "error" ? 1U : 0U;
      answers += record.what == What::received && record.facts.type == "result" ? 1U : 0U;
      crashes += record.what == What::crashed ? 1 : 0;
      failures += record.what == What::failed ? 1 : 0;
    }
  }
  EXPECT_GT(kept, 100U);
  EXPECT_GT(bounced, 100U);
  EXPECT_GT(answers, 1000U);
  EXPECT_GT(crashes, 3U);
  EXPECT_GT(failures, 0U);
}

TEST(Simulation, a_transcript_shows_what_touches_a_stanza_and_how_it_ended) {
  ManualClock clock;
  History history(clock);
  const unsigned stream = history.open("a@kith.test");
  history.add(What::sent, stream, "<message id='m1'/>");
  history.add(What::sent, stream, "<message id='m12'/>");
  const std::string about = records_about(history, "m1");
  EXPECT_THAT(about, HasSubstr("id='m1'"));
  EXPECT_THAT(about, Not(HasSubstr("id='m12'")));
  EXPECT_THAT(last_records(history, 1), Not(HasSubstr("id='m1'")));
  EXPECT_THAT(last_records(history, 1), HasSubstr("id='m12'"));
}

}  // namespace
}  // namespace kith::simulation
