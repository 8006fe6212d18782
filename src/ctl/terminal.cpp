#include "ctl/terminal.h"

#include <cerrno>

#include <termios.h>
#include <unistd.h>

namespace kith::ctl {
namespace {

constexpr std::size_t line_bytes = 4096;

/// One byte of standard input, or nothing at its end. Unbuffered, so that nothing of a secret stays in a buffer.
std::optional<char> read_byte() {
  char byte = 0;
  while (true) {
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got == 1) return byte;
    if (got == 0 || errno != EINTR) return std::nullopt;
  }
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Turns echo, line editing and the signal keys off while it lives. Ctrl-C then comes as a byte, so that the terminal
/// is never left without echo.
class Quiet {
 public:
  Quiet() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~Quiet() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  bool works() const { return changed_; }

 private:
  termios before_{};
  bool changed_ = false;
};

void remove_last_character(std::string& text) {
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80) text.pop_back();
  if (!text.empty()) text.pop_back();
}

}  // namespace

bool SystemTerminal::interactive() const { return isatty(STDIN_FILENO) == 1; }

std::optional<Secret> SystemTerminal::ask_secret(std::string_view prompt) {
  const Quiet quiet;
  if (!quiet.works()) return std::nullopt;
  err(prompt);
  std::string typed;
  typed.reserve(line_bytes);  // it does not move, and so leaves no copy behind
  bool finished = false;
  while (!finished) {
    const std::optional<char> byte = read_byte();
    constexpr char interrupt = 3, end = 4, backspace = 8, kill_line = 21, remove = 127;
    if (!byte || *byte == interrupt || *byte == end || typed.size() == line_bytes) {
      err("\n");
      wipe(typed);
      return std::nullopt;
    }
    if (*byte == '\n' || *byte == '\r') {
      finished = true;
    } else if (*byte == backspace || *byte == remove) {
      remove_last_character(typed);
    } else if (*byte == kill_line) {
      typed.clear();
    } else {
      typed.push_back(*byte);
    }
  }
  err("\n");
  Secret secret{std::string(typed)};
  wipe(typed);
  return secret;
}

std::optional<std::string> SystemTerminal::ask_line(std::string_view prompt) {
  err(prompt);
  std::string line;
  line.reserve(line_bytes);
  while (true) {
    const std::optional<char> byte = read_byte();
    if (!byte && line.empty()) return std::nullopt;
    if (!byte || *byte == '\n') return line;
    if (line.size() == line_bytes) return std::nullopt;
    line.push_back(*byte);
  }
}

void SystemTerminal::out(std::string_view text) { write_all(STDOUT_FILENO, text); }
void SystemTerminal::err(std::string_view text) { write_all(STDERR_FILENO, text); }

}  // namespace kith::ctl
