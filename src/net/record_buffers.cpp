#include "net/record_buffers.h"

#include <array>
#include <cstdlib>

#include <malloc.h>
#include <openssl/crypto.h>

namespace kith::net {
namespace {

/// What this thread keeps. A block may come from another thread: a connection moves between shards.
struct Kept {
  std::array<void*, detail::most_kept> blocks{};
  std::size_t count = 0;
  bool over = false;  ///< OpenSSL cleans up after the thread's own end, too
  Kept() = default;
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() {
    while (count > 0) std::free(blocks.at(--count));
    over = true;
  }
};

Kept& kept() {
  thread_local Kept mine;
  return mine;
}

void* allocate_for_openssl(std::size_t bytes, const char* /*file*/, int /*line*/) { return detail::allocate(bytes); }

void* reallocate_for_openssl(void* block, std::size_t bytes, const char* /*file*/, int /*line*/) {
  if (bytes == 0) {
    detail::release(block);
    return nullptr;
  }
  return std::realloc(block, bytes);
}

void release_for_openssl(void* block, const char* /*file*/, int /*line*/) { detail::release(block); }

}  // namespace

namespace detail {

void* allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes <= least_kept_bytes || bytes > kept_bytes) return std::malloc(bytes);
  Kept& mine = kept();
  return mine.count > 0 ? mine.blocks.at(--mine.count) : std::malloc(kept_bytes);
}

void release(void* block) {
  if (block == nullptr) return;
  // A block that is a little larger than asked for may be one that never was ours; its size is all that matters.
  const std::size_t size = malloc_usable_size(block);
  Kept& mine = kept();
  if (mine.over || size < kept_bytes || size > kept_bytes + least_kept_bytes || mine.count == mine.blocks.size()) {
    std::free(block);
    return;
  }
  mine.blocks.at(mine.count++) = block;
}

}  // namespace detail

bool keep_record_buffers() {
  return CRYPTO_set_mem_functions(allocate_for_openssl, reallocate_for_openssl, release_for_openssl) == 1;
}

}  // namespace kith::net
