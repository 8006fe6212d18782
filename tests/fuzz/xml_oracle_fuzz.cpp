// Any bytes, to our own parser and to expat: both make the same trees of them, and refuse the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "xml/testing_expat.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto different = kith::xml::oracle::disagreement({reinterpret_cast<const char*>(data), size});
  if (different) {
    std::fprintf(stderr, "%s\n", different->c_str());
    std::abort();
  }
  return 0;
}
