#include "modules/upload/upload.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing_http.h"
#include "module/testing_scene.h"
#include "xmpp/datetime.h"

namespace kith::modules {
namespace {

using module::HttpReply;
using module::Session;
using module::testing::Asked;
using module::testing::Scene;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class UploadTest : public ::testing::Test {
 protected:
  void use(const module::testing::SettingValues& changed = {}) {
    scene.stage.use<Upload>(changed);
    juliet = &scene.bind("juliet@capulet.lit/balcony");
  }
  std::string asks(const std::string& attributes, const std::string& inner = "",
                   const std::string& to = "upload.capulet.lit") {
    scene.says(*juliet, "<iq type='get' id='s' to='" + to + "'><request xmlns='urn:xmpp:http:upload:0' " + attributes +
                            ">" + inner + "</request></iq>");
    std::string all;
    for (const std::string& line : scene.got(*juliet)) all += line;
    return all;
  }
  struct Places {
    std::string put;
    std::string get;
  };
  /// "https://HOST/PATH?QUERY" of both; empty if there is no slot.
  Places slot(const std::string& attributes = "filename='a.png' size='10' content-type='image/png'",
              const std::string& inner = "") {
    return places(asks(attributes, inner));
  }
  static Places places(const std::string& answer) { return {url(answer, "<put url='"), url(answer, "<get url='")}; }
  static std::string url(const std::string& answer, const std::string& before) {
    const std::size_t start = answer.find(before);
    if (start == std::string::npos) return {};
    std::string found = answer.substr(start + before.size());
    found.resize(found.find('\''));
    for (std::size_t at = 0; (at = found.find("&amp;", at)) != std::string::npos; ++at) found.replace(at, 5, "&");
    return found;
  }
  static module::HttpRequest request_for(const std::string& method, const std::string& url) {
    constexpr std::string_view scheme = "https://";
    const std::size_t path = url.find('/', scheme.size());
    const std::size_t query = std::min(url.find('?'), url.size());
    return {.method = method,
            .path = module::percent_decode(url.substr(path, query - path)).value(),
            .query = url.substr(std::min(query + 1, url.size())),
            .host = url.substr(scheme.size(), path - scheme.size())};
  }
  std::shared_ptr<Asked> begins(const std::string& url, std::uint64_t bytes) {
    module::HttpRequest request = request_for("PUT", url);
    request.content_length = bytes;
    request.fields = {{"content-type", "image/png"}};
    auto asked = module::testing::begin(scene.stage, std::move(request));
    scene.settle();
    return asked;
  }
  int puts(const std::string& url, const std::string& text = "0123456789") {
    const auto asked = begins(url, text.size());
    if (!asked->reply && asked->body) {
      asked->send(text);
      asked->end();
      scene.settle();
    }
    return asked->reply ? asked->reply->status : 0;
  }
  HttpReply gets(const std::string& url) { return module::testing::ask(scene.stage, request_for("GET", url)); }
  static std::string field(const HttpReply& reply, std::string_view name) {
    for (const module::HttpField& one : reply.fields) {
      if (one.name == name) return one.value;
    }
    return {};
  }
  void passes(Duration time) {
    scene.stage.clock.advance(time);
    scene.stage.timers.advance(scene.stage.clock.now());
    scene.settle();
  }
  std::size_t files() const { return scene.stage.files.files.size(); }
  std::size_t rows() const { return scene.stage.uploads.rows.size(); }

  Scene scene;
  Session* juliet = nullptr;
};

TEST_F(UploadTest, a_file_is_put_once_and_got) {
  use();
  const auto [put, get] = slot("filename='balcony é.png' size='10' content-type='image/png'");
  EXPECT_THAT(get, testing::StartsWith("https://capulet.lit/upload/"));
  EXPECT_THAT(get, testing::EndsWith("/balcony%20%C3%A9.png"));
  EXPECT_EQ(gets(get).status, 404);
  EXPECT_EQ(puts(put), 201);
  EXPECT_EQ(puts(put), 409);
  const HttpReply got = gets(get);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.source_bytes, 10U);
  EXPECT_EQ(field(got, "Content-Type"), "image/png");
  EXPECT_EQ(files(), 1U);
  EXPECT_EQ(scene.stage.files.drafts, 0);
}

TEST_F(UploadTest, what_is_cut_off_leaves_nothing_and_may_come_again) {
  use();
  const auto [put, get] = slot();
  const auto asked = begins(put, 10);
  asked->send("01234");
  EXPECT_EQ(scene.stage.files.drafts, 1);
  asked->cut();
  scene.settle();
  EXPECT_EQ(scene.stage.files.drafts, 0);
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(gets(get).status, 404);
  EXPECT_EQ(puts(put), 201);
}

TEST_F(UploadTest, a_body_waits_for_the_disk) {
  use();
  const auto [put, get] = slot("filename='a.png' size='600000' content-type='image/png'");
  const auto asked = begins(put, 600'000);
  EXPECT_FALSE(asked->held);
  asked->send(std::string(300'000, 'x'));
  EXPECT_TRUE(asked->held);
  scene.settle();
  EXPECT_FALSE(asked->held);
  asked->send(std::string(300'000, 'x'));
  asked->end();
  scene.settle();
  ASSERT_TRUE(asked->reply);
  EXPECT_EQ(asked->reply->status, 201);
  EXPECT_EQ(gets(get).source_bytes, 600'000U);
}

TEST_F(UploadTest, files_go_from_the_world_when_they_are_over_and_from_the_disk_soon_after) {
  use();
  const auto [put, get] = slot();
  ASSERT_EQ(puts(put), 201);
  passes(std::chrono::days(30) - std::chrono::seconds(1));
  EXPECT_EQ(gets(get).status, 200);
  scene.stage.clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(gets(get).status, 404);
  EXPECT_EQ(files(), 1U);
  passes(Upload::sweep_every);
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(rows(), 0U);
}

TEST_F(UploadTest, a_slot_is_for_a_quarter_of_an_hour) {
  use();
  const auto [put, get] = slot();
  passes(std::chrono::minutes(15));
  EXPECT_EQ(puts(put), 410);
  passes(Upload::sweep_every);
  EXPECT_EQ(rows(), 0U);
}

// XEP-0363 §5.3: MUST NOT be available after that.
TEST_F(UploadTest, what_is_ephemeral_goes_when_its_owner_said) {
  use();
  const std::string soon = xmpp::format_datetime(scene.stage.clock.wall() + std::chrono::hours(1), false);
  const auto [put, get] = slot("filename='a.png' size='10' content-type='image/png'",
                               "<ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='" + soon + "'/>");
  ASSERT_EQ(puts(put), 201);
  const HttpReply got = gets(get);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(field(got, "Cache-Control"), "private, max-age=3600, immutable");
  passes(std::chrono::hours(1));
  EXPECT_EQ(gets(get).status, 404);
}

TEST_F(UploadTest, what_belongs_to_a_profile_stays_for_a_year) {
  use();
  const auto [put, get] =
      slot("filename='a.png' size='10' content-type='image/png'", "<profile xmlns='urn:xmpp:http:upload:purpose:0'/>");
  ASSERT_EQ(puts(put), 201);
  passes(std::chrono::days(365));
  EXPECT_EQ(gets(get).status, 200);
  passes(std::chrono::days(1));
  EXPECT_EQ(gets(get).status, 404);
}

TEST_F(UploadTest, with_an_account_its_files_go_within_a_moment) {
  use();
  const auto [put, get] = slot();
  ASSERT_EQ(puts(put), 201);
  passes(std::chrono::minutes(5));
  // What the store does when the account is removed.
  for (auto& [id, row] : scene.stage.uploads.rows) {
    row.account.clear();
    row.name.clear();
    row.expires = {};
  }
  const xmpp::BareJid gone = module::testing::bare("juliet@capulet.lit");
  module::AccountGone event{gone};
  scene.stage.hooks.run(event);
  EXPECT_EQ(gets(get).status, 404);
  passes(std::chrono::seconds(1));
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(rows(), 0U);
}

TEST_F(UploadTest, files_may_be_at_a_name_of_their_own) {
  use({{"own_host", true}, {"prefix", std::string("files")}});
  const auto [put, get] = places(asks("filename='a.png' size='10' content-type='image/png'", "", "files.capulet.lit"));
  EXPECT_THAT(get, testing::StartsWith("https://files.capulet.lit/upload/"));
  EXPECT_EQ(puts(put), 201);
  EXPECT_EQ(gets(get).status, 200);
}

TEST_F(UploadTest, without_http_there_is_no_service) {
  use();
  scene.stage.hosts.has_web = false;
  EXPECT_THAT(asks("filename='a.png' size='10'"), HasSubstr("<service-unavailable"));
  xml::Element query("query", xmpp::ns::disco_items);
  const xmpp::Jid asking = juliet->jid();
  module::DiscoItems items{module::Target::server, "capulet.lit", nullptr, asking, true, "", query};
  scene.stage.hooks.run(items);
  EXPECT_THAT(xml::to_string(query, ""), Not(HasSubstr("upload.")));
}

TEST_F(UploadTest, a_slot_is_for_accounts_of_this_server) {
  use();
  scene.arrives(
      "<iq type='get' id='s' from='romeo@montague.lit/x' to='upload.capulet.lit'><request "
      "xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/></iq>");
  EXPECT_THAT(scene.outside, ElementsAre(HasSubstr("<forbidden")));
  EXPECT_EQ(rows(), 0U);
}

TEST_F(UploadTest, errors_say_what_is_wrong) {
  use({{"file_bytes", std::int64_t{100}}, {"daily_bytes", std::int64_t{150}}});
  EXPECT_THAT(asks("filename='a' size='117'"),
              HasSubstr("<file-too-large xmlns='urn:xmpp:http:upload:0'><max-file-size>100</max-file-size>"));
  EXPECT_NE(slot("filename='a' size='116'").put, "") << "encryption adds sixteen bytes";
  EXPECT_THAT(asks("filename='a' size='35'"), HasSubstr("<resource-constraint"));
  EXPECT_THAT(asks("filename='a'"), HasSubstr("<bad-request"));
  EXPECT_THAT(asks("size='1'"), HasSubstr("<bad-request"));
  EXPECT_THAT(asks("filename='a' size='1'", "<permanent xmlns='urn:xmpp:http:upload:purpose:0'/>"),
              HasSubstr("<feature-not-implemented"));
  for (const char* when : {"2001-01-01T00:00:00Z", "soon", ""}) {
    EXPECT_THAT(asks("filename='a' size='1'",
                     "<ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='" + std::string(when) + "'/>"),
                HasSubstr("<bad-request"))
        << when;
  }
}

TEST_F(UploadTest, a_disk_that_fails_is_told_and_leaves_nothing) {
  use();
  scene.stage.disk.failing_writes = true;
  EXPECT_THAT(asks("filename='a.png' size='10'"), HasSubstr("type='wait'"));
  scene.stage.disk.failing_writes = false;
  const auto [put, get] = slot();
  scene.stage.disk.failing_reads = true;
  EXPECT_EQ(puts(put), 503);
  EXPECT_EQ(gets(get).status, 503);
  scene.stage.disk.failing_reads = false;
  const auto asked = begins(put, 10);
  scene.stage.disk.failing_writes = true;
  asked->send("0123456789");
  asked->end();
  scene.settle();
  ASSERT_TRUE(asked->reply);
  EXPECT_EQ(asked->reply->status, 507);
  asked->cut();
  scene.settle();
  EXPECT_EQ(scene.stage.files.drafts, 0);
  EXPECT_EQ(files(), 0U);
  scene.stage.disk.failing_writes = false;
  EXPECT_EQ(puts(put), 201);
}

}  // namespace
}  // namespace kith::modules
