#include "modules/registration/registration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::bare;
using module::testing::element;
using module::testing::error_of;
using module::testing::SettingValues;
using module::testing::Stage;
using testing::HasSubstr;
using testing::Not;

constexpr const char* form_request =
    "<iq type='get' id='reg1' to='capulet.lit'><query xmlns='jabber:iq:register'/></iq>";

std::string application(std::string_view username, std::string_view password) {
  return "<iq type='set' id='reg2'><query xmlns='jabber:iq:register'><username>" + std::string(username) +
         "</username><password>" + std::string(password) + "</password></query></iq>";
}

class OpenRegistration : public testing::Test {
 protected:
  explicit OpenRegistration(const SettingValues& more = {}) {
    SettingValues settings{{"open", true}};
    settings.insert(more.begin(), more.end());
    stage.use<Registration>(settings);
  }
  xmpp::Stanza send(std::string_view text, bool tls = true, std::string_view address = "192.0.2.7") {
    const auto reply = stage.before_login(text, tls, address);
    if (!reply) throw std::runtime_error("no answer");
    return *reply;
  }
  bool exists(std::string_view address) { return stage.accounts.records.contains(bare(address)); }

  Stage stage;
};

TEST(ClosedRegistration, is_the_default_and_says_so) {
  Stage stage;
  stage.use<Registration>();
  EXPECT_EQ(stage.stream_features(false).child("register", Registration::ns_feature), nullptr);
  EXPECT_EQ(error_of(*stage.before_login(form_request)), "service-unavailable");
  EXPECT_EQ(error_of(*stage.before_login(application("bill", "Calliope"))), "service-unavailable");
  EXPECT_TRUE(stage.accounts.records.empty());
  EXPECT_EQ(stage.passwords.asked, 0);
}

TEST_F(OpenRegistration, is_offered_only_before_login_and_under_tls) {
  EXPECT_NE(stage.stream_features(false).child("register", Registration::ns_feature), nullptr);
  EXPECT_EQ(stage.stream_features(true).child("register", Registration::ns_feature), nullptr);
  EXPECT_EQ(stage.stream_features(false, false).child("register", Registration::ns_feature), nullptr);
}

TEST_F(OpenRegistration, xep0077_fields_are_told) {
  const auto reply = send(form_request);
  EXPECT_EQ(reply.type(), xmpp::StanzaType::result);
  EXPECT_EQ(reply.id(), "reg1");
  EXPECT_EQ(*reply.payload(),
            element("<query xmlns='jabber:iq:register'><instructions>Choose a username and a password.</instructions>"
                    "<username/><password/></query>"));
}

TEST_F(OpenRegistration, xep0077_an_account_is_made) {
  const auto reply = send(application("Bill", "Calliope"));
  EXPECT_EQ(reply.type(), xmpp::StanzaType::result) << error_of(reply);
  EXPECT_EQ(reply.id(), "reg2");
  EXPECT_EQ(reply.payload(), nullptr);
  const auto& record = stage.accounts.records.at(bare("bill@capulet.lit"));
  EXPECT_EQ(record.credentials.sha1->stored_key.reveal(), "key of Calliope");
  EXPECT_EQ(record.created, stage.clock.wall());
  EXPECT_FALSE(record.disabled);
}

TEST_F(OpenRegistration, nothing_is_answered_before_the_account_is_stored) {
  stage.disk.failing_writes = true;
  EXPECT_EQ(error_of(send(application("bill", "Calliope"))), "internal-server-error");
  stage.disk.failing_writes = false;
  stage.disk.failing_reads = true;
  EXPECT_EQ(error_of(send(application("bill", "Calliope"))), "internal-server-error");
  EXPECT_FALSE(exists("bill@capulet.lit"));
}

TEST_F(OpenRegistration, passwords_are_neither_logged_nor_sent_back) {
  stage.account("bill@capulet.lit");
  const auto conflict = send(application("bill", "m1cro$oft"));
  EXPECT_EQ(error_of(conflict), "conflict");
  EXPECT_THAT(xml::to_string(conflict.element()), Not(HasSubstr("m1cro$oft")));
  send(application("will", "m1cro$oft"));
  EXPECT_THAT(stage.log, HasSubstr("account_registered"));
  EXPECT_THAT(stage.log, Not(HasSubstr("m1cro$oft")));
}

