// kithctl: looks after a running kithd over its admin socket. Everything else is in run.cpp.
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "ctl/run.h"

int main(int count, char** values) {
  using namespace kith;
  ctl::SystemTerminal terminal;
  try {
    const SystemClock clock;
    const ctl::Surroundings surroundings{.terminal = terminal,
                                         .clock = clock,
                                         .environment =
                                             [](const char* name) {
                                               const char* value = std::getenv(name);
                                               return value == nullptr ? std::nullopt
                                                                       : std::optional<std::string>(value);
                                             },
                                         .exists =
                                             [](const std::string& path) {
                                               std::error_code error;
                                               return std::filesystem::exists(path, error);
                                             }};
    return static_cast<int>(ctl::run({values + 1, values + count}, surroundings));
  } catch (const std::exception& error) {
    terminal.err(std::string("kithctl: Something went wrong inside: ") + error.what() + ".\n");
    return static_cast<int>(ctl::Exit::refused);
  }
}
