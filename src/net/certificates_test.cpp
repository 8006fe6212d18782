#include "net/certificates.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "net/testing.h"

namespace kith::net::testing {
namespace {

namespace fs = std::filesystem;

class CertificatesTest : public ::testing::Test {
 protected:
  fs::path dir() const { return directory_.path(); }
  void make(const std::string& domain, const std::vector<std::string>& names = {}) {
    ASSERT_TRUE(create_self_signed(dir(), domain, names, clock_).has_value());
  }
  /// The common name of the certificate that a client gets who asks for `sni`.
  static std::string served(const CertificateStore& store, std::string_view sni) {
    std::shared_ptr<SSL_CTX> context = store.context_for(sni);
    if (!context) context = store.default_context();
    if (!context) return "none";
    std::array<char, 256> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_CTX_get0_certificate(context.get())), NID_commonName,
                              name.data(), name.size());
    return name.data();
  }
  static std::string text_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  static void write(const fs::path& path, const std::string& text, mode_t mode = 0600) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
  }
  CertificateStore store_of(std::vector<std::string> domains) {
    return {{.directories = {dir()}, .domains = std::move(domains)}, clock_};
  }

  TemporaryDirectory directory_;
  ManualClock clock_{std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now())};
};

using Sentences = std::vector<std::string>;
Sentences sentences(const std::vector<CertificateProblem>& problems) {
  Sentences all;
  for (const CertificateProblem& problem : problems) all.push_back(problem.sentence);
  return all;
}

