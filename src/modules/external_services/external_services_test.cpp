#include "modules/external_services/external_services.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/encoding.h"
#include "module/testing.h"

namespace kith::modules {
namespace {

using module::testing::element;
using module::testing::error_of;
using module::testing::settings_of;
using module::testing::SettingValues;
using module::testing::Stage;
using Uris = std::vector<std::string>;

class ExternalServicesTest : public testing::Test {
 protected:
  SettingValues values(const Uris& services = {"stun:stun.capulet.lit", "turn:turn.capulet.lit:3479",
                                               "turns:turn.capulet.lit", "turn:192.0.2.7?transport=tcp"}) {
    return {{"services", services}, {"secret_file", Secret("hush")}, {"credential_seconds", std::int64_t{3600}}};
  }
  xmpp::Stanza ask(std::string_view payload, std::string_view from = "juliet@capulet.lit/balcony") {
    stage.iq_from(from, "<iq type='get' id='s' to='capulet.lit'>" + std::string(payload) + "</iq>");
    return stage.answer();
  }
  std::string error(std::string_view payload, std::string_view from = "juliet@capulet.lit/balcony") {
    return error_of(ask(payload, from));
  }
  static constexpr std::string_view all = "<services xmlns='urn:xmpp:extdisco:2'/>";
  static std::string credentials(std::string_view inside) {
    return "<credentials xmlns='urn:xmpp:extdisco:2'>" + std::string(inside) + "</credentials>";
  }
  static std::vector<xml::Element> services_in(const xmpp::Stanza& answer) {
    std::vector<xml::Element> found;
    if (answer.payload() == nullptr) return found;
    answer.payload()->for_each_child([&](const xml::Element& child) { found.push_back(child); });
    return found;
  }
  static std::string at(const xml::Element& element, std::string_view name) {
    return std::string(element.attribute(name).value_or("-"));
  }
  bool announced() {
    xml::Element query("query", xmpp::ns::disco_info);
    module::DiscoInfo event{module::Target::server, "capulet.lit", nullptr, "", query};
    stage.hooks.run(event);
    return query.child("feature", xmpp::ns::disco_info) != nullptr;
  }
  Stage stage;
};

TEST_F(ExternalServicesTest, xep0215_all_services_are_listed_in_the_order_of_the_configuration) {
  stage.use<ExternalServices>(values());
  const std::vector<xml::Element> services = services_in(ask(all));
  ASSERT_EQ(services.size(), 4U);
  EXPECT_EQ(services[0], element("<service xmlns='urn:xmpp:extdisco:2' type='stun' host='stun.capulet.lit' "
                                 "port='3478' transport='udp'/>"));
  EXPECT_EQ(at(services[1], "type") + at(services[1], "port") + at(services[1], "transport"), "turn3479udp");
  EXPECT_EQ(at(services[2], "type") + at(services[2], "port") + at(services[2], "transport"), "turns5349tcp");
  EXPECT_EQ(at(services[3], "host") + at(services[3], "transport"), "192.0.2.7tcp");
  EXPECT_EQ(at(services[1], "restricted"), "true");
  EXPECT_TRUE(announced());
}

TEST_F(ExternalServicesTest, credentials_are_what_coturn_makes_of_the_shared_secret) {
  stage.use<ExternalServices>(values());
  stage.clock.advance(std::chrono::hours(1));
  const xml::Element turn = services_in(ask(all)).at(1);
  // 2030-01-01 02:00:00
  const std::string username = at(turn, "username");
  EXPECT_TRUE(username.starts_with("1893463200:")) << username;
  EXPECT_EQ(at(turn, "expires"), "2030-01-01T02:00:00Z");
  EXPECT_EQ(at(turn, "password"), base64_encode(hmac_sha1("hush", username)));
}

TEST_F(ExternalServicesTest, the_relay_can_tell_people_apart_but_not_who_they_are) {
  stage.use<ExternalServices>(values());
  const auto person = [&](std::string_view from) {
    const std::string username = at(services_in(ask(all, from)).at(1), "username");
    return username.substr(username.find(':') + 1);
  };
  const std::string juliet = person("juliet@capulet.lit/balcony");
  EXPECT_EQ(juliet.find("juliet"), std::string::npos);
  EXPECT_EQ(juliet.size(), 16U);
  stage.clock.advance(std::chrono::hours(100));
  EXPECT_EQ(person("juliet@capulet.lit/chamber"), juliet);
  EXPECT_NE(person("nurse@capulet.lit/chamber"), juliet);
}

TEST_F(ExternalServicesTest, xep0215_services_of_one_type_are_listed_alone) {
  stage.use<ExternalServices>(values());
  const xmpp::Stanza answer = ask("<services xmlns='urn:xmpp:extdisco:2' type='turn'/>");
  EXPECT_EQ(answer.payload()->attribute("type"), "turn");
  const auto services = services_in(answer);
  ASSERT_EQ(services.size(), 2U);
  for (const xml::Element& service : services) EXPECT_EQ(at(service, "type"), "turn");
  EXPECT_TRUE(services_in(ask("<services xmlns='urn:xmpp:extdisco:2' type='ftp'/>")).empty());
}

TEST_F(ExternalServicesTest, a_client_may_ask_its_own_account) {
  stage.use<ExternalServices>(values());
  auto& juliet = stage.bind("juliet@capulet.lit/balcony");
  stage.iq(juliet, "<iq type='get' id='s'>" + std::string(all) + "</iq>");
  EXPECT_EQ(services_in(stage.answer()).size(), 4U);
}

TEST_F(ExternalServicesTest, xep0215_credentials_for_one_service) {
  stage.use<ExternalServices>(values());
  const auto given = services_in(ask(credentials("<service host='turn.capulet.lit' type='turn'/>")));
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(at(given[0], "host") + at(given[0], "type") + at(given[0], "port"), "turn.capulet.litturn3479");
  EXPECT_EQ(at(given[0], "password"), base64_encode(hmac_sha1("hush", at(given[0], "username"))));
  EXPECT_EQ(services_in(ask(credentials("<service host='turn.capulet.lit' type='turn' port='3479'/>"
                                        "<service host='turn.capulet.lit' type='turns'/>")))
                .size(),
            2U);
}

TEST_F(ExternalServicesTest, no_credentials_for_what_has_none) {
  stage.use<ExternalServices>(values());
  EXPECT_EQ(error(credentials("<service host='turn.capulet.lit' type='turn' port='3478'/>")), "item-not-found");
  EXPECT_EQ(error(credentials("<service host='stun.capulet.lit' type='stun'/>")), "item-not-found");
  EXPECT_EQ(error(credentials("<service host='relay.montague.lit' type='turn'/>")), "item-not-found");
}

TEST_F(ExternalServicesTest, odd_questions_are_bad_requests) {
  stage.use<ExternalServices>(values());
  std::string many;
  for (std::size_t i = 0; i <= ExternalServices::most_services; ++i) many += "<service host='a' type='turn'/>";
  for (const std::string& inside :
       {std::string(), std::string("<service host='turn.capulet.lit'/>"), std::string("<service type='turn'/>"),
        std::string("<service host='turn.capulet.lit' type='turn' port='99999'/>"),
        std::string("<service host='turn.capulet.lit' type='turn' port=''/>"),
        std::string("<service xmlns='urn:x' host='turn.capulet.lit' type='turn'/>"), many}) {
    EXPECT_EQ(error(credentials(inside)), "bad-request") << inside;
  }
}

TEST_F(ExternalServicesTest, strangers_get_neither_services_nor_credentials) {
  stage.use<ExternalServices>(values());
  stage.account("juliet@capulet.lit");
  stage.subscribe("juliet@capulet.lit", "romeo@montague.lit", xmpp::Subscription::both);
  for (const std::string_view from : {"romeo@montague.lit/orchard", "montague.lit", "capulet.lit"}) {
    EXPECT_EQ(error(all, from), "forbidden") << from;
    EXPECT_EQ(error(credentials("<service host='turn.capulet.lit' type='turn'/>"), from), "forbidden") << from;
  }
  stage.iq_from("romeo@montague.lit/orchard",
                "<iq type='get' id='s' to='juliet@capulet.lit'>" + std::string(all) + "</iq>");
  EXPECT_EQ(error_of(stage.answer()), "service-unavailable");
}

TEST_F(ExternalServicesTest, without_services_there_is_no_such_feature) {
  stage.use<ExternalServices>();
  EXPECT_FALSE(announced());
  EXPECT_EQ(error(all), "service-unavailable");
  EXPECT_EQ(error(credentials("<service host='turn.capulet.lit' type='turn'/>")), "service-unavailable");
}

TEST_F(ExternalServicesTest, without_a_secret_nobody_is_sent_to_a_relay) {
  auto& feature = stage.use<ExternalServices>({{"services", Uris{"stun:stun.capulet.lit", "turn:turn.capulet.lit"}}});
  const auto services = services_in(ask(all));
  ASSERT_EQ(services.size(), 1U);
  EXPECT_EQ(at(services[0], "type"), "stun");
  EXPECT_NE(stage.log.find("turn_without_secret"), std::string::npos);
  // A reload brings it.
  feature.configure(settings_of(ExternalServices::descriptor, values()));
  EXPECT_EQ(services_in(ask(all)).size(), 4U);
}

}  // namespace
}  // namespace kith::modules
