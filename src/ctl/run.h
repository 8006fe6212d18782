// kithctl: from its command line to its exit code.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/terminal.h"

namespace kith::ctl {

/// What kithctl asks of the process around it.
struct Surroundings {
  Terminal& terminal;
  const Clock& clock;
  std::function<std::optional<std::string>(const char*)> environment;  ///< a variable's value
  std::function<bool(const std::string&)> exists;                      ///< whether there is a file at a path
};

Exit run(std::vector<std::string> arguments, const Surroundings& surroundings);

/// Where kithd is looked for; --help tells the order.
std::string find_socket(const std::string& given, const Surroundings& surroundings);

}  // namespace kith::ctl