TEST_F(CertificatesTest, a_first_start_makes_its_own) {
  make("example.org", {"*.example.org"});
  struct stat status{};
  ASSERT_EQ(::stat((dir() / "example.org.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  CertificateStore store = store_of({"example.org"});
  EXPECT_EQ(sentences(store.reload()), Sentences{});
  ASSERT_EQ(store.facts().size(), 1U);
  const CertificateFacts facts = store.facts().front();
  EXPECT_EQ(facts.domain, "example.org");
  EXPECT_EQ(facts.names, (std::vector<std::string>{"example.org", "*.example.org"}));
  EXPECT_TRUE(facts.self_signed);
  EXPECT_GT(facts.not_after, clock_.wall() + std::chrono::years(9));
  EXPECT_LT(facts.not_before, clock_.wall());
}

TEST_F(CertificatesTest, what_exists_is_never_overwritten) {
  make("example.org");
  const std::string before = text_of(dir() / "example.org.crt");
  EXPECT_FALSE(create_self_signed(dir(), "example.org", {}, clock_).has_value());
  EXPECT_EQ(text_of(dir() / "example.org.crt"), before);
}

TEST_F(CertificatesTest, what_is_no_host_name_gets_no_certificate) {
  for (const char* name : {"", "a,email:b@c", "../evil", "a b", ".org", "DNS:x"}) {
    EXPECT_FALSE(create_self_signed(dir(), name, {}, clock_).has_value()) << name;
    EXPECT_FALSE(create_self_signed(dir(), "good.example", {name}, clock_).has_value()) << name;
  }
}

TEST_F(CertificatesTest, certbots_layout_is_found_first) {
  make("other.example");
  make("example.org");
  fs::create_directory(dir() / "example.org");
  fs::copy_file(dir() / "other.example.crt", dir() / "example.org" / "fullchain.pem");
  fs::copy_file(dir() / "other.example.key", dir() / "example.org" / "privkey.pem");
  CertificateStore store = store_of({"example.org"});
  // It says what is wrong with it, and serves it as it was told to.
  EXPECT_EQ(sentences(store.reload()), Sentences{(dir() / "example.org/fullchain.pem").string() +
                                                 " doesn't name example.org: clients will refuse it."});
  EXPECT_EQ(served(store, "example.org"), "other.example");
}

TEST_F(CertificatesTest, one_file_may_hold_both) {
  make("example.org");
  write(dir() / "example.org.pem", text_of(dir() / "example.org.key") + text_of(dir() / "example.org.crt"));
  fs::remove(dir() / "example.org.crt");
  fs::remove(dir() / "example.org.key");
  CertificateStore store = store_of({"example.org"});
  EXPECT_EQ(sentences(store.reload()), Sentences{});
  EXPECT_EQ(served(store, "example.org"), "example.org");
}

TEST_F(CertificatesTest, a_subdomain_is_served_with_its_parents_certificate_if_that_covers_it) {
  make("example.org", {"*.example.org"});
  make("example.net");
  CertificateStore store = store_of({"example.org", "chat.example.org", "chat.example.net"});
  EXPECT_EQ(sentences(store.reload()), Sentences{"There is no certificate for chat.example.net that can be used."});
  EXPECT_EQ(served(store, "chat.example.org"), "example.org");
  EXPECT_EQ(served(store, "CHAT.example.org."), "example.org");
  EXPECT_EQ(served(store, "upload.example.org"), "example.org");
  EXPECT_TRUE(store.covers("chat.example.org"));
  EXPECT_FALSE(store.covers("chat.example.net"));
}

TEST_F(CertificatesTest, an_unknown_name_gets_the_first_domains) {
  make("example.org");
  make("example.net");
  CertificateStore store = store_of({"example.org", "example.net"});
  EXPECT_EQ(served(store, "example.org"), "none");  // before the first reload
  EXPECT_EQ(sentences(store.reload()), Sentences{});
  EXPECT_EQ(served(store, "example.net"), "example.net");
  EXPECT_EQ(served(store, "example.com"), "example.org");
  EXPECT_EQ(served(store, ""), "example.org");
}

TEST_F(CertificatesTest, a_key_that_does_not_belong_leaves_what_was_there) {
  make("example.org");
  make("other.example");
  CertificateStore store = store_of({"example.org"});
  EXPECT_EQ(sentences(store.reload()), Sentences{});
  const auto before = store.context_for("example.org");
  fs::copy_file(dir() / "other.example.key", dir() / "example.org.key", fs::copy_options::overwrite_existing);
  EXPECT_EQ(sentences(store.reload()), (Sentences{(dir() / "example.org.crt").string() +
                                                      " can't be used: the key doesn't belong to the certificate.",
                                                  "The certificate that was in use for example.org stays in use."}));
  EXPECT_EQ(store.context_for("example.org"), before);
}

TEST_F(CertificatesTest, files_that_are_damaged_or_missing_leave_what_was_there) {
  make("example.org");
  CertificateStore store = store_of({"example.org"});
  EXPECT_EQ(sentences(store.reload()), Sentences{});
  write(dir() / "example.org.crt", "nonsense");
  EXPECT_EQ(store.reload().size(), 2U);
  EXPECT_EQ(served(store, "example.org"), "example.org");
  fs::remove(dir() / "example.org.crt");
  fs::remove(dir() / "example.org.key");
  EXPECT_EQ(sentences(store.reload()), Sentences{"The certificate that was in use for example.org stays in use."});
  EXPECT_EQ(served(store, "example.org"), "example.org");
}

TEST_F(CertificatesTest, a_key_that_everybody_can_read_is_refused) {
  make("example.org");
  ::chmod((dir() / "example.org.key").c_str(), 0644);
  CertificateStore store = store_of({"example.org"});
  EXPECT_EQ(sentences(store.reload()),
            (Sentences{(dir() / "example.org.key").string() +
                           " can be read by everybody on this machine, so it isn't used: chmod o= it.",
                       "There is no certificate for example.org that can be used."}));
  EXPECT_EQ(served(store, "example.org"), "none");
}

TEST_F(CertificatesTest, a_key_that_everybody_can_read_is_used_with_a_warning_if_that_is_allowed) {
  make("example.org");
  ::chmod((dir() / "example.org.key").c_str(), 0644);
  CertificateStore store({.directories = {dir()}, .domains = {"example.org"}, .require_private_keys = false}, clock_);
  const auto problems = store.reload();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems.front().level, LogLevel::warning);
  EXPECT_EQ(served(store, "example.org"), "example.org");
}

TEST_F(CertificatesTest, a_key_that_its_group_can_read_is_used_with_a_warning) {
  make("example.org");
  ::chmod((dir() / "example.org.key").c_str(), 0640);
  CertificateStore store = store_of({"example.org"});
  const auto problems = store.reload();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems.front().level, LogLevel::warning);
  EXPECT_EQ(served(store, "example.org"), "example.org");
}

TEST_F(CertificatesTest, an_expired_certificate_is_served_only_if_there_is_no_better) {
  make("example.org");
  CertificateStore store = store_of({"example.org"});
  clock_.jump_wall(std::chrono::years(11));
  const auto problems = store.reload();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems.front().level, LogLevel::error);
  EXPECT_NE(problems.front().sentence.find("expired on 20"), std::string::npos);
  EXPECT_EQ(served(store, "example.org"), "example.org");
  clock_.jump_wall(-std::chrono::years(11));

  // Now a good one is in use, and one that is not valid yet takes its place on the disk.
  EXPECT_EQ(sentences(store.reload()), Sentences{});
  const auto good = store.context_for("example.org");
  fs::remove(dir() / "example.org.crt");
  fs::remove(dir() / "example.org.key");
  clock_.jump_wall(std::chrono::days(100));
  make("example.org");
  clock_.jump_wall(-std::chrono::days(100));
  ASSERT_EQ(store.reload().size(), 1U);
  EXPECT_EQ(store.context_for("example.org"), good);
}

TEST_F(CertificatesTest, other_domains_can_be_served_after_a_reload) {
  make("example.org");
  make("example.net");
  CertificateStore store = store_of({"example.org"});
  EXPECT_EQ(sentences(store.reload()), Sentences{});
  EXPECT_EQ(sentences(store.reload({.directories = {dir()}, .domains = {"example.net"}})), Sentences{});
  EXPECT_EQ(served(store, "example.org"), "example.net");
  EXPECT_FALSE(store.covers("example.org"));
}

TEST(CertificateName, covers_itself_and_one_label_for_the_star) {
  EXPECT_TRUE(certificate_name_covers("example.org", "example.org"));
  EXPECT_FALSE(certificate_name_covers("example.org", "chat.example.org"));
  EXPECT_TRUE(certificate_name_covers("*.example.org", "chat.example.org"));
  EXPECT_FALSE(certificate_name_covers("*.example.org", "example.org"));
  EXPECT_FALSE(certificate_name_covers("*.example.org", "a.chat.example.org"));
  EXPECT_FALSE(certificate_name_covers("*.example.org", ".example.org"));
  EXPECT_FALSE(certificate_name_covers("*.org", "example.org"));
  EXPECT_FALSE(certificate_name_covers("*", "example"));
  EXPECT_FALSE(certificate_name_covers("c*.example.org", "chat.example.org"));
}

}  // namespace
}  // namespace kith::net::testing
