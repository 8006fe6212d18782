// One seed from its plan to its last word: the town lives by the plan; then the weather turns fine and everybody gets
// the answers that are due; then all leave, each account's messages and stored things are collected by a last client,
// and the books are closed. What the checkers think of it is their business.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "history.h"
#include "person.h"
#include "plan.h"

namespace kith::simulation {

class Run {
 public:
  explicit Run(const Plan& plan);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void go();
  const History& history() const { return history_; }
  /// Of everything that was chosen and seen.
  std::uint64_t fingerprint() const { return history_.fingerprint() ^ scheduler_.fingerprint(); }
  std::uint64_t steps() const { return scheduler_.steps(); }

 private:
  void live();
  void start_again();
  void wait_for_start();
  void settle();
  void collect();
  void close_books();
  void pass(Duration time);
  void look();
  void look_at_queues();
  std::unique_ptr<Client> log_in(const std::string& account);
  bool answered(const Client& client, const std::string& id) const;

  Plan plan_;
  Scheduler scheduler_;
  History history_;
  House house_;
  Town town_;
  std::vector<std::unique_ptr<Person>> people_;
  bool disk_failed_ = false;
};

}  // namespace kith::simulation
