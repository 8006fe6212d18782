#include "server/startup_pages.h"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include <malloc.h>
#include <sys/mman.h>

namespace kith::server {

void release_startup_pages() {
  malloc_trim(0);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    // "55d0c0000000-55d0c0200000 r-xp 00000000 fe:00 1234   /usr/bin/kithd"
    std::istringstream fields(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::string permissions;
    std::string offset;
    std::string device;
    std::string inode;
    std::string path;
    fields >> std::hex >> begin >> dash >> end >> permissions >> offset >> device >> inode >> path;
    // Code is never written to, so a page of it holds nothing that its file does not. Of other read-only mappings that
    // cannot be said: what the loader has relocated would be lost.
    if (permissions != "r-xp" || !path.starts_with('/')) continue;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
}

}  // namespace kith::server
