// Gives back what only the start of the daemon needed.
#pragma once

namespace kith::server {

/// Takes the pages of code that were read while starting out of the resident memory, and gives the heap's free pages
/// back to the system. What is needed again comes from the page cache by itself. Any thread, once, when the start is
/// over.
void release_startup_pages();

}  // namespace kith::server
