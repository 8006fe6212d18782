#include "process.h"

#include <charconv>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include "failure.h"

namespace kith::bench {

namespace {

double seconds_of(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

std::optional<ProcessorTime> parse_stat(std::string_view text, double ticks_per_second) {
  // The second field is the program's name in parentheses, and may itself hold blanks and parentheses.
  const auto name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  std::istringstream fields(std::string(text.substr(name_end + 1)));
  std::string skipped;
  for (int field = 3; field <= 13; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  if (!(fields >> user >> system)) return std::nullopt;
  return ProcessorTime{user / ticks_per_second, system / ticks_per_second};
}

std::optional<std::int64_t> parse_status_kib(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    line.remove_prefix(name.size() + 1);
    const auto digit = line.find_first_not_of(" \t");
    if (digit == std::string_view::npos || !line.ends_with(" kB")) return std::nullopt;
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(line.data() + digit, line.data() + line.size(), value);
    if (error != std::errc() || *stop != ' ') return std::nullopt;
    return value;
  }
  return std::nullopt;
}

Process::Process(int pid) : pid_(pid) {
  if (pid <= 0 || clock_getcpuclockid(pid, &clock_) != 0)
    throw StepFailed("looking at the server", "there is no process " + std::to_string(pid));
}

double Process::processor_seconds() const {
  timespec now{};
  if (clock_gettime(clock_, &now) != 0) throw StepFailed("measuring", "process " + std::to_string(pid_) + " has ended");
  return seconds_of(now);
}

std::string Process::read(const char* file) const {
  std::ifstream stream("/proc/" + std::to_string(pid_) + "/" + file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

ProcessorTime Process::processor_time() const {
  const auto time = parse_stat(read("stat"), static_cast<double>(sysconf(_SC_CLK_TCK)));
  if (!time) throw StepFailed("measuring", "process " + std::to_string(pid_) + " has ended");
  return *time;
}

std::int64_t Process::anonymous_kib() const {
  const auto kib = parse_status_kib(read("status"), "RssAnon");
  if (!kib) throw StepFailed("measuring", "process " + std::to_string(pid_) + " has no memory to be read");
  return *kib;
}

double own_processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return seconds_of(now);
}

}  // namespace kith::bench