TEST_F(OpenRegistration, a_taken_name_costs_no_hash) {
  stage.account("bill@capulet.lit");
  EXPECT_EQ(error_of(send(application("BILL", "Calliope"))), "conflict");
  EXPECT_EQ(stage.passwords.asked, 0);
}

TEST_F(OpenRegistration, two_who_want_one_name_at_once_get_one_account) {
  std::vector<xmpp::Stanza> replies;
  for (const char* password : {"first", "second"}) {
    const auto request = module::testing::stanza(application("bill", password));
    std::move_only_function<void(xmpp::Stanza)> answer = [&](xmpp::Stanza reply) {
      replies.push_back(std::move(reply));
    };
    module::IqBeforeLogin event{"capulet.lit", "192.0.2.7", true, request, answer};
    stage.hooks.run(event);
  }
  stage.settle();
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].type(), xmpp::StanzaType::result);
  EXPECT_EQ(error_of(replies[1]), "conflict");
  EXPECT_EQ(stage.accounts.records.at(bare("bill@capulet.lit")).credentials.sha1->stored_key.reveal(), "key of first");
}

TEST_F(OpenRegistration, reserved_names_look_taken) {
  EXPECT_EQ(error_of(send(application("Admin", "Calliope"))), "conflict");
  EXPECT_FALSE(exists("admin@capulet.lit"));
}

TEST_F(OpenRegistration, what_is_missing_or_forbidden_is_not_acceptable) {
  stage.limits.registrations_per_address = {.per_second = 1, .burst = 100};
  for (const std::string& text : {
           application("", "Calliope"),
           application("bill", ""),
           application("b ill", "x"),
           application("bill@x", "x"),
           application("i\u2665you", "x"),
           application(std::string(1024, 'a'), "x"),
           application("bill", "line\nbreak"),
           std::string("<iq type='set' id='r'><query xmlns='jabber:iq:register'/></iq>"),
           std::string(
               "<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>bill</username></query></iq>"),
       }) {
    EXPECT_EQ(error_of(send(text)), "not-acceptable") << text;
  }
  EXPECT_TRUE(stage.accounts.records.empty());
}

TEST_F(OpenRegistration, without_tls_no_password_is_taken) {
  EXPECT_EQ(error_of(send(application("bill", "Calliope"), false)), "not-authorized");
  EXPECT_EQ(error_of(send(form_request, false)), "not-authorized");
  EXPECT_FALSE(exists("bill@capulet.lit"));
}

TEST_F(OpenRegistration, another_domain_is_not_this_streams) {
  EXPECT_EQ(
      error_of(send("<iq type='set' id='r' to='montague.lit'><query xmlns='jabber:iq:register'><username>a</username>"
                    "<password>b</password></query></iq>")),
      "service-unavailable");
}

TEST_F(OpenRegistration, xep0077_nobody_can_be_removed_before_login) {
  stage.account("bill@capulet.lit");
  EXPECT_EQ(error_of(send("<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>")),
            "unexpected-request");
  EXPECT_TRUE(stage.removed.empty());
}

TEST_F(OpenRegistration, other_iqs_before_login_are_left_to_others) {
  EXPECT_FALSE(stage.before_login("<iq type='get' id='r'><ping xmlns='urn:xmpp:ping'/></iq>"));
  EXPECT_FALSE(stage.before_login("<iq type='get' id='r'><query xmlns='jabber:iq:auth'/></iq>"));
}

TEST_F(OpenRegistration, is_limited_for_each_address) {
  stage.limits.registrations_per_address = {.per_second = 1.0 / 3600, .burst = 2};
  EXPECT_EQ(send(application("a", "x")).type(), xmpp::StanzaType::result);
  EXPECT_EQ(error_of(send(application("a", "x"))), "conflict");
  const auto refused = send(application("b", "x"));
  EXPECT_EQ(error_of(refused), "not-acceptable");
  EXPECT_EQ(refused.element().child("error", xmpp::ns::client)->attribute("type"), "wait");
  EXPECT_EQ(send(application("c", "x"), true, "192.0.2.8").type(), xmpp::StanzaType::result);
  stage.clock.advance(std::chrono::hours(1));
  EXPECT_EQ(send(application("b", "x")).type(), xmpp::StanzaType::result);
}

