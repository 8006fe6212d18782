#include "base/events.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kith {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

struct EventsTest : testing::Test {
  ManualClock clock{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 20h + 7min + 9s + 45'678us};
  std::vector<std::string> lines;
  Events events{clock, LogLevel::info, [this](LogLevel, std::string_view line) { lines.emplace_back(line); }};
};

TEST_F(EventsTest, a_line_has_time_level_name_and_fields) {
  events.record(LogLevel::info, "login", {{"account", "alice@example.org"}, {"ms", "12"}});
  EXPECT_THAT(lines, ElementsAre("2026-11-23T20:07:09.045Z info login account=alice@example.org ms=12"));
}

TEST_F(EventsTest, only_lines_of_the_level_and_above_are_written_but_all_are_counted) {
  events.record(LogLevel::debug, "detail");
  events.record(LogLevel::error, "trouble");
  EXPECT_EQ(lines.size(), 1U);
  EXPECT_FALSE(events.enabled(LogLevel::debug));
  events.set_level(LogLevel::debug);
  EXPECT_TRUE(events.enabled(LogLevel::debug));
  events.record(LogLevel::debug, "detail");
  EXPECT_EQ(lines.size(), 2U);
  EXPECT_THAT(events.open_metrics(), HasSubstr("kith_events_total{event=\"detail\"} 2\n"));
  EXPECT_THAT(events.open_metrics(), HasSubstr("kith_events_total{event=\"trouble\"} 1\n"));
}

TEST_F(EventsTest, a_value_stays_one_value_on_one_line_whatever_it_holds) {
  const std::pair<std::string, std::string> values[] = {
      {"", "\"\""},
      {"plain", "plain"},
      {"two words", "\"two words\""},
      {"a=b", "\"a=b\""},
      {"say \"hi\"", R"("say \"hi\"")"},
      {"back\\slash", R"("back\\slash")"},
      {"line\r\n2026 info forged", R"("line\r\n2026 info forged")"},
      {"tab\there", R"("tab\there")"},
      {std::string("nul\0", 4), R"("nul\x00")"},
      {"\x1b[31mred\x7f", R"("\x1b[31mred\x7f")"},
      {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
      {"\xc2\x85next", R"("\u0085next")"},
      {"\xe2\x80\xa8line", R"("\u2028line")"},
      {"\xe2\x80\xaeturned", R"("\u202eturned")"},
      {"broken\xff\xc3", R"("broken\xff\xc3")"},
  };
  for (const auto& [value, written] : values) {
    lines.clear();
    events.record(LogLevel::info, "e", {{"v", value}});
    EXPECT_THAT(lines, ElementsAre("2026-11-23T20:07:09.045Z info e v=" + written));
  }
}

TEST_F(EventsTest, a_huge_value_is_cut) {
  events.record(LogLevel::info, "e", {{"v", std::string(1024, 'x')}, {"w", std::string(1025, 'y')}});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].ends_with(" v=" + std::string(1024, 'x') + " w=\"" + std::string(1024, 'y') + "...\""));
}

TEST_F(EventsTest, a_limit_logs_one_line_a_minute_and_says_how_many_were_left_out) {
  for (int i = 0; i < 3; ++i) events.limit_hit("stanza_bytes", {{"port", "5222"}});
  events.limit_hit("depth");
  EXPECT_THAT(lines, ElementsAre("2026-11-23T20:07:09.045Z warning limit_hit limit=stanza_bytes port=5222",
                                 "2026-11-23T20:07:09.045Z warning limit_hit limit=depth"));
  clock.advance(59s);
  events.limit_hit("stanza_bytes");
  EXPECT_EQ(lines.size(), 2U);
  clock.advance(1s);
  events.limit_hit("stanza_bytes");
  EXPECT_THAT(lines.back(), HasSubstr("limit=stanza_bytes left_out=3"));
  clock.advance(1min);
  events.limit_hit("stanza_bytes");
  EXPECT_TRUE(lines.back().ends_with("limit=stanza_bytes"));
  EXPECT_THAT(events.open_metrics(), HasSubstr("kith_limit_hits_total{limit=\"stanza_bytes\"} 6\n"));
  EXPECT_THAT(events.open_metrics(), HasSubstr("kith_limit_hits_total{limit=\"depth\"} 1\n"));
}

TEST_F(EventsTest, a_wall_clock_that_jumps_does_not_change_the_pause_between_limit_lines) {
  events.limit_hit("depth");
  clock.jump_wall(1h);
  events.limit_hit("depth");
  EXPECT_EQ(lines.size(), 1U);
}

TEST_F(EventsTest, a_counter_is_made_once_for_each_name_and_label_set) {
  Counter& first = events.counter("kith_stanzas_total", "Stanzas routed.", R"(type="message")");
  Counter& again = events.counter("kith_stanzas_total", "Stanzas routed.", R"(type="message")");
  Counter& other = events.counter("kith_stanzas_total", "Stanzas routed.", R"(type="iq")");
  EXPECT_EQ(&first, &again);
  EXPECT_NE(&first, &other);
  Gauge& gauge = events.gauge("kith_sessions", "Sessions.");
  EXPECT_EQ(&gauge, &events.gauge("kith_sessions", "Sessions."));
}

TEST_F(EventsTest, metrics_are_open_metrics_text) {
  events.counter("kith_stanzas_total", "Stanzas \"routed\"\nhere.", R"(type="message")").add(3);
  events.counter("kith_bytes", "Bytes.").add(7);
  events.gauge("kith_sessions", "Sessions.").add(5);
  events.gauge("kith_sessions", "Sessions.").add(-2);
  events.gauge("kith_lag", "Lag.", R"(shard="0")").set(-1);
  EXPECT_EQ(events.open_metrics(), R"(# HELP kith_bytes Bytes.
# TYPE kith_bytes counter
kith_bytes_total 7
# HELP kith_lag Lag.
# TYPE kith_lag gauge
kith_lag{shard="0"} -1
# HELP kith_sessions Sessions.
# TYPE kith_sessions gauge
kith_sessions 3
# HELP kith_stanzas Stanzas \"routed\"\nhere.
# TYPE kith_stanzas counter
kith_stanzas_total{type="message"} 3
# EOF
)");
}

TEST_F(EventsTest, the_name_of_an_event_cannot_break_the_metrics) {
  events.record(LogLevel::debug, "a\"b\\c\nd");
  EXPECT_THAT(events.open_metrics(), HasSubstr("kith_events_total{event=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(Events, may_be_called_from_many_threads) {
  const SystemClock clock;
  std::size_t lines = 0;
  Events events(clock, LogLevel::info, [&](LogLevel, std::string_view) { ++lines; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        events.record(LogLevel::info, "tick");
        events.counter("kith_ticks_total", "Ticks.").add();
        events.limit_hit("ticks");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(events.counter("kith_ticks_total", "Ticks.").value(), 2000U);
  EXPECT_EQ(lines, 2001U);
  EXPECT_THAT(events.open_metrics(), HasSubstr("kith_limit_hits_total{limit=\"ticks\"} 2000\n"));
}

TEST(Events, need_no_sink) {
  const SystemClock clock;
  Events events(clock, LogLevel::debug, {});
  events.record(LogLevel::error, "unheard");
  EXPECT_THAT(events.open_metrics(), HasSubstr("event=\"unheard\"} 1\n"));
}

}  // namespace
}  // namespace kith
