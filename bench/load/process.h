// What another process on this machine costs: its processor time and its memory, as the kernel counts them. All threads
// are in the figures, those that have ended as well.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace kith::bench {

struct ProcessorTime {
  double user_seconds = 0;
  double system_seconds = 0;
};

/// User and system time from the text of /proc/PID/stat; nothing if that is not what the text is.
std::optional<ProcessorTime> parse_stat(std::string_view text, double ticks_per_second);

/// A value in KiB from the text of /proc/PID/status, by its name without the colon ("RssAnon").
std::optional<std::int64_t> parse_status_kib(std::string_view text, std::string_view name);

class Process {
 public:
  /// Throws StepFailed if there is no such process.
  explicit Process(int pid);

  /// From the process's own clock, which counts nanoseconds; /proc/PID/stat counts hundredths of a second.
  double processor_seconds() const;
  /// How that time divides into user and system time.
  ProcessorTime processor_time() const;
  /// Memory that is the process's own: no files, nothing shared. KiB.
  std::int64_t anonymous_kib() const;

 private:
  std::string read(const char* file) const;

  int pid_;
  clockid_t clock_{};
};

/// What the generator itself has used.
double own_processor_seconds();

}  // namespace kith::bench