TEST_F(OpenRegistration, one_ipv6_network_is_one_address) {
  stage.limits.registrations_per_address = {.per_second = 1.0 / 3600, .burst = 1};
  EXPECT_EQ(send(application("a", "x"), true, "2001:db8:1:2::1").type(), xmpp::StanzaType::result);
  EXPECT_EQ(error_of(send(application("b", "x"), true, "2001:db8:1:2:aaaa::1")), "not-acceptable");
  EXPECT_EQ(send(application("b", "x"), true, "2001:db8:1:3::1").type(), xmpp::StanzaType::result);
}

TEST_F(OpenRegistration, busy_hashing_says_try_again) {
  stage.passwords.busy = true;
  const auto reply = send(application("bill", "x"));
  EXPECT_EQ(error_of(reply), "resource-constraint");
  EXPECT_EQ(reply.element().child("error", xmpp::ns::client)->attribute("type"), "wait");
}

// --- after login
// ---------------------------------------------------------------------------------------------------------

class OwnAccount : public testing::Test {
 protected:
  explicit OwnAccount(const SettingValues& settings = {}) {
    stage.use<Registration>(settings);
    stage.hosts.local.insert("globe.lit");
    bill = &stage.bind("bill@capulet.lit/globe");
  }
  xmpp::Stanza send(std::string_view type, std::string_view content, std::string_view to = "capulet.lit") {
    stage.iq(*bill, "<iq id='c1' type='" + std::string(type) + "'" +
                        (to.empty() ? "" : " to='" + std::string(to) + "'") + "><query xmlns='jabber:iq:register'>" +
                        std::string(content) + "</query></iq>");
    return stage.answer();
  }
  std::string stored_key() {
    const auto& credentials = stage.accounts.records.at(bare("bill@capulet.lit")).credentials;
    return credentials.sha1 ? std::string(credentials.sha1->stored_key.reveal()) : "";
  }

  Stage stage;
  module::Session* bill;
};

constexpr const char* new_password = "<username>bill</username><password>newpass</password>";

TEST_F(OwnAccount, xep0077_is_told_that_it_is_registered_but_not_its_password) {
  for (const char* to : {"capulet.lit", ""}) {
    const auto reply = send("get", "", to);
    ASSERT_EQ(reply.type(), xmpp::StanzaType::result);
    EXPECT_EQ(*reply.payload(),
              element("<query xmlns='jabber:iq:register'><registered/><instructions>You have an account. Give a new "
                      "password to change yours.</instructions><username>bill</username><password/></query>"));
  }
}

TEST_F(OwnAccount, xep0077_changes_its_password_and_ends_its_other_sessions) {
  for (const char* to : {"capulet.lit", "", "bill@capulet.lit"}) {
    stage.accounts.records.at(bare("bill@capulet.lit")).credentials = {};
    stage.closed.clear();
    EXPECT_EQ(send("set", new_password, to).type(), xmpp::StanzaType::result) << to;
    EXPECT_EQ(stored_key(), "key of newpass");
    ASSERT_EQ(stage.closed.size(), 1U);
    EXPECT_EQ(stage.closed[0].account, bare("bill@capulet.lit"));
    EXPECT_EQ(stage.closed[0].keep, "globe");
  }
  EXPECT_THAT(stage.log, Not(HasSubstr("newpass")));
}

TEST_F(OwnAccount, a_failed_write_keeps_the_password_and_the_sessions) {
  stage.disk.failing_writes = true;
  EXPECT_EQ(error_of(send("set", new_password)), "internal-server-error");
  EXPECT_EQ(stored_key(), "");
  EXPECT_TRUE(stage.closed.empty());
}

TEST_F(OwnAccount, xep0077_an_empty_or_missing_password_changes_nothing) {
  for (const char* content :
       {"<username>bill</username><password/>", "<username>bill</username>", "<password>x</password>", "",
        "<username xmlns='x'>bill</username><password>x</password>"}) {
    EXPECT_EQ(error_of(send("set", content)), "bad-request") << content;
  }
  EXPECT_EQ(error_of(send("set", "<username>bill</username><password>a\nb</password>")), "not-acceptable");
  EXPECT_EQ(stored_key(), "");
}

