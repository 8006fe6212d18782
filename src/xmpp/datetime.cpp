#include "xmpp/datetime.h"

#include <fmt/format.h>

namespace kith::xmpp {
namespace {

/// Reads text from its front; after the first thing that is not there nothing more is read.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  /// A number of exactly `digits` digits between `low` and `high`.
  int number(int digits, int low, int high) {
    int value = 0;
    for (int i = 0; i < digits; ++i) value = value * 10 + digit();
    if (value < low || value > high) good_ = false;
    return value;
  }
  void character(char expected) {
    if (!take(expected)) good_ = false;
  }
  bool take(char expected) {
    if (!good_ || rest_.empty() || rest_.front() != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool at_digit() const { return good_ && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
  int digit() {
    if (!at_digit()) {
      good_ = false;
      return 0;
    }
    const int value = rest_.front() - '0';
    rest_.remove_prefix(1);
    return value;
  }
  void fail() { good_ = false; }
  bool good() const { return good_; }
  bool finished() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

/// The digits after the point; what is finer than a microsecond is cut off.
std::chrono::microseconds read_fraction(Reader& reader) {
  std::int64_t micros = 0;
  std::int64_t unit = 100'000;
  if (!reader.at_digit()) reader.fail();
  while (reader.at_digit()) {
    micros += reader.digit() * unit;
    unit /= 10;
  }
  return std::chrono::microseconds(micros);
}

}  // namespace

std::string format_datetime(WallTime time, bool milliseconds) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::milliseconds>(time - day));
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                 clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (milliseconds && clock.subseconds().count() != 0) text += fmt::format(".{:03}", clock.subseconds().count());
  text += 'Z';
  return text;
}

std::optional<WallTime> parse_datetime(std::string_view text) {
  Reader reader(text);
  const int year = reader.number(4, 0, 9999);
  reader.character('-');
  const int month = reader.number(2, 1, 12);
  reader.character('-');
  const int day = reader.number(2, 1, 31);
  reader.character('T');
  const int hour = reader.number(2, 0, 23);
  reader.character(':');
  const int minute = reader.number(2, 0, 59);
  reader.character(':');
  const int second = reader.number(2, 0, 60);  // a leap second is read as the next minute's first
  const std::chrono::microseconds fraction = reader.take('.') ? read_fraction(reader) : std::chrono::microseconds(0);
  std::chrono::minutes offset{0};
  if (!reader.take('Z')) {
    const int sign = reader.take('-') ? -1 : 1;
    if (sign == 1) reader.character('+');
    const int offset_hours = reader.number(2, 0, 23);
    reader.character(':');
    const int offset_minutes = reader.number(2, 0, 59);
    offset = std::chrono::minutes(sign * (offset_hours * 60 + offset_minutes));
  }
  if (!reader.finished()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + fraction - offset;
}

}  // namespace kith::xmpp
