#include "server/startup_pages.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace kith::server {
namespace {

long resident_file_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssFile:")) return std::stol(line.substr(8));
  }
  return 0;
}

TEST(StartupPages, less_is_resident_afterwards_and_all_code_still_runs) {
  const long before = resident_file_kib();
  ASSERT_GT(before, 0);
  release_startup_pages();
  EXPECT_LT(resident_file_kib(), before);
  EXPECT_EQ(std::stol(std::to_string(before)), before);
}

}  // namespace
}  // namespace kith::server