TEST_F(OwnAccount, nobody_changes_anothers_password) {
  stage.account("juliet@capulet.lit");
  EXPECT_EQ(error_of(send("set", "<username>juliet</username><password>x</password>")), "forbidden");
  EXPECT_EQ(error_of(send("set", "<username>juliet</username><password>x</password>", "juliet@capulet.lit")),
            "service-unavailable");
  EXPECT_EQ(error_of(send("set", "<username>bill</username><password>x</password>", "globe.lit")), "forbidden");
  EXPECT_EQ(error_of(send("get", "", "globe.lit")), "service-unavailable");
  stage.iq_from("bill@elsewhere.lit/x",
                "<iq id='c' type='set' to='capulet.lit'><query xmlns='jabber:iq:register'>"
                "<username>bill</username><password>x</password></query></iq>");
  EXPECT_EQ(error_of(stage.answer()), "forbidden");
  EXPECT_EQ(stage.passwords.asked, 0);
}

TEST_F(OwnAccount, password_changes_are_limited) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(send("set", new_password).type(), xmpp::StanzaType::result);
  EXPECT_EQ(error_of(send("set", new_password)), "policy-violation");
  EXPECT_EQ(stage.passwords.asked, 5);
  stage.clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(send("set", new_password).type(), xmpp::StanzaType::result);
}

TEST_F(OwnAccount, without_tls_no_password_is_changed) {
  auto& owner = stage.account("bill@capulet.lit");
  auto& clear = owner.add_session(std::make_unique<module::Session>(
      owner, xmpp::FullJid::parse("bill@capulet.lit/clear").value(), stage.output("bill@capulet.lit/globe"),
      module::ConnectionFacts{"127.0.0.1", "", "SCRAM-SHA-256", stage.clock.wall()}, stage.clock.now()));
  stage.iq(clear,
           "<iq id='c' type='set'><query xmlns='jabber:iq:register'>" + std::string(new_password) + "</query></iq>");
  EXPECT_EQ(error_of(stage.answer()), "not-authorized");
  EXPECT_EQ(stored_key(), "");
}

TEST_F(OwnAccount, xep0077_ends_by_its_owners_wish) {
  EXPECT_EQ(send("set", "<remove/>", "").type(), xmpp::StanzaType::result);
  ASSERT_EQ(stage.removed.size(), 1U);
  EXPECT_EQ(stage.removed[0], bare("bill@capulet.lit"));
  EXPECT_FALSE(stage.accounts.records.contains(bare("bill@capulet.lit")));
}

TEST_F(OwnAccount, xep0077_remove_stands_alone) {
  EXPECT_EQ(error_of(send("set", "<remove/><username>bill</username>")), "bad-request");
  EXPECT_EQ(error_of(send("set", std::string(new_password) + "<remove/>")), "bad-request");
  EXPECT_TRUE(stage.removed.empty());
  EXPECT_EQ(stored_key(), "");
}

TEST_F(OwnAccount, nobody_removes_another) {
  stage.account("juliet@capulet.lit");
  EXPECT_EQ(error_of(send("set", "<remove/>", "juliet@capulet.lit")), "service-unavailable");
  EXPECT_EQ(error_of(send("set", "<remove/>", "globe.lit")), "forbidden");
  stage.iq_from("bill@elsewhere.lit/x",
                "<iq id='c' type='set' to='capulet.lit'><query xmlns='jabber:iq:register'><remove/></query></iq>");
  EXPECT_EQ(error_of(stage.answer()), "forbidden");
  EXPECT_TRUE(stage.removed.empty());
}

TEST(FrozenAccounts, an_administrator_can_forbid_both) {
  Stage stage;
  stage.use<Registration>({{"password_change", false}, {"removal", false}});
  auto& bill = stage.bind("bill@capulet.lit/globe");
  for (const char* content : {new_password, "<remove/>"}) {
    stage.iq(bill, "<iq id='c' type='set'><query xmlns='jabber:iq:register'>" + std::string(content) + "</query></iq>");
    EXPECT_EQ(error_of(stage.answer()), "not-allowed") << content;
  }
  EXPECT_TRUE(stage.removed.empty());
  EXPECT_EQ(stage.passwords.asked, 0);
}

}  // namespace
}  // namespace kith::modules
