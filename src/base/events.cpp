#include "base/events.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/encoding.h"

namespace kith {
namespace {

constexpr auto limit_line_pause = std::chrono::minutes(1);
constexpr std::size_t longest_value = 1024;

std::string_view word(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "?";
}

void append_time(std::string& out, WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::milliseconds>(time - day));
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                 clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

bool needs_quotes(std::string_view value) {
  if (value.empty() || value.size() > longest_value) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == '\x7f') return true;  // char is signed: non-ASCII too
  }
  return false;
}

/// True for the characters that could break or turn a line on a terminal: C1 controls, line separators, bidi controls.
bool harmful(std::uint32_t code) {
  return (code >= 0x80 && code <= 0x9f) || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

std::uint32_t code_point(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  std::uint32_t code = sequence.size() == 2 ? first & 0x1fU : sequence.size() == 3 ? first & 0x0fU : first & 0x07U;
  for (const char c : sequence.substr(1)) code = code << 6U | (static_cast<unsigned char>(c) & 0x3fU);
  return code;
}

/// The valid multi-byte sequence at the start of `text`, or nothing.
std::string_view multibyte_at(std::string_view text) {
  for (std::size_t length = 2; length <= 4 && length <= text.size(); ++length) {
    if (is_utf8(text.substr(0, length))) return text.substr(0, length);
  }
  return {};
}

/// SECURITY: a value may come from the network; whatever it holds, it stays one value on one line.
void append_value(std::string& out, std::string_view value) {
  if (!needs_quotes(value)) {
    out += value;
    return;
  }
  auto to = std::back_inserter(out);
  const std::size_t end = std::min(value.size(), longest_value);
  out += '"';
  for (std::size_t i = 0; i < end;) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (c >= 0x80) {
      const std::string_view sequence = multibyte_at(value.substr(i));
      if (sequence.empty()) {
        fmt::format_to(to, "\\x{:02x}", c);
        ++i;
        continue;
      }
      const std::uint32_t code = code_point(sequence);
      if (harmful(code)) {
        fmt::format_to(to, "\\u{:04x}", code);
      } else {
        out += sequence;
      }
      i += sequence.size();
      continue;
    }
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (c < ' ' || c == 0x7f) {
          fmt::format_to(to, "\\x{:02x}", c);
        } else {
          out += static_cast<char>(c);
        }
    }
    ++i;
  }
  out += value.size() > longest_value ? "...\"" : "\"";
}

/// As OpenMetrics asks for label values and help texts.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || c == '"') out += '\\';
      out += c;
    }
  }
  return out;
}

/// The name of a counter's family: OpenMetrics keeps the `_total` for the samples.
std::string_view family_name(std::string_view counter_name) {
  constexpr std::string_view suffix = "_total";
  if (counter_name.ends_with(suffix)) counter_name.remove_suffix(suffix.size());
  return counter_name;
}

}  // namespace

Events::Events(const Clock& clock, LogLevel level, Sink sink) : clock_(clock), level_(level), sink_(std::move(sink)) {}

void Events::record(LogLevel level, std::string_view name, std::initializer_list<Field> fields) {
  {
    const std::lock_guard lock(mutex_);
    labelled_locked(event_counters_, name, "kith_events_total", "Things that happened, by name.", "event").add();
  }
  if (enabled(level)) write_line(level, name, fields);
}

void Events::limit_hit(std::string_view limit, std::initializer_list<Field> fields) {
  std::vector<Field> line;
  {
    const std::lock_guard lock(mutex_);
    labelled_locked(limit_counters_, limit, "kith_limit_hits_total", "How often each limit was hit.", "limit").add();
    const MonotonicTime now = clock_.now();
    const auto known = limit_lines_.find(limit);
    if (known != limit_lines_.end() && now - known->second.last < limit_line_pause) {
      ++known->second.left_out;
      return;
    }
    LimitLine& state = known != limit_lines_.end() ? known->second : limit_lines_[std::string(limit)];
    line.push_back({"limit", std::string(limit)});
    line.insert(line.end(), fields.begin(), fields.end());
    if (state.left_out != 0) line.push_back({"left_out", std::to_string(state.left_out)});
    state = {.last = now, .left_out = 0};
  }
  if (enabled(LogLevel::warning)) write_line(LogLevel::warning, "limit_hit", line);
}

Counter& Events::counter(std::string_view name, std::string_view help, std::string_view labels) {
  const std::lock_guard lock(mutex_);
  return counter_locked(name, help, labels);
}

Gauge& Events::gauge(std::string_view name, std::string_view help, std::string_view labels) {
  const std::lock_guard lock(mutex_);
  Family& family = families_[std::string(name)];
  if (family.help.empty()) family.help = help;
  std::unique_ptr<Gauge>& gauge = family.gauges[std::string(labels)];
  if (gauge == nullptr) gauge = std::make_unique<Gauge>();
  return *gauge;
}

Counter& Events::counter_locked(std::string_view name, std::string_view help, std::string_view labels) {
  Family& family = families_[std::string(family_name(name))];
  if (family.help.empty()) family.help = help;
  std::unique_ptr<Counter>& counter = family.counters[std::string(labels)];
  if (counter == nullptr) counter = std::make_unique<Counter>();
  return *counter;
}

Counter& Events::labelled_locked(CountersByName& known, std::string_view key, std::string_view name,
                                 std::string_view help, std::string_view label) {
  const auto found = known.find(key);
  if (found != known.end()) return *found->second;
  Counter& made = counter_locked(name, help, fmt::format("{}=\"{}\"", label, escaped(key)));
  known.emplace(std::string(key), &made);
  return made;
}

std::string Events::open_metrics() const {
  std::string out;
  const auto sample = [&out](std::string_view name, std::string_view suffix, std::string_view labels, auto value) {
    out.append(name).append(suffix);
    if (!labels.empty()) out.append("{").append(labels).append("}");
    fmt::format_to(std::back_inserter(out), " {}\n", value);
  };
  const std::lock_guard lock(mutex_);
  for (const auto& [name, family] : families_) {
    fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, escaped(family.help), name,
                   family.counters.empty() ? "gauge" : "counter");
    for (const auto& [labels, counter] : family.counters) sample(name, "_total", labels, counter->value());
    if (!family.counters.empty()) continue;  // one name, one type
    for (const auto& [labels, gauge] : family.gauges) sample(name, "", labels, gauge->value());
  }
  out += "# EOF\n";
  return out;
}

void Events::write_line(LogLevel level, std::string_view name, std::span<const Field> fields) {
  std::string line;
  append_time(line, clock_.wall());
  line.append(" ").append(word(level)).append(" ").append(name);
  for (const Field& field : fields) {
    line.append(" ").append(field.name).append("=");
    append_value(line, field.value);
  }
  const std::lock_guard lock(sink_mutex_);
  if (sink_) sink_(level, line);
}

Events::Sink log_to_stderr() {
  return [](LogLevel, std::string_view line) {
    std::string text(line);
    text += '\n';
    std::string_view rest(text);
    while (!rest.empty()) {
      const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // nobody reads the log; the server goes on
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  };
}

}  // namespace kith
