// Somebody with an account and a device: logs in, does what the plan's weights and the dice say, goes away and comes
// back on a new connection.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client.h"
#include "plan.h"

namespace kith::simulation {

/// What people share.
struct Town {
  const Plan& plan;
  Scheduler& scheduler;
  House& house;
  History& history;
  std::size_t acts_left = 0;
  /// The passwords that may be right, by account: more than one while a change is not answered yet.
  std::map<std::string, std::vector<std::string>> passwords;
};

class Person final : private Source {
 public:
  Person(Town& town, std::string account, std::string resource);
  ~Person() override;
  Person(const Person&) = delete;
  Person& operator=(const Person&) = delete;

  /// From now on only what is there goes on; the weather is fine.
  void settle_down();
  Client* client() { return client_.get(); }

 private:
  using Duty = void (Person::*)();
  MonotonicTime ready_at() override { return next_at_; }
  void act() override;
  void come();
  void do_something();

  void say();
  void appear();
  void disappear();
  void direct_presence();
  void subscribe();
  void prove();
  void edit_roster();
  void store();
  void ask();
  void change_password();
  void stop_reading();
  void keep_alive();
  void misbehave();

  std::string some_account();
  std::string some_address();
  std::string mark(const std::string& prefix) { return town_.history.fresh(prefix); }
  Duration thought();

  Town& town_;
  Dice& dice_;
  std::string account_;
  std::string resource_;
  std::unique_ptr<Client> client_;
  std::vector<std::unique_ptr<Client>> past_;  ///< their ends are still to be seen
  MonotonicTime next_at_{};
  MonotonicTime came_at_{};
  MonotonicTime reads_again_at_ = never;
  bool settled_ = false;
};

}  // namespace kith::simulation
