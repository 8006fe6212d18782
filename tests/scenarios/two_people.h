// A test with a whole server on which Juliet and Romeo have accounts.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "talk.h"

namespace kith::scenario {

class TwoPeople : public ::testing::Test {
 protected:
  TwoPeople() { begin({}); }
  /// Another server in the place of the one that there is.
  void begin(WorldOptions options) {
    world.reset();
    world = std::make_unique<World>(std::move(options));
    world->add_account("juliet@localhost", "secret");
    world->add_account("romeo@localhost", "secret");
  }
  Raw logged_in(const std::string& user = "juliet") {
    Raw raw(*world);
    raw.to_login(user, "secret");
    return raw;
  }
  std::unique_ptr<World> world;
};

}  // namespace kith::scenario
