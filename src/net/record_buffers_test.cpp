#include "net/record_buffers.h"

#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kith::net::detail {
namespace {

TEST(RecordBuffers, what_was_given_back_is_lent_again) {
  void* first = allocate(16'700);
  std::memset(first, 1, kept_bytes);  // whoever asks next may ask for the most
  release(first);
  // Had the heap got it back, the heap would be the first to lend it again.
  void* of_the_heap = std::malloc(kept_bytes);
  EXPECT_NE(of_the_heap, first);
  void* second = allocate(kept_bytes);
  EXPECT_EQ(first, second);
  release(second);
  std::free(of_the_heap);
}

TEST(RecordBuffers, no_more_than_a_few_are_kept) {
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < 3 * most_kept; ++i) blocks.push_back(allocate(17'000));
  EXPECT_EQ(std::set<void*>(blocks.begin(), blocks.end()).size(), blocks.size());
  for (void* block : blocks) release(block);
  // The sanitizers of the tests would tell of what was lost or given back twice.
}

TEST(RecordBuffers, other_sizes_are_the_heaps) {
  for (const std::size_t bytes : {std::size_t{1}, least_kept_bytes, kept_bytes + 1, std::size_t{100'000}}) {
    void* block = allocate(bytes);
    std::memset(block, 1, bytes);
    release(block);
  }
  EXPECT_EQ(allocate(0), nullptr);
  release(nullptr);
}

TEST(RecordBuffers, a_block_may_end_on_another_thread) {
  void* block = allocate(17'000);
  std::jthread([&] { release(block); }).join();
}

}  // namespace
}  // namespace kith::net::detail
