#include "storage/disk_files.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "storage/test_support.h"

namespace kith::storage {
namespace {

namespace fs = std::filesystem;

class DiskFilesTest : public testing::Test {
 protected:
  DiskFilesTest() { prepare_file_directory(place_); }

  std::unique_ptr<FileWriter> created() {
    return answer<std::unique_ptr<FileWriter>>(shard_, [&](auto then) { files_.create(std::move(then)); }).value();
  }
  bool written(FileWriter& writer, const std::string& bytes) {
    return answer<bool>(shard_, [&](auto then) { writer.write(bytes, std::move(then)); }).value();
  }
  bool kept(FileWriter& writer, const std::string& name) {
    return answer<bool>(shard_, [&](auto then) { writer.keep(name, std::move(then)); }).value();
  }
  bool removed(const std::string& name) {
    return answer<bool>(shard_, [&](auto then) { files_.remove(name, std::move(then)); }).value();
  }
  std::unique_ptr<FileReader> opened(const std::string& name) {
    return answer<std::unique_ptr<FileReader>>(shard_, [&](auto then) { files_.open(name, std::move(then)); }).value();
  }
  std::string read(FileReader& reader, std::uint64_t offset, std::size_t most) {
    return answer<std::string>(shard_, [&](auto then) { reader.read(offset, most, std::move(then)); }).value();
  }
  std::size_t drafts() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(place_ + "/tmp"), fs::directory_iterator()));
  }
  bool make(const std::string& name, const std::string& text) {
    const auto writer = created();
    return written(*writer, text) && kept(*writer, name);
  }

  TemporaryDirectory directory_;
  const std::string place_ = directory_.file("files");
  HandShard shard_;
  SystemRandom random_;
  bool busy_ = false;
  DiskFiles files_{shard_, random_,
                   [this](Task job) {
                     if (busy_) return false;
                     job();
                     return true;
                   },
                   place_};
};

TEST_F(DiskFilesTest, a_file_appears_when_it_is_complete_and_is_read_in_pieces) {
  auto writer = created();
  EXPECT_EQ(drafts(), 1U);
  EXPECT_TRUE(written(*writer, "But soft, "));
  EXPECT_TRUE(written(*writer, "what light"));
  EXPECT_EQ(opened("abcd"), nullptr);
  EXPECT_TRUE(kept(*writer, "abcd"));
  writer.reset();
  EXPECT_EQ(drafts(), 0U);
  const auto reader = opened("abcd");
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->size(), 20U);
  EXPECT_EQ(read(*reader, 0, 9), "But soft,");
  EXPECT_EQ(read(*reader, 10, 100), "what light");
  EXPECT_EQ(read(*reader, 20, 1), "");
  EXPECT_EQ(read(*reader, 1'000'000, 1), "");
}

TEST_F(DiskFilesTest, what_is_given_up_leaves_nothing) {
  auto writer = created();
  EXPECT_TRUE(written(*writer, "half a "));
  writer.reset();
  EXPECT_EQ(drafts(), 0U);
}

TEST_F(DiskFilesTest, what_a_former_run_left_unfinished_is_cleared_and_what_it_kept_stays) {
  ASSERT_TRUE(make("abcd", "whole"));
  std::ofstream(place_ + "/tmp/left") << "half";
  prepare_file_directory(place_);
  EXPECT_EQ(drafts(), 0U);
  EXPECT_NE(opened("abcd"), nullptr);
}

TEST_F(DiskFilesTest, of_two_of_one_name_the_first_is_kept) {
  EXPECT_TRUE(make("abcd", "first"));
  EXPECT_FALSE(make("abcd", "second"));
  EXPECT_EQ(read(*opened("abcd"), 0, 100), "first");
  EXPECT_EQ(drafts(), 0U);
}

TEST_F(DiskFilesTest, a_file_that_is_removed_is_read_to_its_end_by_who_has_it) {
  ASSERT_TRUE(make("abcd", "whole"));
  const auto reader = opened("abcd");
  EXPECT_TRUE(removed("abcd"));
  EXPECT_FALSE(removed("abcd"));
  EXPECT_EQ(opened("abcd"), nullptr);
  EXPECT_EQ(read(*reader, 0, 100), "whole");
}

TEST_F(DiskFilesTest, no_name_leads_elsewhere) {
  std::ofstream(directory_.file("secret")) << "secret";
  fs::create_directory(place_ + "/li");
  fs::create_symlink(directory_.file("secret"), place_ + "/li/link");
  for (const std::string& name :
       {std::string(), std::string("abc"), std::string("../secret"), std::string("ab/../../s"),
        std::string("ab\0cd", 5), std::string("tmp."), std::string(201, 'a')}) {
    EXPECT_FALSE(is_file_name(name));
    EXPECT_EQ(opened(name), nullptr);
    EXPECT_FALSE(removed(name));
    const auto writer = created();
    EXPECT_FALSE(kept(*writer, name));
  }
  const auto link =
      answer<std::unique_ptr<FileReader>>(shard_, [&](auto then) { files_.open("link", std::move(then)); });
  EXPECT_FALSE(link.has_value()) << "a link in the place of a file is not followed";
}

TEST_F(DiskFilesTest, a_worker_that_has_too_much_to_do_is_an_error) {
  auto writer = created();
  busy_ = true;
  EXPECT_FALSE(answer<bool>(shard_, [&](auto then) { writer->write("x", std::move(then)); }).has_value());
  EXPECT_FALSE(
      answer<std::unique_ptr<FileWriter>>(shard_, [&](auto then) { files_.create(std::move(then)); }).has_value());
  busy_ = false;
}

TEST_F(DiskFilesTest, a_place_that_cannot_be_used_is_said_at_the_start) {
  std::ofstream(directory_.file("taken")) << "a file";
  EXPECT_THROW(prepare_file_directory(directory_.file("taken")), std::runtime_error);
  EXPECT_THROW(prepare_file_directory(directory_.file("no/such/place")), std::runtime_error);
}

}  // namespace
}  // namespace kith::storage
