// OpenSSL's buffers for records, kept for the next connection. With SSL_MODE_RELEASE_BUFFERS an idle connection holds
// none: OpenSSL takes one of 17 KiB from the heap for each read and each write, and gives it back. The heap is slow at
// blocks of that size, so a few of them stay with each thread.
#pragma once

#include <cstddef>

namespace kith::net {

/// Has OpenSSL take its memory from here. To be called once, before anything else is asked of OpenSSL; false if it was
/// too late, which costs speed and nothing else.
bool keep_record_buffers();

namespace detail {
/// Requests above the first and up to the second size are served from what is kept.
inline constexpr std::size_t least_kept_bytes = std::size_t{8} * 1024;
inline constexpr std::size_t kept_bytes = std::size_t{18} * 1024;
inline constexpr std::size_t most_kept = 4;  ///< by each thread

void* allocate(std::size_t bytes);
void release(void* block);
}  // namespace detail

}  // namespace kith::net
