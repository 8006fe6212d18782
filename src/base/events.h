// Events: one call that counts a thing for the metrics and, where it matters, says it in the log.
// Any thread. Counters are atomics; the log line is written under a lock, and only when its level is on.
// SECURITY: no message body, password, token or stanza goes into a field; addresses of people only at debug.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace kith {

enum class LogLevel { debug, info, warning, error };

/// One named value of an event: {"account", "alice@example.org"}.
struct Field {
  std::string_view name;
  std::string value;
};

/// A number that only grows. Keep the reference: looking it up takes a lock, adding does not.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A number that goes up and down.
class Gauge {
 public:
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

class Events {
 public:
  using Sink = std::function<void(LogLevel, std::string_view line)>;

  /// A line looks so: 2026-11-23T20:00:00.123Z info login account=alice@example.org ms=12
  Events(const Clock& clock, LogLevel level, Sink sink);
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  /// Counts the event under kith_events_total{event="name"} and logs it if `level` is on.
  void record(LogLevel level, std::string_view name, std::initializer_list<Field> fields = {});
  /// A limit was hit: counts kith_limit_hits_total{limit="name"}, and logs at most one line a minute for each limit.
  void limit_hit(std::string_view limit, std::initializer_list<Field> fields = {});

  /// The counter of this name and label set, made when first asked for. Lives as long as the Events.
  /// `labels` is the text between the braces, for example `type="message"`; only values known at compile time or from
  /// the configuration, never from the network.
  Counter& counter(std::string_view name, std::string_view help, std::string_view labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, std::string_view labels = {});

  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }

  /// Everything counted, in OpenMetrics text, ending in `# EOF`.
  std::string open_metrics() const;

 private:
  struct Family {
    std::string help;
    std::map<std::string, std::unique_ptr<Counter>, std::less<>> counters;
    std::map<std::string, std::unique_ptr<Gauge>, std::less<>> gauges;
  };
  struct LimitLine {
    MonotonicTime last;
    std::uint64_t left_out = 0;
  };
  using CountersByName = std::map<std::string, Counter*, std::less<>>;
  Counter& counter_locked(std::string_view name, std::string_view help, std::string_view labels);
  Counter& labelled_locked(CountersByName& known, std::string_view key, std::string_view name, std::string_view help,
                           std::string_view label);
  void write_line(LogLevel level, std::string_view name, std::span<const Field> fields);

  const Clock& clock_;
  std::atomic<LogLevel> level_;
  Sink sink_;
  std::mutex sink_mutex_;     // apart from mutex_, so that a slow log does not hold up who only counts
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Family, std::less<>> families_;
  CountersByName event_counters_;
  CountersByName limit_counters_;
  std::map<std::string, LimitLine, std::less<>> limit_lines_;
};

/// Writes lines to standard error, one write(2) each.
Events::Sink log_to_stderr();

}  // namespace kith
