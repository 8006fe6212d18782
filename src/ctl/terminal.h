// Where kithctl reads and writes: the process's standard streams, or a stage in a test.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace kith::ctl {

class Terminal {
 public:
  virtual ~Terminal() = default;
  /// True if somebody sits at standard input and can be asked.
  virtual bool interactive() const = 0;
  /// Asks without showing what is typed. Nothing if it was broken off (Ctrl-C, Ctrl-D, end of input).
  virtual std::optional<Secret> ask_secret(std::string_view prompt) = 0;
  /// A line of standard input, without its end; `prompt` goes to standard error if it is not empty. Nothing at the end
  /// of input, or if the line has more than 4096 bytes.
  virtual std::optional<std::string> ask_line(std::string_view prompt) = 0;
  virtual void out(std::string_view text) = 0;
  virtual void err(std::string_view text) = 0;
};

class SystemTerminal final : public Terminal {
 public:
  bool interactive() const override;
  std::optional<Secret> ask_secret(std::string_view prompt) override;
  std::optional<std::string> ask_line(std::string_view prompt) override;
  void out(std::string_view text) override;
  void err(std::string_view text) override;
};

}  // namespace kith::ctl
