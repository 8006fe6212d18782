#include "plan.h"

#include <array>

namespace kith::simulation {

namespace {

constexpr std::array names{"juliet", "romeo", "nurse", "tybalt", "mercutio", "benvolio"};
// In the order of Act.
constexpr std::array<std::size_t, static_cast<std::size_t>(Act::count_)> usual_weights{30, 10, 3, 4, 8, 5, 5, 14,
                                                                                       1,  2,  2, 2, 1, 3, 1};

void choose_limits(Dice& dice, Limits& limits) {
  if (dice.chance(300)) limits.outbox_bytes_after_login = dice.between(4, 64) * 1024;
  if (dice.chance(200)) limits.sessions_per_account = dice.between(1, 3);
  if (dice.chance(200)) limits.offline_messages = dice.between(1, 10);
  if (dice.chance(100)) limits.offline_bytes = dice.between(1, 20) * 1024;
  if (dice.chance(200)) limits.account_queue_stanzas = dice.between(1, 8);
  if (dice.chance(150)) limits.mailbox_items = dice.between(1, 6);
  if (dice.chance(150)) limits.roster_items = dice.between(1, 3);
  if (dice.chance(100)) limits.pending_subscription_requests = 1;
  if (dice.chance(100)) limits.directed_presences = 1;
  if (dice.chance(100)) limits.private_xml_entries = 1;
  if (dice.chance(100)) limits.stanzas = {.per_second = 5, .burst = 10};
  if (dice.chance(100)) limits.bytes_after_login = {.per_second = 4096, .burst = 4096};
  if (dice.chance(100)) limits.hash_jobs_waiting = 1;
  limits.sm_resume_time = dice.chance(300) ? std::chrono::seconds(20) : std::chrono::seconds(300);
  if (dice.chance(150)) limits.sm_hibernating_per_account = 1;
  if (dice.chance(150)) limits.sm_queue_stanzas = dice.between(1, 8);
  if (dice.chance(100)) limits.sm_queue_bytes = dice.between(4, 64) * 1024;
  limits.account_idle_time = std::chrono::seconds(dice.chance(500) ? 120 : 1);
}

void choose_disk(Dice& dice, DiskWeather& disk) {
  disk.usual = dice.chance(300) ? std::chrono::milliseconds(200) : std::chrono::milliseconds(3);
  if (dice.chance(400)) disk.stalls = dice.between(5, 100);
  if (dice.chance(350)) disk.refused_writes = dice.between(5, 150);
  if (dice.chance(250)) disk.failing_commits = dice.between(5, 150);
  if (dice.chance(250)) disk.failing_reads = dice.between(5, 100);
  disk.whole_groups = dice.below(1001);
}

void choose_links(Dice& dice, LinkWeather& links) {
  links.latency = dice.chance(500) ? std::chrono::milliseconds(2) : std::chrono::milliseconds(150);
  if (dice.chance(400)) links.hiccups = dice.between(2, 60);
  links.splits = dice.chance(300) ? 900 : 200;
  if (dice.chance(300)) links.window_bytes = dice.between(1, 16) * 512;
}

}  // namespace

Plan make_plan(std::uint64_t seed) {
  Dice dice(~seed);
  Plan plan{.seed = seed};
  plan.house.shards = static_cast<unsigned>(dice.between(1, 4));
  choose_limits(dice, plan.house.limits);
  choose_disk(dice, plan.house.disk);
  choose_links(dice, plan.links);
  if (dice.chance(300)) plan.house.pace = {.usual = std::chrono::milliseconds(5), .seldom_per_thousand = 30};
  const std::size_t accounts = dice.between(2, names.size());
  for (std::size_t i = 0; i < accounts; ++i) plan.accounts.push_back(std::string(names[i]) + "@" + plan.house.domain);
  plan.people = accounts + dice.below(accounts + 2);
  plan.resources = dice.between(1, 3);
  plan.acts = dice.between(100, 400);
  plan.crashes = dice.chance(600) ? dice.between(1, 12) : 0;
  plan.big_messages = dice.chance(300) ? 200 : 5;
  if (plan.house.limits.outbox_bytes_after_login < std::size_t{1024} * 1024 && dice.chance(700)) {
    // Somebody who does not read shall be seen not to.
    plan.links.window_bytes = 512;
    plan.big_messages = 400;
  }
  plan.managed = dice.chance(250) ? 0 : dice.between(300, 1000);
  plan.longest_thought = dice.chance(300) ? Duration(std::chrono::minutes(8)) : Duration(std::chrono::seconds(20));
  for (const std::size_t weight : usual_weights) plan.weights.push_back(weight * dice.below(4));
  plan.weights.front() += 5;
  // Ten thousand rounds of hashing at each login afterwards: seldom, so that many seeds are quick.
  if (!dice.chance(100)) plan.weights[static_cast<std::size_t>(Act::change_password)] = 0;
  return plan;
}

std::string describe(const Plan& plan) {
  const DiskWeather& disk = plan.house.disk;
  const Limits& limits = plan.house.limits;
  return "seed " + std::to_string(plan.seed) + ": " + std::to_string(plan.house.shards) + " shards, " +
         std::to_string(plan.accounts.size()) + " accounts, " + std::to_string(plan.people) + " people, " +
         std::to_string(plan.acts) + " acts; per thousand: " + std::to_string(plan.crashes) + " crashes, disk " +
         std::to_string(disk.stalls) + " stalls " + std::to_string(disk.refused_writes) + " refused " +
         std::to_string(disk.failing_commits) + " failing commits " + std::to_string(disk.failing_reads) +
         " failing reads; outbox " + std::to_string(limits.outbox_bytes_after_login) + ", offline " +
         std::to_string(limits.offline_messages) + ", mailbox " + std::to_string(limits.mailbox_items) + ", managed " +
         std::to_string(plan.managed) + ", account queue " + std::to_string(limits.account_queue_stanzas);
}

}  // namespace kith::simulation
