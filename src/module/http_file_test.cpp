#include "module/http_file.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::module {
namespace {

TEST(ReadRange, parts_of_a_file) {
  ByteRange range;
  EXPECT_EQ(read_range("bytes=2-4", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{2, 3}));
  EXPECT_EQ(read_range("bytes=9-", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{9, 1}));
  EXPECT_EQ(read_range("bytes=-3", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{7, 3}));
  EXPECT_EQ(read_range("bytes=-30", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{0, 10}));
  EXPECT_EQ(read_range("bytes=0-18446744073709551615", 10, range), RangeWish::part);
  EXPECT_EQ(range, (ByteRange{0, 10}));
  for (const char* none : {"bytes=10-", "bytes=10-12", "bytes=-0", "bytes=18446744073709551615-"}) {
    EXPECT_EQ(read_range(none, 10, range), RangeWish::unsatisfiable) << none;
  }
  for (const char* whole : {"", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,3-4", "bytes=+1-2", "bytes=a-b",
                            "lines=1-2", "bytes=1-99999999999999999999999"}) {
    EXPECT_EQ(read_range(whole, 10, range), RangeWish::whole) << whole;
  }
}

class FileReplyTest : public ::testing::Test {
 protected:
  FileReplyTest() { files.files.emplace("abcd", "0123456789"); }
  HttpReply reply(std::vector<HttpField> fields) {
    std::unique_ptr<storage::FileReader> reader;
    files.open("abcd", [&](auto opened) { reader = std::move(*opened); });
    disk.run();
    return file_reply({.method = "GET", .fields = std::move(fields)}, served, std::move(reader));
  }
  static std::string field(const HttpReply& reply, std::string_view name) {
    for (const HttpField& one : reply.fields) {
      if (one.name == name) return one.value;
    }
    return {};
  }
  /// All that comes out of it; "cut" if it does not come to its end.
  std::string body(const HttpReply& reply) {
    std::string all;
    while (all.size() < reply.source_bytes) {
      bool cut = true;
      reply.source->next([&](std::optional<std::string> piece) {
        cut = !piece;
        if (piece) all += *piece;
      });
      disk.run();
      if (cut) return "cut";
    }
    return all;
  }

  testing::MemoryDisk disk;
  testing::MemoryFiles files{disk};
  const ServedFile served{.etag = "\"x\"",
                          .modified = std::chrono::sys_days{std::chrono::year{2030} / 5 / 17} + std::chrono::hours(12),
                          .fields = {{"Content-Type", "image/png"}}};
};

TEST_F(FileReplyTest, a_file_is_sent_whole_or_in_part) {
  const HttpReply whole = reply({});
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(field(whole, "Content-Type"), "image/png");
  EXPECT_EQ(field(whole, "ETag"), "\"x\"");
  EXPECT_EQ(field(whole, "Last-Modified"), "Fri, 17 May 2030 12:00:00 GMT");
  EXPECT_EQ(body(whole), "0123456789");
  const HttpReply part = reply({{"range", "bytes=2-4"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(field(part, "Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(body(part), "234");
  const HttpReply beyond = reply({{"range", "bytes=10-"}});
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(field(beyond, "Content-Range"), "bytes */10");
  EXPECT_EQ(beyond.source, nullptr);
}

TEST_F(FileReplyTest, who_has_it_is_not_sent_it_again) {
  EXPECT_EQ(reply({{"if-none-match", "\"x\""}}).status, 304);
  EXPECT_EQ(reply({{"if-none-match", "\"y\", W/\"x\""}}).status, 304);
  EXPECT_EQ(reply({{"if-none-match", "*"}}).status, 304);
  EXPECT_EQ(reply({{"if-none-match", "\"y\""}}).status, 200);
  EXPECT_EQ(reply({{"if-modified-since", "Fri, 17 May 2030 12:00:00 GMT"}}).status, 304);
  EXPECT_EQ(reply({{"if-modified-since", "Fri, 17 May 2030 11:59:59 GMT"}}).status, 200);
  // The tag is the better witness.
  EXPECT_EQ(reply({{"if-none-match", "\"y\""}, {"if-modified-since", "Fri, 17 May 2030 12:00:00 GMT"}}).status, 200);
  EXPECT_EQ(reply({{"if-match", "\"y\""}}).status, 412);
  EXPECT_EQ(reply({{"if-match", "\"x\""}}).status, 200);
}

TEST_F(FileReplyTest, a_part_is_sent_only_of_the_file_that_the_client_knows) {
  for (const char* same : {"\"x\"", "Fri, 17 May 2030 12:00:00 GMT"})
    EXPECT_EQ(reply({{"range", "bytes=2-4"}, {"if-range", same}}).status, 206) << same;
  for (const char* other : {"\"y\"", "Fri, 17 May 2030 12:00:01 GMT", "nonsense"})
    EXPECT_EQ(reply({{"range", "bytes=2-4"}, {"if-range", other}}).status, 200) << other;
}

TEST_F(FileReplyTest, a_disk_that_fails_cuts_the_answer_off) {
  const HttpReply whole = reply({});
  disk.failing_reads = true;
  EXPECT_EQ(body(whole), "cut");
}

}  // namespace
}  // namespace kith::module
