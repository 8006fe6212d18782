// The player on a stage of cardboard: what a server would have sent is written down before.
#include "player.h"

#include <gtest/gtest.h>

#include "xml/stream_parser.h"

namespace kith::scenario {
namespace {

class Cardboard final : public Stage {
 public:
  std::deque<std::string> comes;
  std::deque<std::string> comes_late;
  std::vector<std::string> sent;
  bool arranges = true;

  std::expected<std::string, std::string> connect(const ClientEntry& client) override {
    if (client.password != "right") return std::unexpected("not-authorized");
    return client.jid + "/r";
  }
  void send(const std::string&, const std::string& stanza) override { sent.push_back(on_one_line(stanza)); }
  std::optional<xml::Element> next(const std::string&, bool wait) override {
    std::deque<std::string>& from = comes.empty() && wait ? comes_late : comes;
    if (from.empty()) return std::nullopt;
    const auto parsed = xml::parse_element("<e xmlns='jabber:client'>" + from.front() + "</e>");
    from.pop_front();
    return *parsed->first_child();
  }
  void disconnect(const std::string&) override {}
  void vanish(const std::string&) override {}
  void settle() override {}
  bool arrange(const Step&) override { return arranges; }
};

struct Played {
  Outcome outcome;
  std::vector<std::string> sent;
};

Played play(const std::string& steps, std::deque<std::string> comes, bool go_on, std::deque<std::string> late = {},
            bool arranges = true) {
  const auto script = parse_script(
      "## strict\n[Client] A\n\tjid: a@b\n\tpassword: right\n[Client] Wrong\n\tjid: w@b\n-----\n"
      "A connects\n" +
      steps);
  EXPECT_TRUE(script) << script.error();
  Cardboard stage;
  stage.comes = std::move(comes);
  stage.comes_late = std::move(late);
  stage.arranges = arranges;
  Outcome outcome = Player(*script, stage, go_on).play();
  return {std::move(outcome), stage.sent};
}

std::vector<std::string> told(const Outcome& outcome) {
  std::vector<std::string> lines;
  for (const Difference& one : outcome.differences) {
    lines.push_back(std::to_string(one.line) + " " + one.what + " | " + one.expected + " | " + one.actual);
  }
  return lines;
}

using Lines = std::vector<std::string>;
const std::string one_then_two = "A receives:\n\t<message id='1'/>\nA receives:\n\t<message id='2'/>\n";

TEST(Player, what_comes_as_written_passes) {
  const Played played = play(one_then_two + "A receives nothing\n", {"<message id='1'/>", "<message id='2'/>"}, false);
  EXPECT_EQ(told(played.outcome), Lines{});
  EXPECT_EQ(played.outcome.steps, 4);
}

TEST(Player, addresses_and_captured_values_are_filled_in) {
  const Played played = play(
      "A receives:\n\t<message id='{scansion:capture:x}'/>\nA sends:\n\t<message to=\"${A's JID}\" id='${x}'>"
      "\n\t\t<q>${A's full JID}</q>\n\t</message>\n",
      {"<message id='77'/>"}, false);
  EXPECT_EQ(played.sent, Lines{"<message to=\"a@b\" id='77'> <q>a@b/r</q> </message>"});
}

TEST(Player, the_first_difference_ends_it) {
  const Played played = play(one_then_two, {"<message id='3'/>", "<message id='4'/>"}, false);
  EXPECT_EQ(told(played.outcome), Lines{"9 A: <message> has id='3', not '1' | <message id='1'/> | <message id='3'/>"});
  EXPECT_EQ(played.outcome.steps, 2);
}

TEST(Player, what_comes_late_is_waited_for) {
  EXPECT_EQ(told(play("A receives:\n\t<message/>\n", {}, false, {"<message/>"}).outcome), Lines{});
  EXPECT_EQ(told(play("A receives:\n\t<message/>\n", {}, false).outcome),
            Lines{"9 A: received nothing | <message/> | "});
}

TEST(Player, what_is_not_expected_is_a_difference) {
  EXPECT_EQ(told(play("A receives nothing\n", {"<presence/>"}, false).outcome),
            Lines{"9 A: received something | nothing | <presence/>"});
}

TEST(Player, who_cannot_log_in_is_a_difference) {
  EXPECT_EQ(told(play("Wrong connects\n", {}, false).outcome),
            Lines{"9 Wrong: could not log in: not-authorized |  | "});
}

TEST(Player, going_on_something_between_is_told_once) {
  const Played played =
      play(one_then_two + "A receives nothing\n", {"<presence/>", "<message id='1'/>", "<message id='2'/>"}, true);
  EXPECT_EQ(told(played.outcome), Lines{"9 A: received something else first | <message id='1'/> | <presence/>"});
}

TEST(Player, going_on_another_order_is_told_once) {
  EXPECT_EQ(told(play(one_then_two, {"<message id='2'/>", "<message id='1'/>"}, true).outcome),
            Lines{"9 A: received something else first | <message id='1'/> | <message id='2'/>"});
}

TEST(Player, going_on_the_same_stanza_filled_otherwise_takes_its_place) {
  EXPECT_EQ(told(play(one_then_two, {"<message id='1'><x/></message>", "<message id='2'/>"}, true).outcome),
            Lines{"9 A: <message> has 1 children, not 0 | <message id='1'/> | <message id='1'><x/></message>"});
}

TEST(Player, going_on_an_answer_is_found_by_its_id_behind_others) {
  EXPECT_EQ(told(play(one_then_two, {"<message id='2'/>", "<message id='1'><x/></message>"}, true).outcome),
            (Lines{"9 A: received something else first | <message id='1'/> | <message id='2'/>",
                   "9 A: <message> has 1 children, not 0 | <message id='1'/> | <message id='1'><x/></message>"}));
}

TEST(Player, going_on_what_is_missing_hides_nothing_behind_it) {
  EXPECT_EQ(told(play(one_then_two + "A receives nothing\n", {"<message id='2'/>"}, true).outcome),
            Lines{"9 A: did not come | <message id='1'/> | "});
}

TEST(Player, going_on_what_nobody_expected_is_told_at_the_end) {
  EXPECT_EQ(told(play(one_then_two + "A receives nothing\n", {"<message id='3'/>"}, true).outcome),
            (Lines{"9 A: did not come | <message id='1'/> | ", "11 A: did not come | <message id='2'/> | ",
                   "13 A: received something | nothing | <message id='3'/>"}));
}

TEST(Player, a_step_that_the_stage_does_not_have_ends_it_and_is_told) {
  const Played played = play("wait 5 minutes\nA receives:\n\t<message/>\n", {}, true, {}, false);
  EXPECT_EQ(told(played.outcome), Lines{});
  EXPECT_EQ(played.outcome.stopped_at, 9);
  EXPECT_EQ(played.outcome.steps, 1);
}

}  // namespace
}  // namespace kith::scenario
