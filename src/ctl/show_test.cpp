#include "ctl/show.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kith::ctl {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

const WallTime now = std::chrono::sys_days{std::chrono::year{2030} / 3 / 10} + 12h;

TEST(ShowMoment, is_told_in_words_while_it_is_near) {
  EXPECT_EQ(show_moment("2030-03-10T12:00:00Z", now), "just now");
  EXPECT_EQ(show_moment("2030-03-10T11:59:48Z", now), "12 seconds ago");
  EXPECT_EQ(show_moment("2030-03-10T11:59:00Z", now), "1 minute ago");
  EXPECT_EQ(show_moment("2030-03-10T10:00:01Z", now), "1 hour ago");
  EXPECT_EQ(show_moment("2030-03-08T12:00:00Z", now), "2 days ago");
  EXPECT_EQ(show_moment("2030-01-01T12:00:00Z", now), "2030-01-01");
}

TEST(ShowMoment, in_the_future_is_its_day) {
  EXPECT_EQ(show_moment("2030-03-10T12:00:30Z", now), "just now");  // clocks differ a little
  EXPECT_EQ(show_moment("2031-01-01T00:00:00Z", now), "2031-01-01");
}

TEST(ShowMoment, that_is_none_is_shown_as_it_is) {
  for (const char* text : {"-", "", "2030-02-30T00:00:00Z", "2030-03-10 12:00:00Z", "2030-03-10T12:00:00+",
                           "x030-03-10T12:00:00Z", "2030--3-10T12:00:00Z"}) {
    EXPECT_EQ(show_moment(text, now), text);
  }
}

TEST(ShowSpan, has_one_unit) {
  EXPECT_EQ(show_span(0s), "0 seconds");
  EXPECT_EQ(show_span(-5s), "0 seconds");
  EXPECT_EQ(show_span(1s), "1 second");
  EXPECT_EQ(show_span(59min + 59s), "59 minutes");
  EXPECT_EQ(show_span(23h), "23 hours");
  EXPECT_EQ(show_span(24h), "1 day");
  EXPECT_EQ(show_span(1000h), "41 days");
}

TEST(ShowTable, aligns_by_characters_not_bytes) {
  EXPECT_EQ(show_table({{"\u00E4\u00F6", "x"}, {"abc", "y"}}), "\u00E4\u00F6   x\nabc  y\n");
}

TEST(ShowTable, lets_nothing_steer_the_terminal) { EXPECT_EQ(show_table({{"a\x1b[2Jb\x7f\r"}}), "a?[2Jb??\n"); }

TEST(ShowDoctor, says_what_is_wrong_and_what_to_do) {
  const auto finding = [](const char* problem, bool mended) {
    return json{{"problem", problem}, {"sentence", "It is\nso."}, {"mended", mended}};
  };
  json body{{"jid", "a@b"}, {"devices", 0}, {"findings", json::array()}};
  EXPECT_EQ(show_doctor(body), "No client of a@b has published keys for OMEMO.\n");
  body["devices"] = 1;
  EXPECT_EQ(show_doctor(body),
            "Nothing is wrong with the keys of a@b.\nKeys that can be used are there of 1 device.\n");
  body["devices"] = 0;
  body["findings"] = json::array({finding("closed", false), finding("missing", false)});
  EXPECT_EQ(show_doctor(body),
            "- It is?so.\n- It is?so.\n\nOpen what is closed with: kithctl user doctor a@b --mend\n");
  body["findings"] = json::array({finding("closed", true)});
  EXPECT_EQ(show_doctor(body), "- It is?so. It is open now.\n");
}

TEST(Show, takes_an_answer_of_another_shape_without_complaint) {
  for (const char* text : {"{}", R"({"users":1,"sessions":{},"domains":"x","started":5,"notes":[1]})",
                           R"({"users":[1,null,{}],"sessions":[[],{"priority":"x","available":1}],"domains":[1]})"}) {
    const json body = json::parse(text);
    EXPECT_FALSE(show_status(body, now).empty());
    EXPECT_FALSE(show_users(body, now).empty());
    EXPECT_FALSE(show_sessions(body, now).empty());
    EXPECT_FALSE(show_pushes(body).empty());
    EXPECT_FALSE(show_uploads(body, now).empty());
    EXPECT_FALSE(show_reload(body).empty());
    EXPECT_FALSE(show_doctor(body).empty());
  }
}

TEST(ShowPushes, says_when_where_and_how_often) {
  EXPECT_EQ(show_pushes(json::parse(R"({"pushes":[]})")),
            "Nothing was sent to a push service within the last seven days.\n");
  EXPECT_EQ(show_pushes(json::parse(R"({"pushes":[{"hour":"2026-11-23T20:00:00Z","service":"push.example","node":"n",
                                                 "sent":12,"refused":1}]})")),
            "HOUR (UTC)        SERVICE       NODE  NOTIFICATIONS  REFUSED\n"
            "2026-11-23 20:00  push.example  n     12             1\n"
            "A notification says that there is something, not from whom or what.\n");
}

TEST(ShowUploads, says_whose_how_large_and_until_when) {
  EXPECT_EQ(show_uploads(json::parse(R"({"uploads":[],"files":0,"bytes":0})"), now), "No files are stored.\n");
  const std::string one =
      R"({"id":"abcd","account":"a@example.org","name":"b.png","type":"image/png","bytes":2049,
          "since":"2030-03-10T11:00:00Z","until":"2030-04-09T11:00:00Z"})";
  const std::string table = show_uploads(json::parse(R"({"files":1,"bytes":2049,"uploads":[)" + one + "]}"), now);
  EXPECT_TRUE(table.starts_with("ACCOUNT        NAME   KIB  SINCE")) << table;
  EXPECT_NE(table.find("a@example.org  b.png  3 "), std::string::npos) << table;
  EXPECT_NE(table.find("2030-04-09  abcd\n1 file, 1 MiB.\n"), std::string::npos) << table;
  const std::string more = show_uploads(json::parse(R"({"files":12,"bytes":5000000,"uploads":[)" + one + "]}"), now);
  EXPECT_TRUE(more.ends_with("… and more.\n12 files, 5 MiB.\n")) << more;
}

}  // namespace
}  // namespace kith::ctl
